"""What is shown of itself in a terminal, in a notebook and as a page."""

from __future__ import annotations

from abc import ABC, abstractmethod

from rechunker.pictures.figures import PlanFigures
from rechunker.pictures.text import plan_text

__all__ = ["Shown"]


class Shown(ABC):
    """Base class of plans: a repr as text, one as HTML, and a page of HTML."""

    @abstractmethod
    def _figures(self) -> PlanFigures:
        """Return what is to be shown."""

    def __repr__(self) -> str:
        return plan_text(self._figures())

    def _repr_html_(self) -> str:
        from rechunker.pictures.html import fragment  # few need it, and it is a large table

        return fragment(self._figures())

    def to_html(self) -> str:
        """Return a page of HTML that shows the plan, with drawings of the chunks.

        The page needs no other file, and shows no credentials.
        """
        from rechunker.pictures.html import page

        return page(self._figures())

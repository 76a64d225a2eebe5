"""Pictures of plans: as text, and as HTML with drawings of chunks. Knows figures, and no arrays."""

from __future__ import annotations

from rechunker.pictures.figures import ArrayFigures, Division, PlanFigures, StageFigures
from rechunker.pictures.shown import Shown
from rechunker.pictures.text import in_a_line, plan_table

__all__ = [
    "ArrayFigures",
    "Division",
    "PlanFigures",
    "Shown",
    "StageFigures",
    "in_a_line",
    "plan_table",
]

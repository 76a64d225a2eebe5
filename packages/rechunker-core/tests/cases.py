"""Tables of cases in one test: a failure says which case it is about."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["about"]


@contextmanager
def about(*case: object) -> Iterator[None]:
    """Add the case to any failure, also to that of `pytest.raises`."""
    try:
        yield
    except BaseException as error:
        error.add_note(f"case: {', '.join(map(str, case))}")
        raise

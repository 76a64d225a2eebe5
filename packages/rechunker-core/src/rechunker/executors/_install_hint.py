"""The installation advice for executors whose package is not installed."""

from __future__ import annotations

__all__ = ["advise"]


def advise(error: ModuleNotFoundError, name: str) -> None:
    """Add a "pip install" line to the error if the package of the executor is not installed.

    If the error is about another module, the package is installed but broken; the error then stays
    unchanged.
    """
    if error.name == f"rechunker_{name}":
        error.msg = f"{error.msg}: pip install rechunker-{name}"

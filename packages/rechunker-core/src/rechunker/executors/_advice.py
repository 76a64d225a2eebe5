"""What to say where the package of an executor is absent."""

from __future__ import annotations

__all__ = ["advise"]


def advise(error: ModuleNotFoundError, name: str) -> None:
    """Add the line that installs an executor, if it is its package that was not found.

    Where another module is missing the package is installed but broken, and the error stays as
    it is.
    """
    if error.name == f"rechunker_{name}":
        error.msg = f"{error.msg}: pip install rechunker-{name}"

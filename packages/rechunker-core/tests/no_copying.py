"""A plugin of pytest that breaks copying: tasks do nothing, and say that they are done."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from rechunker.copying import CopyWork, TransferWork
from rechunker.types import Traffic


def nothing(self: Any, tasks: range) -> Iterator[Traffic]:
    """Stand in for the work of a stage."""
    return (Traffic(tasks=1) for _ in tasks)


def pytest_configure(config: pytest.Config) -> None:
    CopyWork.__call__ = nothing  # type: ignore[method-assign]
    TransferWork.__call__ = nothing  # type: ignore[method-assign]

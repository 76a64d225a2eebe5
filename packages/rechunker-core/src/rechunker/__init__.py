"""Rechunk arrays of any size, exactly, within a memory limit."""

from __future__ import annotations

from importlib.metadata import version

from rechunker.api import rechunk
from rechunker.copying import CopyError
from rechunker.jobs import ResumeError, VerificationError
from rechunker.planning import MemoryLimitError, RechunkPlan, plan_rechunk
from rechunker.rechunked import Rechunked
from rechunker.stores import TargetInUseError

__all__ = [
    "CopyError",
    "MemoryLimitError",
    "RechunkPlan",
    "Rechunked",
    "ResumeError",
    "TargetInUseError",
    "VerificationError",
    "__version__",
    "plan_rechunk",
    "rechunk",
]

__version__ = version("rechunker-core")

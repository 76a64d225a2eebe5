"""Rechunk arrays of any size, exactly, within a memory limit."""

from __future__ import annotations

from importlib.metadata import version

from rechunker.api import rechunk
from rechunker.copying import CopyError
from rechunker.jobs import ResumeError, VerificationError
from rechunker.planning import MemoryLimitError, RechunkPlan, plan_rechunk
from rechunker.rechunked import Rechunked
from rechunker.report import Report, StageReport
from rechunker.stores import Leftover, TargetInUseError, clean, leftovers
from rechunker.verifying import Difference, Digest, Verification, digest, verify

__all__ = [
    "CopyError",
    "Difference",
    "Digest",
    "Leftover",
    "MemoryLimitError",
    "RechunkPlan",
    "Rechunked",
    "Report",
    "ResumeError",
    "StageReport",
    "TargetInUseError",
    "Verification",
    "VerificationError",
    "__version__",
    "clean",
    "digest",
    "leftovers",
    "plan_rechunk",
    "rechunk",
    "verify",
]

__version__ = version("rechunker-core")

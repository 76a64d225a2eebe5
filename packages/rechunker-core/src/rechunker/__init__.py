"""Rechunk arrays of any size, exactly, within a memory limit."""

from __future__ import annotations

import os
import warnings
from importlib import import_module
from importlib.metadata import PackageNotFoundError, distribution, version
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rechunker.api import rechunk
    from rechunker.copying import CopyError
    from rechunker.jobs import ResumeError, VerificationError
    from rechunker.planning import (
        ChunkSuggestion,
        MemoryLimitError,
        RechunkPlan,
        plan_rechunk,
        suggest_chunks,
    )
    from rechunker.rechunked import Rechunked
    from rechunker.report import Report, StageReport
    from rechunker.saving import BarrierError, Round, SavedPlan, load
    from rechunker.stores import Leftover, TargetInUseError, clean, leftovers
    from rechunker.verifying import Difference, Digest, Verification, digest, verify

    __version__: str

__all__ = [
    "BarrierError",
    "ChunkSuggestion",
    "CopyError",
    "Difference",
    "Digest",
    "Leftover",
    "MemoryLimitError",
    "RechunkPlan",
    "Rechunked",
    "Report",
    "ResumeError",
    "Round",
    "SavedPlan",
    "StageReport",
    "TargetInUseError",
    "Verification",
    "VerificationError",
    "__version__",
    "clean",
    "digest",
    "leftovers",
    "load",
    "plan_rechunk",
    "rechunk",
    "suggest_chunks",
    "verify",
]

# Names are imported when they are first used: a worker, or a program that plans alone, needs few.
_HOMES = {
    "api": ("rechunk",),
    "copying": ("CopyError",),
    "jobs": ("ResumeError", "VerificationError"),
    "planning": (
        "ChunkSuggestion",
        "MemoryLimitError",
        "RechunkPlan",
        "plan_rechunk",
        "suggest_chunks",
    ),
    "rechunked": ("Rechunked",),
    "report": ("Report", "StageReport"),
    "saving": ("BarrierError", "Round", "SavedPlan", "load"),
    "stores": ("Leftover", "TargetInUseError", "clean", "leftovers"),
    "verifying": ("Difference", "Digest", "Verification", "digest", "verify"),
}


def __getattr__(name: str) -> Any:
    home = next((home for home, names in _HOMES.items() if name in names), None)
    if home is not None:
        found = getattr(import_module(f"{__name__}.{home}"), name)
    elif name == "__version__":
        found = version("rechunker-core")
    elif not name.startswith("_") and find_spec(f"{__name__}.{name}") is not None:
        found = import_module(f"{__name__}.{name}")  # as if all of them were imported here
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _warn_of_former() -> None:
    """Warn if the distribution `rechunker`, up to version 0.5, is installed in this very folder.

    Some of its modules are still there, and uninstalling it later would delete ours.
    """
    try:
        former = distribution("rechunker")
        theirs = former.locate_file("rechunker/__init__.py")
        if not os.path.samefile(str(theirs), __file__):
            return
    except (PackageNotFoundError, OSError):
        return
    warnings.warn(
        f"rechunker {former.version} is installed in the same folder as rechunker-core, and each "
        "of them breaks the other: run pip uninstall rechunker rechunker-core, then install "
        "rechunker-core again",
        stacklevel=3,
    )


_warn_of_former()

"""The "python" executor, and the documented import paths of the executors of other packages."""

from __future__ import annotations

from importlib import import_module
from typing import Any

__all__: list[str] = []

_NAMES = ("Beam", "Dask", "Prefect", "Python", "Pywren")


def __getattr__(name: str) -> Any:
    """Import an executor where its package is installed; Rechunker 0.5 had some of them here."""
    engine = next((engine for engine in _NAMES if name == f"{engine}Executor"), None)
    if engine is not None:
        return getattr(import_module(f"{__name__}.{engine.lower()}"), name)
    former = next((engine for engine in _NAMES if name == f"{engine}PipelineExecutor"), None)
    if former is not None:
        raise ImportError(
            f"{__name__}.{name} is gone since Rechunker 1.0, as there are no pipelines any more: "
            f"use {__name__}.{former.lower()}.{former}Executor",
            name=f"{__name__}.{name}",
        )
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

"""The planner of Rechunker 0.5 stood here; importing its names says what to use instead."""

from __future__ import annotations

from typing import NoReturn

__all__: list[str] = []

_FORMER = (
    "ExcessiveIOWarning",
    "MAX_STAGES",
    "calculate_shared_chunks",
    "calculate_single_stage_io_ops",
    "calculate_stage_chunks",
    "consolidate_chunks",
    "multistage_rechunking_plan",
    "prod",
    "rechunking_plan",
)


def __getattr__(name: str) -> NoReturn:
    if name not in _FORMER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    # An AttributeError would become an ImportError without this message.
    raise ImportError(
        f"{__name__}.{name} is gone since Rechunker 1.0, as its plans were of another kind; use "
        "rechunker.plan_rechunk(shape, source_chunks, target_chunks, itemsize=..., max_mem=...), "
        "whose plan lists the stages with their chunks and requests; for prod, use math.prod",
        name=f"{__name__}.{name}",
    )

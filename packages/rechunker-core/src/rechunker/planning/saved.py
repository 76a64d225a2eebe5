"""Saved plans: the stages of one array as JSON has them, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from rechunker.planning.footprints import Footprint, Layout
from rechunker.planning.plan import RechunkPlan, StagePlan
from rechunker.planning.problem import Shards

__all__ = ["plan_from_json", "plan_to_json"]


def plan_to_json(plan: RechunkPlan) -> dict[str, Any]:
    """Return a plan as JSON has it: dicts, lists, strings and numbers.

    Parameters
    ----------
    plan
        Any plan.

    Examples
    --------
    >>> from rechunker.planning import plan_rechunk
    >>> plan = plan_rechunk((8, 8), (1, 8), (8, 1), itemsize=8, max_mem="1MB")
    >>> plan_from_json(plan_to_json(plan)) == plan
    True
    """
    saved = asdict(plan)
    saved["stages"] = [{**stage, "layout": stage["layout"].value} for stage in saved["stages"]]
    return saved


def plan_from_json(saved: Mapping[str, Any]) -> RechunkPlan:
    """Return the plan that `plan_to_json` has made JSON of.

    Parameters
    ----------
    saved
        What JSON has kept of it.
    """
    stages = tuple(
        StagePlan(**{**_tuples(stage), "layout": Layout(stage["layout"])})
        for stage in saved["stages"]
    )
    footprint, shards = Footprint(**saved["footprint"]), saved["shards"]
    parts = {
        "stages": stages,
        "footprint": footprint,
        "shards": shards and Shards(**_tuples(shards)),
    }
    return RechunkPlan(**{**_tuples(saved), **parts})


def _tuples(saved: Mapping[str, Any]) -> dict[str, Any]:
    """Return fields with tuples where JSON has lists."""
    return {name: _tuple(value) for name, value in saved.items()}


def _tuple(value: Any) -> Any:
    return tuple(map(_tuple, value)) if isinstance(value, list | tuple) else value

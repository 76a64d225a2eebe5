"""Plan a rechunking from shapes, chunk sizes and a memory limit, by arithmetic alone."""

from __future__ import annotations

from rechunker.planning.boxes import Box, block, blocks_meeting, counts, task_box
from rechunker.planning.costs import LOCAL, OBJECT_STORE, CostModel
from rechunker.planning.fitting import fit_sizes
from rechunker.planning.footprints import Footprint, Layout
from rechunker.planning.grids import (
    Grid,
    axis_widest,
    format_grid,
    regular_grid,
    simplify_axis,
    unravel,
)
from rechunker.planning.plan import (
    Chunking,
    MemoryLimitError,
    RechunkPlan,
    StagePlan,
    array_figures,
)
from rechunker.planning.planner import plan_rechunk
from rechunker.planning.problem import Shards
from rechunker.planning.saved import plan_from_json, plan_to_json
from rechunker.planning.suggesting import ChunkSuggestion, suggest_chunks

__all__ = [
    "LOCAL",
    "OBJECT_STORE",
    "Box",
    "ChunkSuggestion",
    "Chunking",
    "CostModel",
    "Footprint",
    "Grid",
    "Layout",
    "MemoryLimitError",
    "RechunkPlan",
    "Shards",
    "StagePlan",
    "array_figures",
    "axis_widest",
    "block",
    "blocks_meeting",
    "counts",
    "fit_sizes",
    "format_grid",
    "plan_from_json",
    "plan_rechunk",
    "plan_to_json",
    "regular_grid",
    "simplify_axis",
    "suggest_chunks",
    "task_box",
    "unravel",
]

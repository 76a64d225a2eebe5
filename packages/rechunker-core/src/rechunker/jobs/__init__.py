"""Jobs: one planned job for each array, and what comes before and after all of them."""

from __future__ import annotations

from rechunker.jobs.array_plan import Parallelism
from rechunker.jobs.auto_sizes import plan_auto_sizes
from rechunker.jobs.checks import check_places, is_reachable
from rechunker.jobs.equality import VerificationError
from rechunker.jobs.group_of_target import format_around, format_of_group, name_in_group
from rechunker.jobs.job import LAYOUT_VERSION, ArrayJob
from rechunker.jobs.resuming import ResumeError
from rechunker.jobs.run import Run
from rechunker.jobs.target_job import TargetJob
from rechunker.jobs.target_plan import TargetPlanner
from rechunker.jobs.temp_options import temp_place, temp_places

__all__ = [
    "LAYOUT_VERSION",
    "ArrayJob",
    "Parallelism",
    "ResumeError",
    "Run",
    "TargetJob",
    "TargetPlanner",
    "VerificationError",
    "check_places",
    "format_around",
    "format_of_group",
    "is_reachable",
    "name_in_group",
    "plan_auto_sizes",
    "temp_place",
    "temp_places",
]

"""Jobs: one planned job for each array, and what comes before and after all of them."""

from __future__ import annotations

from rechunker.jobs.array_plan import Parallelism
from rechunker.jobs.auto_sizes import plan_auto_sizes
from rechunker.jobs.checks import check_array_name, check_places
from rechunker.jobs.equality import VerificationError
from rechunker.jobs.resuming import ResumeError
from rechunker.jobs.run import Run
from rechunker.jobs.target_job import TargetJob
from rechunker.jobs.target_plan import plan_target
from rechunker.jobs.temp_options import temp_places

__all__ = [
    "Parallelism",
    "ResumeError",
    "Run",
    "TargetJob",
    "VerificationError",
    "check_array_name",
    "check_places",
    "plan_auto_sizes",
    "plan_target",
    "temp_places",
]

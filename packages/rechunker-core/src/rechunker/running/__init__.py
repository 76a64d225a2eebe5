"""Running: what executors share: batches, retries, progress, and checks of their arguments."""

from __future__ import annotations

from rechunker.running.arguments import check_numbers, refuse_keywords
from rechunker.running.batching import BATCHES_PER_WORKER, batches, least_seconds
from rechunker.running.cores import available_cores
from rechunker.running.progress import Progress, reporter
from rechunker.running.retries import BatchRunner

__all__ = [
    "BATCHES_PER_WORKER",
    "BatchRunner",
    "Progress",
    "available_cores",
    "batches",
    "check_numbers",
    "least_seconds",
    "refuse_keywords",
    "reporter",
]

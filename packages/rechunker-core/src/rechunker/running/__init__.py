"""Running: what executors share: batches, retries, executions, progress, checks of arguments."""

from __future__ import annotations

from rechunker.running.arguments import check_numbers, refuse_keywords
from rechunker.running.batching import BATCHES_PER_WORKER, Batch, batches, bundles, least_seconds
from rechunker.running.cores import available_cores
from rechunker.running.executions import Execution, StoppedError
from rechunker.running.in_thread import in_thread
from rechunker.running.progress import Progress, Reporter, reporter
from rechunker.running.retries import BatchRunner
from rechunker.running.sharing import run_shared
from rechunker.scratch import spare_memory

__all__ = [
    "BATCHES_PER_WORKER",
    "Batch",
    "BatchRunner",
    "Execution",
    "Progress",
    "Reporter",
    "StoppedError",
    "available_cores",
    "batches",
    "bundles",
    "check_numbers",
    "in_thread",
    "least_seconds",
    "refuse_keywords",
    "reporter",
    "run_shared",
    "spare_memory",
]

"""Margins: what a process and its threads take besides the data of tasks, and what that leaves."""

from __future__ import annotations

from rechunker.planning import RechunkPlan, StagePlan

__all__ = ["margin", "tasks_at_once"]

# Bytes that a process takes besides the data of its task: stacks, modules, freed memory.
PROCESS_MARGIN = 16 * 10**6
# Bytes that a thread takes besides the data in its hands: its stack, and the start of a heap.
THREAD_MARGIN = 300_000


def margin(max_mem: int, threads: int, kept: int) -> int:
    """Return the bytes to leave to a process, or to its threads if they need more.

    Parameters
    ----------
    max_mem
        Memory limit per task in bytes.
    threads
        Number of threads of the task.
    kept
        Bytes that belong to each thread, whatever it has in its hands.
    """
    each = kept + min(THREAD_MARGIN, max_mem // 64)
    most = max_mem // 2 if threads == 1 else max_mem  # a single thread gets on with less
    return min(most, max(min(PROCESS_MARGIN, max_mem // 16), threads * each))


def tasks_at_once(plan: RechunkPlan, stage: StagePlan, kept: int) -> int:
    """Return how many tasks of a stage may run at the same time, each with its part of the threads.

    Together they hold no more than one may. It is one where a single task has nearly as many
    requests in flight as it may, from its begin to its end.

    Parameters
    ----------
    plan
        Plan of an array.
    stage
        One of its stages.
    kept
        As for `margin`.
    """
    tasks, most = max(1, stage.tasks), plan.footprint.concurrency
    threads = min(most, -(-max(stage.gets, stage.puts) // tasks))
    # In flight are first its reads, then its writes, and before and behind them one request each.
    if stage.gets + stage.puts + 2 * tasks > 4 * tasks * (most - 1):
        return 1  # a task alone has enough
    for number in range(most, 1, -1):
        held = number * stage.memory + margin(plan.max_mem, min(most, number * threads), kept)
        if held <= plan.max_mem:
            return number
    return 1

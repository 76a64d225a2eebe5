"""Plan transpositions of terabytes and petabytes: `python bench/plans.py`.

This is arithmetic, which takes seconds. What is printed is a table in Markdown.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from math import prod

from bounds import lower_bound
from rechunker.planning import (
    OBJECT_STORE,
    CostModel,
    Footprint,
    MemoryLimitError,
    RechunkPlan,
    plan_rechunk,
)
from rechunker.sizes import format_bytes
from table import markdown, row

__all__ = ["main"]

ITEMSIZE = 4
MEMORIES = ("1GB", "4GB", "16GB")
WORKERS = (1, 100, 10_000)
IN_FLIGHT = (16, 8, 4, 2, 1)  # requests of a task at the same time
SERIAL = 2e-3  # seconds that an engine takes for a task
HEAD = [
    *("array", "`max_mem`", "workers", "in flight", "stages", "tasks", "reads", "writes"),
    *("temporary", "time", "time / bound"),
]


@dataclass(frozen=True)
class Transposition:
    """Maps that become time series.

    Parameters
    ----------
    shape, source, target
        Shapes of the array and of its chunks.
    """

    shape: tuple[int, ...]
    source: tuple[int, ...]
    target: tuple[int, ...]


ARRAYS = {
    "10 TB": Transposition((100_000, 5000, 5000), (1, 5000, 5000), (100_000, 10, 10)),
    "1 PB": Transposition((1_000_000, 16_000, 16_000), (1, 1600, 16_000), (1_000_000, 5, 5)),
}


def main() -> int:
    """Print the table."""
    print(*markdown(HEAD), sep="\n")
    for case in product(ARRAYS, MEMORIES, WORKERS):
        print(line(*case), flush=True)
    return 0


def line(name: str, max_mem: str, workers: int) -> str:
    """Return the line of the table for an array, a memory limit and a number of workers."""
    plan, cost = planned(ARRAYS[name], max_mem, workers)
    stages = plan.stages
    totals = [sum(getattr(stage, name) for stage in stages) for name in ("tasks", "gets", "puts")]
    temporary = sum(stage.bytes_written for stage in stages[:-1])
    return row(
        [
            *(name, max_mem, f"{workers:,}", str(plan.footprint.concurrency), str(len(stages))),
            *(f"{total:,}" for total in totals),
            format_bytes(temporary),
            duration(plan.cost),
            f"{plan.cost / lower_bound(plan, cost):.2f}",
        ]
    )


def duration(seconds: float) -> str:
    """Return a time in the largest unit of which it is at least two."""
    for unit, name in ((86400, "days"), (3600, "hours"), (60, "min")):
        if seconds >= 2 * unit:
            return f"{seconds / unit:.1f} {name}"
    return f"{seconds:.0f} s"


def planned(array: Transposition, max_mem: str, workers: int) -> tuple[RechunkPlan, CostModel]:
    """Return the plan for an object store, and its costs, as `rechunk()` would choose them.

    A task has 16 requests in flight where there is memory for so many.
    """
    plans = list(_plans(array, max_mem, replace(OBJECT_STORE, workers=workers, serial=SERIAL)))
    return min(plans, key=lambda pair: pair[0].cost)


def _plans(
    array: Transposition, max_mem: str, prices: CostModel
) -> Iterator[tuple[RechunkPlan, CostModel]]:
    sizes = (ITEMSIZE * prod(chunk) for chunk in (array.source, array.target))
    footprint = Footprint.of_units(*sizes)
    for number in IN_FLIGHT:
        cost = replace(prices, in_flight=number)
        needed = replace(footprint, concurrency=number, parts=number)
        geometry = (array.shape, array.source, array.target, ITEMSIZE, max_mem)
        try:
            yield plan_rechunk(*geometry, cost=cost, footprint=needed), cost
        except MemoryLimitError:  # fewer requests need less
            continue


if __name__ == "__main__":
    sys.exit(main())

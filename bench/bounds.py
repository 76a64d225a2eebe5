"""A lower bound on the time of any plan, see ``docs/algorithm.md``."""

from __future__ import annotations

from math import prod

import numpy as np

from rechunker.planning import CostModel, RechunkPlan, axis_widest
from rechunker.planning.grids import axis_count, ceil_div

__all__ = ["lower_bound"]


def lower_bound(plan: RechunkPlan, cost: CostModel, max_hops: int = 4) -> float:
    """Return a time that no plan beats whose tasks keep to its memory and talk through stores.

    It counts as if units divided the shape: it is proven only where they do.
    """
    return min(_bound(plan, cost, hops) for hops in range(max_hops + 1))


def _bound(plan: RechunkPlan, cost: CostModel, hops: int) -> float:
    """Bound plans of so many hops, over all ways to share the work of bringing units together.

    A box with room for a source and a target unit at a time takes `factor` times the memory.
    Reading the source `again` times; leaves a factor of ``factor / again``, and of several
    hops each takes a root of that as many cells per box. Between two values of `again`, the
    number of reads is bounded by the lower one, that of cells by the higher one.
    """
    axes = list(zip(plan.shape, plan.source_chunks, plan.target_chunks, strict=True))
    nbytes = prod(plan.shape) * plan.itemsize
    together = prod(max(axis_widest(n, s), t) for n, s, t in axes) * plan.itemsize
    factor = max(1.0, together / plan.max_mem)
    again = np.geomspace(1, factor, 200) if hops else np.array([factor, factor])
    fewest = max(1.0, nbytes / plan.max_mem)  # tasks of a stage
    cells = hops * fewest * (factor / again[1:]) ** (1 / max(hops, 1))
    gets = prod(axis_count(n, s) for n, s, _ in axes) * again[:-1] + cells
    puts = prod(ceil_div(n, t) for n, _, t in axes) + hops * fewest
    moved = nbytes * (2 * hops + 1 + again[:-1])
    work = (cost.request * (gets + puts) + cost.byte * moved) / cost.in_flight
    # No more tasks of a stage work at the same time than there are, and each takes the engine time.
    ideal = np.sqrt(work / max(cost.serial, 1e-99))
    most = np.clip(ideal, fewest, max(fewest, cost.workers))
    started = cost.task * (hops + 1) * fewest / cost.workers + cost.serial * (most + hops * fewest)
    return float((work / np.minimum(most, cost.workers) + started).min())

"""The workloads of the bench, at a hundredth of their size, take no more than they took before.

Nothing is timed: requests, stored bytes, and calls are the same on any machine, but for a few per
cent between versions of Python. Where a change makes a figure smaller, write that here.
"""

from __future__ import annotations

from typing import NamedTuple

import pytest

import counts

pytestmark = pytest.mark.slow


class Figures(NamedTuple):
    """What `bench/counts.py` prints for a workload."""

    requests: float
    read: float
    written: float
    allocations: float
    calls: float
    system: float


BEFORE = {
    "W1": Figures(241, 1.406, 1.416, 8.57, 551, 7.20),
    "W2": Figures(900, 1.422, 1.419, 5.79, 250, 6.22),
    "float64": Figures(1270, 1.547, 1.561, 6.91, 354, 5.70),
    "raw": Figures(808, 2.000, 2.000, 2.34, 168, 6.57),
    "to-shards": Figures(208, 1.401, 1.473, 3.47, 91.3, 7.50),
    "W4": Figures(800, 1.407, 1.413, 8.88, 440, 5.12),
    "W5": Figures(685, 1.407, 1.402, 8.30, 389, 5.60),  # a hop, instead of reading twice
    "from-shards": Figures(276, 0.586, 0.462, 4.83, 104, 5.65),
    "sparse": Figures(60, 0.0007, 0.0014, 0.021, 1.55, 12.8),
}
# A call of the system more for each chunk is a tenth more. How deep the folder for temporary files
# lies makes a difference: folders around a target are looked at, as it may be in a group. The
# oldest Zarr that is supported makes up to 15 per cent more calls of its own.
ALLOWED = Figures(1.0, 1.01, 1.01, 1.04, 1.16, 1.04)


def test_no_workload_takes_more_than_before() -> None:
    found = counts.count_apart(list(BEFORE))
    assert not {name: one.wrong for name, one in found.items() if one.wrong}, "not as planned"
    too_much = [
        f"{name}: {figure} {now:.4g}, before {before:.4g}; into the system {one.system}"
        for name, one in found.items()
        for figure, now, before, allowed in zip(
            Figures._fields, figures_of(one), BEFORE[name], ALLOWED, strict=True
        )
        if now > allowed * before
    ]
    assert not too_much, "\n".join(too_much)


def figures_of(one: counts.Counts) -> Figures:
    return Figures(one.requests, *one.stored, one.allocations, one.calls, one.system_per_request)

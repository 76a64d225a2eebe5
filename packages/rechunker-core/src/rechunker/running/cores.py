"""Cores: the number of processors that this process may use."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

__all__ = ["available_cores"]

PROCESS_GROUPS = Path("/proc/self/cgroup")
GROUPS = Path("/sys/fs/cgroup")


def available_cores() -> int:
    """Return the number of processors that this process may use.

    CPU affinity counts, and so do CPU quotas of containers (Linux control groups, versions 1 and
    2); a quota of 1.5 processors counts as 2.

    Notes
    -----
    The files of control groups are described in
    https://docs.kernel.org/admin-guide/cgroup-v2.html (``cpu.max``) and
    https://docs.kernel.org/scheduler/sched-bwc.html (``cpu.cfs_quota_us``).
    """
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    return max(1, math.ceil(min(cores, cpu_quota())))


def cpu_quota(process_groups: Path = PROCESS_GROUPS, groups: Path = GROUPS) -> float:
    """Return the smallest CPU quota of the control groups around this process, in processors.

    Parameters
    ----------
    process_groups
        File that lists the groups of the process.
    groups
        Folder where the groups are mounted.

    Returns
    -------
    float
        Infinity without a quota, and on systems without control groups.
    """
    quotas = (_quota(folder) for folder in _folders(process_groups, groups))
    return min((quota for quota in quotas if quota > 0), default=math.inf)


def _folders(process_groups: Path, groups: Path) -> Iterator[Path]:
    """Yield the folders of the groups that limit the processors: own, parents, and the root."""
    try:
        lines = process_groups.read_text().splitlines()
    except OSError:
        return
    for line in lines:
        number, controllers, path = line.split(":", 2)
        if number == "0":
            root = groups  # version 2
        elif "cpu" in controllers.split(","):
            root = groups / "cpu"  # version 1
        else:
            continue
        # A container may be told its path outside, which does not exist inside.
        inside = PurePosixPath(path.lstrip("/"))
        yield from (root / part for part in (inside, *inside.parents))


def _quota(folder: Path) -> float:
    """Return the quota of one group, in processors; infinity if it has none."""
    quota, period = "max", "100000"
    try:
        if (folder / "cpu.max").exists():
            quota, period = (folder / "cpu.max").read_text().split()
        elif (folder / "cpu.cfs_quota_us").exists():
            quota = (folder / "cpu.cfs_quota_us").read_text().strip()
            period = (folder / "cpu.cfs_period_us").read_text().strip()
        return math.inf if quota in ("max", "-1") else int(quota) / int(period)
    except (OSError, ValueError, ZeroDivisionError):
        return math.inf

"""The number of cores respects the CPU quotas of containers."""

from __future__ import annotations

import math
import os
from pathlib import Path

import pytest

from rechunker.running import available_cores, cores
from rechunker.running.cores import cpu_quota


def write(folder: Path, **files: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name.replace("__", ".")).write_text(content)


def quota(tmp_path: Path, groups: str) -> float:
    (tmp_path / "cgroup").write_text(groups)
    return cpu_quota(tmp_path / "cgroup", tmp_path / "fs")


def test_there_is_a_core() -> None:
    assert 1 <= available_cores() <= (os.cpu_count() or 1)


def test_without_control_groups_there_is_no_quota(tmp_path: Path) -> None:
    assert cpu_quota(tmp_path / "nothing", tmp_path / "nothing") == math.inf


def test_version_2_has_a_quota(tmp_path: Path) -> None:
    write(tmp_path / "fs" / "app", cpu__max="150000 100000\n")
    assert quota(tmp_path, "0::/app\n") == 1.5


def test_version_1_has_a_quota(tmp_path: Path) -> None:
    files = {"cpu__cfs_quota_us": "50000\n", "cpu__cfs_period_us": "100000\n"}
    write(tmp_path / "fs" / "cpu" / "app", **files)
    assert quota(tmp_path, "5:memory:/app\n4:cpu,cpuacct:/app\n") == 0.5


def test_the_smallest_quota_of_all_parents_counts(tmp_path: Path) -> None:
    write(tmp_path / "fs" / "pod", cpu__max="200000 100000")
    write(tmp_path / "fs" / "pod" / "app", cpu__max="400000 100000")
    assert quota(tmp_path, "0::/pod/app\n") == 2


@pytest.mark.parametrize("content", ["max 100000", "", "many 100000", "100000 0"])
def test_no_quota_and_unreadable_ones_are_no_limit(tmp_path: Path, content: str) -> None:
    write(tmp_path / "fs" / "app", cpu__max=content)
    assert quota(tmp_path, "0::/app\n") == math.inf


def test_in_a_container_the_root_has_the_quota(tmp_path: Path) -> None:
    write(tmp_path / "fs", cpu__max="300000 100000")
    assert quota(tmp_path, "0::/docker/of/the/host\n") == 3


def test_a_quota_limits_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cores, "cpu_quota", lambda: 0.5)
    assert available_cores() == 1

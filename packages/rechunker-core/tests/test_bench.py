from __future__ import annotations

from dataclasses import replace
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

import compare
import demo
import run
from climate import temperatures, write_source
from compare import differences
from limit import limit
from project import FIGURES, Outcome, rechunk
from usage import Usage, measured
from workloads import WORKLOADS, Workload

pytestmark = pytest.mark.slow

SMALL = 8
each_workload = pytest.mark.parametrize("name", WORKLOADS)
# However small it is, W5 has as many chunks as ever, too many for a test.
each_quick_workload = pytest.mark.parametrize("name", ["W1", "W2", "W4"])


@pytest.fixture
def source(name: str, tmp_path: Path) -> Path:
    path = tmp_path / "source.zarr"
    write_source(WORKLOADS[name].shrunk(SMALL), path)
    return path


def number_of(chunks: tuple[int, ...], shape: tuple[int, ...]) -> int:
    return prod(-(-size // width) for size, width in zip(shape, chunks, strict=True))


@each_workload
def test_a_workload_holds_more_than_its_memory(name: str) -> None:
    assert WORKLOADS[name].nbytes > 1.5e9 >= 3 * WORKLOADS[name].max_mem


@each_workload
def test_a_shrunken_workload_is_small_and_still_holds_more_than_its_memory(name: str) -> None:
    small = WORKLOADS[name].shrunk(SMALL)
    assert 3 * small.max_mem < small.nbytes < 30e6


def test_shrunk_by_one_a_workload_is_as_it_was() -> None:
    assert WORKLOADS["W1"].shrunk(1) == WORKLOADS["W1"]


def test_temperatures_are_smooth_and_none_is_zero() -> None:
    values = temperatures((slice(0, 50), slice(100, 150), slice(0, 50)))
    assert 200 < values.min() < values.max() < 350
    assert np.abs(np.diff(values, axis=0)).max() < 2


def test_temperatures_do_not_depend_on_when_they_are_made() -> None:
    region = (slice(3, 5), slice(0, 9))
    assert np.array_equal(temperatures(region), temperatures(region))


@pytest.mark.parametrize("name", ["W1"])
def test_a_source_is_written_once(source: Path) -> None:
    chunk = source / "c" / "0" / "0" / "0"
    before = chunk.stat().st_mtime_ns
    write_source(WORKLOADS["W1"].shrunk(SMALL), source)
    assert chunk.stat().st_mtime_ns == before


@pytest.mark.parametrize("name", ["W1"])
def test_a_source_that_was_not_finished_is_written_again(source: Path) -> None:
    (source / "c" / "0" / "0" / "0").unlink()
    source.with_name("source.zarr.complete").unlink()
    array = write_source(WORKLOADS["W1"].shrunk(SMALL), source)
    assert np.asarray(array[...]).min() > 0


@each_quick_workload
def test_the_limit_writes_every_target_chunk(name: str, source: Path, tmp_path: Path) -> None:
    small = WORKLOADS[name].shrunk(SMALL)
    limit(small, source, tmp_path / "target")
    written = [path for path in (tmp_path / "target").rglob("*") if path.is_file()]
    assert len(written) == number_of(small.target, small.shape)


@pytest.mark.parametrize("name", ["W1"])
def test_the_limit_reads_every_source_chunk(name: str, source: Path, tmp_path: Path) -> None:
    (source / "c" / "2" / "0" / "0").unlink()
    with pytest.raises(FileNotFoundError):
        limit(WORKLOADS[name].shrunk(SMALL), source, tmp_path / "target")


@each_quick_workload
def test_the_project_does_what_it_predicts(name: str, source: Path, tmp_path: Path) -> None:
    small = WORKLOADS[name].shrunk(SMALL)
    outcome = rechunk(small, source, tmp_path / "target.zarr", tmp_path / "temp.zarr")
    assert outcome.different == 0
    assert set(outcome.figures) == set(FIGURES)
    assert all(predicted == executed for predicted, executed in outcome.figures.values())


@pytest.mark.parametrize("piece", [1, 100, 10**6])
def test_differences_are_counted_in_pieces_of_any_size(piece: int) -> None:
    values = np.arange(1, 7 * 11 * 5 + 1).reshape(7, 11, 5)
    one = zarr.create_array({}, data=values, chunks=(3, 11, 1))
    values[6, 10, 4] = values[0, 0, 0] = values[3, 5, 2] = 0
    other = zarr.create_array({}, data=values, chunks=(2, 3, 5))
    assert differences(one, other, piece) == 3


def test_a_piece_holds_as_many_chunks_as_fit() -> None:
    assert compare._widths((100, 100), (10, 10), 1000) == (10, 100)
    assert compare._widths((100, 100), (10, 10), 550) == (10, 50)
    assert compare._widths((100, 100), (10, 10), 3000) == (30, 100)


def test_memory_is_measured_above_what_was_there_before() -> None:
    before = np.ones(30_000_000, "u1")
    with measured() as usage:
        during = np.ones(80_000_000, "u1")
        del during
    assert 70_000_000 < usage.peak < 100_000_000
    assert before.all()


def test_time_is_measured() -> None:
    with measured() as usage:
        sum(range(1_000_000))
    assert usage.wall > 0
    assert usage.cpu >= 0


def test_the_demo_shows_what_was_predicted_and_executed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert demo.main(["--small", str(SMALL)]) == 0
    printed = capsys.readouterr().out
    for words in ("read requests", "write requests", "peak memory", "equals the source"):
        assert words in printed


def complaints(workload: Workload, **changes: Any) -> list[str]:
    good = Outcome(Usage(), {"gets": (1, 1)}, different=0, plan="")
    return demo.complaints(workload, replace(good, **changes))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"different": 1}, "1 elements of the target differ"),
        ({"usage": Usage(peak=500_000_001)}, "must be at most 500000000 bytes, got 500000001"),
        ({"figures": {"gets": (1, 2)}}, "gets: 1 predicted, 2 executed"),
    ],
)
def test_the_demo_fails_where_something_is_not_as_promised(
    changes: dict[str, Any], message: str
) -> None:
    assert not complaints(WORKLOADS["W1"])
    assert message in complaints(WORKLOADS["W1"], **changes)[0]


def test_the_bench_prints_ratios(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    arguments = ["W1", "--small", str(SMALL), "--rounds", "2", "--cache", str(tmp_path)]
    assert run.main(arguments) == 0
    header, least, median = capsys.readouterr().out.splitlines()
    assert "CPU ratio" in header
    assert least.split()[:2] == ["W1", "min"]
    assert median.split()[:2] == ["W1", "median"]


def test_the_bench_names_the_workloads_it_knows(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run.main(["W9"])
    assert "workloads must be any of W1, W2, W4, W5, got W9" in capsys.readouterr().err

from __future__ import annotations

import sys
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import Any

import numcodecs
import numpy as np
import pytest
import zarr

import compare
import demo
import environments
import runs
import table
from climate import temperatures, write_source
from compare import differences, differences_of_stored
from limit import Limit, limit
from project import FIGURES, Outcome, rechunk
from usage import Usage, measured
from workloads import WORKLOADS, Workload

pytestmark = pytest.mark.slow

SMALL = 8
each_workload = pytest.mark.parametrize("name", WORKLOADS)
# However small they are, the others have as many chunks as ever, too many for a test.
QUICK = ["W1", "W2", "W4", "float64", "raw", "to-shards", "sparse"]
each_quick_workload = pytest.mark.parametrize("name", QUICK)


@pytest.fixture
def source(name: str, tmp_path: Path) -> Path:
    path = tmp_path / "source.zarr"
    write_source(WORKLOADS[name].shrunk(SMALL), path)
    return path


def number_of(chunks: tuple[int, ...], shape: tuple[int, ...]) -> int:
    return prod(-(-size // width) for size, width in zip(shape, chunks, strict=True))


def test_a_workload_holds_more_than_its_memory() -> None:
    dense = [work for work in WORKLOADS.values() if not work.stored]
    assert all(work.nbytes > 1.5e9 >= 3 * work.max_mem for work in dense)


def test_a_shrunken_workload_is_small_and_still_holds_more_than_its_memory() -> None:
    small = [work.shrunk(SMALL) for work in WORKLOADS.values()]
    assert all(3 * work.max_mem < work.nbytes < 30e6 for work in small)


def test_shards_of_a_shrunken_workload_hold_as_many_chunks() -> None:
    for divisor in (1, 3, 8, 100):
        small = WORKLOADS["from-shards"].shrunk(divisor)
        assert small.source_unit == tuple(np.multiply(small.source, (16, 8, 8)))


def test_a_workload_is_handed_over_as_text() -> None:
    for work in WORKLOADS.values():
        assert Workload.from_json(work.to_json()) == work


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


@pytest.mark.parametrize("name", ["W1", "float64", "raw", "to-shards"])
def test_the_limit_writes_every_target_chunk(name: str, source: Path, tmp_path: Path) -> None:
    small = WORKLOADS[name].shrunk(SMALL)
    limit(small, source, tmp_path / "target")
    written = [path for path in (tmp_path / "target").rglob("*") if path.is_file()]
    assert len(written) == number_of(small.target_unit, small.shape)


@pytest.mark.parametrize("name", ["W1"])
def test_the_limit_reads_every_source_chunk(name: str, source: Path, tmp_path: Path) -> None:
    (source / "c" / "2" / "0" / "0").unlink()
    with pytest.raises(FileNotFoundError):
        limit(WORKLOADS[name].shrunk(SMALL), source, tmp_path / "target")


def test_the_limit_decodes_every_chunk_of_a_shard(tmp_path: Path) -> None:
    few = replace(WORKLOADS["from-shards"].shrunk(8), shape=(64, 32, 32), target=(64, 8, 8))
    array = write_source(few, tmp_path / "source")
    decoded = []

    class Watched(Limit):
        def decode(self, index: tuple[int, ...]) -> None:
            self.codec = Decoder()
            super().decode(index)

    class Decoder:
        def decode(self, part: memoryview, out: Any) -> None:
            numcodecs.Blosc().decode(part, out)
            decoded.append(out.reshape(few.source).copy())

    work = Watched(few, tmp_path / "source", tmp_path / "target")
    work.decode((1, 0, 0))
    assert len(decoded) == number_of(few.source, few.source_unit)
    np.testing.assert_array_equal(decoded[0], array[32:34, :4, :4])
    np.testing.assert_array_equal(decoded[-1], array[-2:, -4:, -4:])


@each_quick_workload
def test_the_project_does_what_it_predicts(name: str, source: Path, tmp_path: Path) -> None:
    small = WORKLOADS[name].shrunk(SMALL)
    outcome = rechunk(small, source, tmp_path / "target.zarr", tmp_path / "temp.zarr")
    assert outcome.different == 0
    assert set(outcome.figures) == set(FIGURES) - ({"bytes_written"} if small.stored else set())
    assert all(predicted == executed for predicted, executed in outcome.figures.values())


@pytest.mark.parametrize("piece", [1, 100, 10**6])
def test_differences_are_counted_in_pieces_of_any_size(piece: int) -> None:
    values = np.arange(1, 7 * 11 * 5 + 1).reshape(7, 11, 5)
    one = zarr.create_array({}, data=values, chunks=(3, 11, 1))
    values[6, 10, 4] = values[0, 0, 0] = values[3, 5, 2] = 0
    other = zarr.create_array({}, data=values, chunks=(2, 3, 5))
    assert differences(one, other, piece) == 3


def test_of_a_sparse_array_what_is_stored_on_either_side_is_compared(tmp_path: Path) -> None:
    one = zarr.create_array(tmp_path / "a", shape=(40, 40), chunks=(4, 4), dtype="i4")
    other = zarr.create_array(tmp_path / "b", shape=(40, 40), chunks=(40, 2), dtype="i4")
    one[5, 7] = other[5, 7] = 3
    assert differences_of_stored(one, other) == 0
    one[30, 30] = 4
    assert differences_of_stored(one, other) == 1
    other[9, 1] = 5
    assert differences_of_stored(one, other) == 2


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


def test_the_table_shows_every_workload_and_peers_that_fail(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "peer.py").write_text("raise KeyError('a fault')")
    monkeypatch.setattr(table, "NAMES", ["peer"])
    monkeypatch.setattr(table, "PEERS", tmp_path)
    monkeypatch.setattr(table, "environment", lambda *_: Path(sys.executable))
    monkeypatch.setattr(table, "version", lambda *_: "a peer 1.0")
    arguments = ["--small", str(SMALL), "--rounds", "1", "--cache", str(tmp_path)]
    assert table.main([*arguments, "--names", "W1", "sparse"]) == 0
    own, peers, versions = capsys.readouterr().out.split("\n\n")
    assert [line.split("|")[1].split()[0] for line in own.splitlines()[2:]] == [
        "**W1**",
        "**sparse**",
    ]
    assert versions == "a peer 1.0\n"
    assert peers.splitlines()[0] == "| CPU / time / peak | rechunker | peer |"
    assert peers.splitlines()[2].endswith("| fails: KeyError: 'a fault' |")


def test_a_run_is_ended_at_its_limits() -> None:
    def failure(program: str, limits: runs.Limits) -> str:
        return runs.run_program([sys.executable, "-c", program], limits).failure

    sleep = "import time; time.sleep(60)"
    assert failure(sleep, runs.Limits(seconds=0.5)) == "over 0.00833333 minutes"
    assert failure(f"x = b'x' * 10**8; {sleep}", runs.Limits(60, 5 * 10**7)) == "over 50 MB"
    assert failure("import sys; sys.exit('no\\nway')", runs.Limits()) == "fails: way"


def test_each_peer_says_what_it_needs() -> None:
    needed = {
        path.stem: environments.requirements(path) for path in environments.PEERS.glob("*.py")
    }
    assert needed["ancestor"][0] == "rechunker==0.5.4"
    assert len(needed) == 6
    assert all(needed.values())


def test_the_version_of_a_peer_is_asked_for(tmp_path: Path) -> None:
    program = tmp_path / "peer.py"
    program.write_text('# /// script\n# dependencies = ["zarr[remote]>=3"]\n# ///\n')
    assert environments.version(program, Path(sys.executable)) == f"zarr {zarr.__version__}"


def test_a_peer_is_installed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commands = []

    def run(command: list[Any], check: bool) -> None:
        commands.append([str(part) for part in command])
        (tmp_path / "environment-cubed").mkdir(exist_ok=True)
        for part in commands[-1]:
            if "environment-cubed-" in part and not part.endswith("python"):
                Path(part).mkdir(parents=True)

    monkeypatch.setattr("subprocess.run", run)
    monkeypatch.setattr("shutil.which", lambda _: "uv")
    for _ in range(2):
        python = environments.environment(environments.PEERS / "cubed.py", tmp_path)
        assert python.parent.parent.parent == tmp_path
    assert [command[1] for command in commands] == ["venv", "pip"]
    assert commands[1][-2:] == ["cubed", "zarr>=3.1"]


def test_the_bench_names_the_workloads_it_knows(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        table.main(["--names", "W9"])
    said = capsys.readouterr().err
    assert "invalid choice: 'W9'" in said
    assert "from-shards" in said

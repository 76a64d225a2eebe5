"""Plans in files: several processes run their tasks, and the store knows what is done."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pytest
import xarray as xr
import zarr
from targets import arrays, is_equal
from zarr.storage import FsspecStore, LoggingStore, MemoryStore, StorePath, ZipStore

import rechunker
from rechunker.stores import CLAIM, Journal, SavedPlaces, resolve_store

# Runs tasks of a round; gets killed before the file of a number is put in its place.
RUN = """
import os, sys, rechunker
path, number, start, stop, deadline = sys.argv[1], *map(int, sys.argv[2:])
plan = rechunker.load(path)
left = deadline
def hook(event, args):
    global left
    if event == "os.rename" and deadline:
        left -= 1
        if not left:
            os.kill(os.getpid(), 9)
sys.addaudithook(hook)
print(plan.run(number, range(start, stop)).to_counts())
"""
START = "import sys, rechunker; rechunker.load(sys.argv[1]).start()"


def make(path: Path, value: float = 0) -> zarr.Array[Any]:
    array = zarr.create_array(path, shape=(40, 40), chunks=(4, 40), dtype="f8")
    array[...] = value or np.arange(1600).reshape(40, 40)
    return array


def planned(folder: Path, **options: Any) -> rechunker.Rechunked[Any]:
    source = zarr.open_array(folder / "source", mode="r")
    places = (folder / "target", options or None, folder / "temp")
    return rechunker.rechunk(source, (40, 4), "8kB", *places, executor="python")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    make(tmp_path / "source")
    return planned(tmp_path).save(tmp_path / "plan.json", workers=4)


def begun(*programs: Sequence[object]) -> list[subprocess.Popen[str]]:
    return [
        subprocess.Popen([sys.executable, "-c", *map(str, words)], text=True, stdout=-1, stderr=-1)
        for words in programs
    ]


def ended(processes: Sequence[subprocess.Popen[str]]) -> list[tuple[int, str, str]]:
    outputs = [process.communicate() for process in processes]
    return [(p.returncode, *texts) for p, texts in zip(processes, outputs, strict=True)]


def test_processes_share_the_rounds_and_one_that_is_killed_goes_on(file: Path) -> None:
    plan = rechunker.load(file)
    # Whoever comes first starts the plan, the others wait for it.
    assert {code for code, *_ in ended(begun(*[[START, file]] * 3))} == {0}
    killed, whole = ended(begun([RUN, file, 0, 0, 6, 4], [RUN, file, 0, 5, 10, 0]))
    assert (killed[0], whole[0]) == (-9, 0), (killed, whole)
    (left,) = plan.left(0)
    assert (left.start > 0, left.stop) == (True, 5)
    with pytest.raises(rechunker.BarrierError, match="round 1 has to wait: of the 10 tasks of"):
        plan.run(1, 0)
    (again,) = ended(begun([RUN, file, 0, 0, 10, 0]))
    assert f"'tasks': {len(left)}," in again[1]
    assert f"'known': {10 - len(left)}" in again[1]
    # Ranges that overlap, at the same time.
    codes = [e[0] for e in ended(begun([RUN, file, 1, 0, 7, 0], [RUN, file, 1, 3, 10, 0]))]
    assert codes == [0, 0]
    target = plan.publish()
    assert not [*(file.parent / "target").glob(".rechunker*"), *(file.parent / "temp").iterdir()]
    np.testing.assert_array_equal(target[...], np.arange(1600).reshape(40, 40))


def test_nothing_runs_before_its_time(file: Path) -> None:
    plan = rechunker.load(file)
    for early in (lambda: plan.run(0, 3), plan.publish, lambda: plan.left(0)):
        with pytest.raises(rechunker.BarrierError, match=r"not claimed by this plan: call start\("):
            early()
    plan.start()
    plan.run(0, range(3))
    plan.run(0, 5)
    assert plan.left(0) == (range(3, 5), range(6, 10))
    with pytest.raises(rechunker.BarrierError, match=r"3 to 4, 6 to 9\. Run them with run\(0, r"):
        plan.run(1)
    plan.start()  # once more does no harm
    assert plan.run(0).known == 4
    plan.run(1, range(9))
    with pytest.raises(rechunker.BarrierError, match=r"publish\(\) has to wait: .* 1 are not done"):
        plan.publish()
    plan.run(1)
    plan.publish()
    plan.publish()
    plan.start()
    with pytest.raises(rechunker.BarrierError, match="is published: nothing is left to do"):
        plan.run(1)


def test_a_result_that_is_lost_is_made_again(file: Path) -> None:
    plan = rechunker.load(file)
    plan.start()
    plan.run(0)
    plan.run(1, 0)
    for cut in sorted((file.parent / "temp").glob("rechunker-*/*/0/*"))[:1]:
        cut.write_bytes(bytes(len(cut.read_bytes())))
    with pytest.raises(rechunker.CopyError):
        plan.run(1)
    (lost,) = plan.left(0)
    assert len(lost) == 1
    with pytest.raises(rechunker.BarrierError, match=r"1 are not done"):
        plan.run(1)
    assert (plan.run(0).tasks, plan.left(0)) == (1, ())
    plan.run(1)
    plan.publish()


def test_a_plan_with_many_arrays_is_verified_and_cut_anywhere(tmp_path: Path) -> None:
    group = zarr.create_group(tmp_path / "source", attributes={"a": 1})
    chunks: dict[str, Any] = {}
    for name, columns in (("b", 40), ("c/d", 20), ("e", 0)):
        array = group.create_array(name, shape=(40, columns), chunks=(4, 20), dtype="f4")
        array[...] = 5
        chunks[name] = (40, 4)
    places = (tmp_path / "target", {"overwrite": True}, tmp_path / "temp")
    zarr.create_array(tmp_path / "target", shape=(3,), dtype="i4")[...] = 7  # to be replaced
    plan = rechunker.rechunk(group, chunks, "6kB", *places, executor="python")
    plan.save(tmp_path / "plan.json", verify=True)
    saved = rechunker.load(tmp_path / "plan.json")
    assert [r.name for r in saved.rounds][-1] == "verify"
    saved.start()
    for number, each in enumerate(saved.rounds):
        done = [saved.run(number, saved.share(number, i, 7)).tasks for i in range(7)]
        assert sum(done) == each.tasks
    saved.publish()
    assert is_equal(arrays(tmp_path / "target"), arrays(tmp_path / "source"))


def test_what_is_verified_and_differs_is_not_published(tmp_path: Path) -> None:
    make(tmp_path / "source")
    plan = rechunker.load(planned(tmp_path).save(tmp_path / "plan.json", verify=True))
    plan.start()
    for number in range(2):
        plan.run(number)
    plan.run(2, 0)
    chunks = sorted((tmp_path / "target" / "c" / "0").iterdir())
    chunks[5].write_bytes(chunks[4].read_bytes())
    plan.run(2)
    with pytest.raises(rechunker.VerificationError):
        plan.publish()
    with pytest.raises(rechunker.BarrierError, match="the journal in the target .* is gone"):
        plan.publish()
    assert not (tmp_path / "target" / "zarr.json").exists()


def test_a_target_or_a_source_that_changed_is_noticed(file: Path, tmp_path: Path) -> None:
    plan = rechunker.load(file)
    plan.start()
    with pytest.raises(rechunker.TargetInUseError, match=r"go on with it by the file of its plan"):
        planned(tmp_path).execute()
    other = rechunker.load(planned(tmp_path, overwrite=True).save(tmp_path / "other.json"))
    other.start()  # takes it over, as nobody can tell whether the first one goes on
    with pytest.raises(rechunker.TargetInUseError, match="was taken over"):
        plan.run(0)
    (tmp_path / "target" / CLAIM).unlink()
    zarr.create_array(tmp_path / "target", shape=(3,), dtype="i4")[...] = 7
    for late in (plan, rechunker.load(file)):
        with pytest.raises(FileExistsError, match="that was not there when"):
            late.start()
    assert zarr.open_array(tmp_path / "target")[0] == 7
    make_again = zarr.create_array(tmp_path / "source", shape=(9,), dtype="i4", overwrite=True)
    make_again[...] = 1
    with pytest.raises(ValueError, match="its metadata have changed"):
        rechunker.load(file).start()


def test_execute_goes_on_with_a_run_from_a_file(file: Path, tmp_path: Path) -> None:
    plan = rechunker.load(file)
    plan.start()
    plan.run(0, range(7))
    again = planned(tmp_path)
    again.execute(resume=True)
    assert again.traffic is not None
    assert again.traffic.known == 7
    with pytest.raises(rechunker.BarrierError, match="is published"):
        plan.run(0)


def test_datasets_are_saved_with_what_they_hold_in_memory(tmp_path: Path) -> None:
    times = np.arange("2000-01-01", "2000-02-10", dtype="M8[D]")
    names = np.array([f"place {i}" for i in range(40)], np.dtypes.StringDType())
    coords = {"time": times.astype("M8[ns]"), "place": names.astype(object)}
    data = np.arange(1600.0).reshape(40, 40)
    written = xr.Dataset({"air": (("time", "place"), data, {"units": "K"})}, coords)
    written.to_zarr(tmp_path / "source", encoding={"air": {"chunks": (4, 40)}}, consolidated=False)
    source = xr.open_zarr(tmp_path / "source", consolidated=False)
    source = source.assign_coords(number=("place", np.arange(40)))

    def plan(dataset: xr.Dataset) -> rechunker.Rechunked[Any]:
        places = (tmp_path / "target", {"overwrite": True}, tmp_path / "temp", None)
        return rechunker.rechunk(dataset, {"time": 40, "place": 4}, "16kB", *places, "python")

    saved = rechunker.load(plan(source).save(tmp_path / "plan.json"))
    saved.start()
    for number in range(len(saved.rounds)):
        saved.run(number)
    saved.publish()
    xr.testing.assert_identical(xr.open_zarr(tmp_path / "target").load(), source.load())
    computed = xr.Dataset({"air": (("time", "place"), da.ones((40, 40), chunks=(4, 40)))})
    with pytest.raises(ValueError, match="array 'air' of the source is computed by Dask"):
        plan(computed).save(tmp_path / "other.json")


def test_a_start_that_was_killed_is_done_again(file: Path, tmp_path: Path) -> None:
    kill = START.replace(
        "import sys,",
        "import os, sys; sys.addaudithook(lambda event, args: event == 'os.rename' and 'plan' in "
        "str(args[1]) and os.kill(os.getpid(), 9)); import",
    )
    assert ended(begun([kill, file]))[0][0] == -9
    plan = rechunker.load(file)
    with pytest.raises(rechunker.BarrierError, match=r"not ready: start\(\) has not ended"):
        plan.run(0)
    plan.start()
    assert Journal(resolve_store(tmp_path / "target")).is_there
    assert plan.run(0).tasks == 10


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 2}, r"is a plan of version 2\.\d, .* use the version of Rechunker that made"),
        ({"layout": "0"}, r"version 1\.0, made by rechunker-core 1"),
        ({"format": "else"}, "is not a plan that"),
        (None, "or not all of one"),
    ],
)
def test_other_files_are_refused(file: Path, change: Any, message: str) -> None:
    text = file.read_text()
    file.write_text(json.dumps({**json.loads(text), **change}) if change else text[:-9])
    with pytest.raises(ValueError, match=message):
        rechunker.load(file)


def test_places_and_files_that_cannot_serve_are_refused(tmp_path: Path) -> None:
    source = make(tmp_path / "source")

    def saved(target: Any, file: Any = tmp_path / "plan", read: Any = source) -> Any:
        plan = rechunker.rechunk(read, (40, 4), "1MB", target, executor="python")
        return plan.save(file)

    for target, words in (
        (MemoryStore(), "the target memory://.* lives in the memory of this process"),
        (ZipStore(tmp_path / "t.zip", mode="w"), "cannot list and delete objects"),
        (LoggingStore(resolve_store(tmp_path / "t").store), "a LoggingStore, cannot be saved"),
    ):
        with pytest.raises(ValueError, match=words):
            saved(target)
    with pytest.raises(ValueError, match="the source memory://"):
        saved(tmp_path / "t", read=zarr.ones((4, 4), store={}))
    with pytest.raises(ValueError, match="is a URL"):
        saved(tmp_path / "t", "s3://bucket/plan.json")
    with pytest.raises(FileExistsError, match="and a run may need it"):
        saved(tmp_path / "t", tmp_path / "source" / "zarr.json")
    assert not (tmp_path / "t").exists()
    assert {path.name for path in tmp_path.iterdir()} <= {"source", "t.zip"}


def test_no_credentials_are_saved() -> None:
    secret = "SECRETsecretSECRET"
    fs_options = {
        "key": secret,
        "secret": secret,
        "client_kwargs": {"endpoint_url": "http://localhost:1", "aws_session_token": secret},
        "config_kwargs": {"proxies": secret},
    }
    store = FsspecStore.from_url("s3://bucket/target", storage_options=fs_options)
    places = SavedPlaces()
    places.save(StorePath(store, "a"), "the target")
    (kept,) = places.stores
    assert secret not in json.dumps(kept)
    assert kept["left_out"] == ["aws_session_token", "config_kwargs", "key", "secret"]
    assert kept["options"] == {"client_kwargs": {"endpoint_url": "http://localhost:1"}}


def test_parts_of_shards_are_read_as_they_were_planned(tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 1 << 30, (512, 512), np.int32)
    source = zarr.create_array(tmp_path / "s", data=values, chunks=(8, 64), shards=(512, 512))
    rechunked = rechunker.rechunk(source, (512, 8), "200kB", tmp_path / "t", executor="python")
    assert rechunked.copy_plan[""].shards is not None
    plan = rechunker.load(rechunked.save(tmp_path / "plan.json"))
    plan.start()
    traffic = plan.run(0)
    assert traffic.joined + traffic.gets == rechunked.copy_plan[""].stages[0].gets
    assert np.array_equal(plan.publish()[...], values)

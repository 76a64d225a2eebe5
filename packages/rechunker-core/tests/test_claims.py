"""One run at a time writes to a target, and what is there is looked at when it starts."""

from __future__ import annotations

import asyncio
import json
import os
import pickle
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import zarr
from zarr.abc.store import Store
from zarr.storage import LocalStore, MemoryStore, StorePath, WrapperStore

from rechunker import rechunk
from rechunker.copying import CopyError
from rechunker.plugins import get_executor
from rechunker.stores import CLAIM, Claim, Journal, TargetInUseError
from rechunker.testing import Recorder

RUN, OTHER = "1" * 32, "2" * 32


@pytest.fixture
def claim(tmp_path: Path) -> Claim:
    return Claim(LocalStore(tmp_path / "t"), "", RUN)


def make(path: Path, value: float = 1) -> zarr.Array[Any]:
    array = zarr.create_array(path, shape=(40, 40), chunks=(4, 40), dtype="f8", fill_value=-1)
    array[...] = value
    return array


def values(path: Path) -> Any:
    return np.asarray(zarr.open_array(path, mode="r")[...]).tolist()


def planned(source: Any, target: Any, **options: Any) -> Any:
    return rechunk(source, (40, 4), "20kB", target, options or None, {}, executor="python")


def write_holder(claim: Claim, **changes: Any) -> None:
    """Write a claim as another process would."""
    claim.take(overwrite=False, execution="x")
    path = Path(str(claim.store.root)) / CLAIM  # type: ignore[attr-defined]
    path.write_text(json.dumps({**json.loads(path.read_text()), "run": OTHER, **changes}))


def dead_process() -> int:
    done = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], stdout=-1)
    return int(done.stdout)


def test_a_claim_is_there_while_a_run_goes_on(tmp_path: Path) -> None:
    seen = []
    plan = planned(make(tmp_path / "s"), tmp_path / "t")
    plan.execute(progress=lambda *_: seen.append((tmp_path / "t" / CLAIM).exists()))
    assert all(seen)
    assert not (tmp_path / "t" / CLAIM).exists()


def test_a_second_run_is_refused_while_the_first_goes_on(tmp_path: Path) -> None:
    source = make(tmp_path / "s")
    second = planned(source, tmp_path / "t", overwrite=True)
    errors = []

    def attempt(*_: int) -> None:
        with pytest.raises(TargetInUseError) as caught:
            second.execute()
        errors.append(str(caught.value))

    planned(source, tmp_path / "t").execute(progress=attempt)
    assert f"by process {os.getpid()} on" in errors[0]
    assert "wait for it, or stop it" in errors[0]


def test_after_a_failure_the_target_is_free(tmp_path: Path) -> None:
    source = make(tmp_path / "s")
    chunk = tmp_path / "s" / "c" / "3" / "0"
    good = chunk.read_bytes()
    chunk.write_bytes(b"")
    with pytest.raises(CopyError):
        planned(source, tmp_path / "t").execute()
    assert not (tmp_path / "t" / CLAIM).exists()
    chunk.write_bytes(good)
    assert planned(source, tmp_path / "t").execute()[0, 0] == 1


def test_the_claim_of_a_dead_process_is_taken_over(claim: Claim) -> None:
    write_holder(claim, pid=dead_process())
    assert claim.take(overwrite=False).run == RUN


def test_the_claim_of_a_process_whose_number_is_used_again_is_taken_over(claim: Claim) -> None:
    write_holder(claim, pid=os.getppid(), born="0")
    assert claim.take(overwrite=False).run == RUN


def test_a_living_process_keeps_its_claim(claim: Claim) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        born = Path(f"/proc/{other.pid}/stat").read_text().rpartition(")")[2].split()[19]
        write_holder(claim, pid=other.pid, born=born)
        for overwrite in (False, True):
            with pytest.raises(TargetInUseError, match=f"by process {other.pid}"):
                claim.take(overwrite=overwrite)


def test_a_claim_of_another_host_is_taken_over_with_overwrite_alone(claim: Claim) -> None:
    write_holder(claim, host="elsewhere")
    with pytest.raises(TargetInUseError, match=r"on elsewhere: .*'overwrite': True"):
        claim.take(overwrite=False)
    assert claim.take(overwrite=True).run == RUN


def test_an_unreadable_claim_is_an_error_that_says_so(claim: Claim, tmp_path: Path) -> None:
    (tmp_path / "t").mkdir()
    for content in (b"", b"[1]", b'{"run": 1}'):
        (tmp_path / "t" / CLAIM).write_bytes(content)
        with pytest.raises(TargetInUseError, match="delete that object"):
            claim.take(overwrite=False)


@pytest.mark.parametrize("what", ["gone", "another's"])
def test_a_run_without_its_claim_stops_and_does_not_publish(tmp_path: Path, what: str) -> None:
    source, path = make(tmp_path / "s"), tmp_path / "t" / CLAIM

    def take_away(done: int, *_: int) -> None:
        if done == 1 and what == "gone":
            path.unlink()
        elif done == 1:
            path.write_text(path.read_text().replace(json.loads(path.read_text())["run"], OTHER))

    with pytest.raises((CopyError, TargetInUseError), match="is gone|was taken over"):
        planned(source, tmp_path / "t").execute(progress=take_away)
    assert not (tmp_path / "t" / "zarr.json").exists()
    assert path.exists() == (what == "another's")


def test_a_target_that_appeared_is_not_replaced(tmp_path: Path) -> None:
    plan = planned(make(tmp_path / "s"), tmp_path / "t")
    zarr.create_array(tmp_path / "t", shape=(3,), dtype="i4")[...] = 7
    with pytest.raises(FileExistsError, match="was not there when"):
        plan.execute()
    assert values(tmp_path / "t") == [7, 7, 7]


@pytest.mark.parametrize("in_group", [False, True])
def test_a_plan_does_not_replace_what_another_has_published(tmp_path: Path, in_group: bool) -> None:
    """Both targets have the same metadata but their attributes."""
    if in_group:
        zarr.create_group(tmp_path / "g")
    target = tmp_path / "g" / "t"
    old, new = (planned(make(tmp_path / f"s{i}", i), target) for i in (1, 2))
    new.execute(verify=True)
    for resume in (False, True):
        with pytest.raises(FileExistsError, match="was not there when"):
            old.execute(resume=resume)
    with pytest.raises(FileExistsError, match="was not there when"):
        pickle.loads(pickle.dumps(old)).execute()
    with pytest.raises(TargetInUseError, match="is gone"):
        old.plan()
    assert values(target)[0][0] == 2
    new.execute()  # its own it may replace
    new.execute(verify=True)
    assert values(target)[0][0] == 2
    (target / "zarr.json").unlink()
    old.execute()
    assert values(target)[0][0] == 1


def test_a_run_that_died_while_it_published_is_no_obstacle(tmp_path: Path) -> None:
    source, target = make(tmp_path / "s", 3), tmp_path / "t"

    def die(journal: Journal) -> None:
        raise InterruptedError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Journal, "delete", die)
        with pytest.raises(InterruptedError):
            planned(source, target).execute()
    assert (target / "zarr.json").exists()
    planned(source, target).execute()
    assert values(target) == [[3] * 40] * 40


def test_arrays_below_a_target_are_not_taken_for_its_chunks(tmp_path: Path) -> None:
    zarr.create_array(tmp_path / "t" / "0", shape=(3,), dtype="i4")[...] = 7
    with pytest.raises(FileExistsError, match="there is an array or a group in"):
        planned(make(tmp_path / "s"), tmp_path / "t").execute()
    assert values(tmp_path / "t" / "0") == [7, 7, 7]


def test_an_old_target_that_was_edited_does_not_open_in_mid_run(tmp_path: Path) -> None:
    old = make(tmp_path / "t", 9)
    plan = planned(make(tmp_path / "s"), tmp_path / "t", overwrite=True)
    old.attrs["note"] = 1
    seen: list[bool] = []
    plan.execute(progress=lambda *_: seen.append((tmp_path / "t" / "zarr.json").exists()))
    assert not any(seen)


def test_executing_twice_takes_the_metadata_away_first(tmp_path: Path) -> None:
    source = make(tmp_path / "s")
    plan = planned(source, tmp_path / "t")
    plan.execute()
    (tmp_path / "s" / "c" / "3" / "0").write_bytes(b"")
    with pytest.raises(CopyError):
        plan.execute()
    assert not (tmp_path / "t" / "zarr.json").exists()


def test_stray_chunks_do_not_show_after_a_resize(tmp_path: Path) -> None:
    (tmp_path / "t" / "c" / "9").mkdir(parents=True)
    (tmp_path / "t" / "c" / "9" / "0").write_bytes(bytes(1280))
    target = planned(make(tmp_path / "s"), tmp_path / "t").execute()
    assert not (tmp_path / "t" / "c" / "9").exists()
    target.resize((80, 40))
    assert (target[40:] == -1).all()


def test_a_dict_is_claimed_too() -> None:
    source = zarr.create_array(MemoryStore(), shape=(40, 40), chunks=(4, 40), dtype="f8")
    target: dict[str, Any] = {}
    seen: list[bool] = []
    plan = planned(source, target)
    plan.execute(progress=lambda *_: seen.append(CLAIM in target))
    assert all(seen)
    assert CLAIM not in target


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.filterwarnings("ignore:Consolidated metadata")
def test_a_start_that_is_run_late_deletes_nothing(tmp_path: Path, zarr_format: Any) -> None:
    source = zarr.create_group(tmp_path / "s", zarr_format=zarr_format)
    source.create_array("a", shape=(40, 40), chunks=(4, 40), dtype="f8")[:] = 5
    zarr.consolidate_metadata(source.store)
    python = get_executor("python")
    for overwrite in (False, True, True, True):  # what is replaced is alike to the byte
        options = {"overwrite": overwrite}
        specs = rechunk(
            zarr.open_group(tmp_path / "s"),
            {"a": (40, 4)},
            "1MB",
            tmp_path / "t",
            options,
            executor=Recorder(python),
        ).plan
        python.execute_plan(python.prepare_plan(specs))
        start, *_, finish = specs[-1].stages
        start(range(1))
        finish(range(1))
        target = zarr.open_group(tmp_path / "t", mode="r")
        np.testing.assert_array_equal(target["a"][...], 5)  # type: ignore[index]


def test_an_execution_that_is_refused_leaves_no_folder(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="takes no speed"):
        planned(make(tmp_path / "s"), tmp_path / "t").execute(speed=2)
    assert not (tmp_path / "t").exists()


class Unsure(WrapperStore[Store]):
    """Stores a claim, and then fails once when it is asked for it."""

    def __init__(self) -> None:
        super().__init__(MemoryStore())
        self.stored = self.failed = 0

    def with_read_only(self, read_only: bool = False) -> Any:
        return self

    async def set_if_not_exists(self, key: str, value: Any) -> None:
        await self._store.set_if_not_exists(key, value)
        self.stored += key == f"b/{CLAIM}"

    async def get(self, key: str, *args: Any, **kwargs: Any) -> Any:
        if self.stored and not self.failed and key == f"b/{CLAIM}":
            self.failed += 1
            raise PermissionError(key)
        return await self._store.get(key, *args, **kwargs)


def group_plan(target: Any, executor: Any = "python") -> Any:
    source = zarr.create_group({})
    names = ["a", "b", "c"]
    for name in names:
        source.create_array(name, shape=(8, 8), chunks=(2, 8), dtype="i4")[...] = 1
    zarr.create_group(target, overwrite=True)
    return rechunk(source, dict.fromkeys(names, (8, 2)), "1MB", target, executor=executor)


def test_no_claim_is_left_where_the_request_failed_that_looked_at_it() -> None:
    target = Unsure()
    plan = group_plan(target)
    with pytest.raises(PermissionError):
        plan.execute()
    inner: Any = target._store
    assert list(inner._store_dict) == ["zarr.json"]
    assert plan.execute()["b"][0, 0] == 1


class Paused(WrapperStore[Store]):
    """Waits at a request of one thread, which has begun a call of its own."""

    def __init__(self, store: Store, key: str, number: int) -> None:
        super().__init__(store)
        self.key, self.left = key, number
        self.reached, self.opened = threading.Event(), threading.Event()

    async def get(self, key: str, *args: Any, **kwargs: Any) -> Any:
        self.left -= key == self.key
        if self.left == 0 and key == self.key:
            self.reached.set()
            while not self.opened.is_set():
                await asyncio.sleep(0.001)
        return await self._store.get(key, *args, **kwargs)


def run_stages(specs: Any) -> None:
    for spec in specs:
        for stage in spec.stages:
            if stage.tasks:
                stage(range(stage.tasks))


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_a_start_that_is_run_twice_deletes_nothing_that_is_written(number: int) -> None:
    inner = MemoryStore()
    specs = group_plan(inner, Recorder(get_executor("python"))).plan
    start, *_, finish = specs[-1].stages
    slow = Paused(inner, f"b/{CLAIM}", number)
    roots = tuple(replace_store(root, slow) for root in start.work.roots)
    late = replace(start, work=replace(start.work, roots=roots))
    with ThreadPoolExecutor(1) as pool:
        try:
            running = pool.submit(late, range(1))
            assert slow.reached.wait(20)
            start(range(1))
            run_stages(specs[:-1])
        finally:
            slow.opened.set()
        running.result(20)
        finish(range(1))
    written = zarr.open_group(inner, mode="r")
    assert all(np.all(cast(Any, written[name])[...] == 1) for name in "abc")
    assert not any(key.endswith(CLAIM) for key in inner._store_dict)


def replace_store(root: Any, store: Store) -> Any:
    place = StorePath(store, root.place.path)
    return replace(root, place=place, claim=replace(root.claim, store=store))


def test_a_finish_that_died_while_it_gave_the_target_free_is_run_again(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "t")
    specs = group_plan(store, Recorder(get_executor("python"))).plan
    start, *_, finish = specs[-1].stages
    start(range(1))
    run_stages(specs[:-1])
    kept = (tmp_path / "t" / "b" / CLAIM).read_bytes()
    finish(range(1))
    (tmp_path / "t" / "b" / CLAIM).write_bytes(kept)
    finish(range(1))
    assert not (tmp_path / "t" / "b" / CLAIM).exists()


def test_attributes_alone_that_a_dead_run_has_left_are_in_nobodys_way(tmp_path: Path) -> None:
    source = zarr.create_array(tmp_path / "s", shape=(40, 40), chunks=(4, 40), dtype="f8")
    source[...] = 1
    (tmp_path / "t").mkdir()
    (tmp_path / "t" / ".zattrs").write_text('{"of": "a dead run"}')
    (tmp_path / "t" / "notes.txt").write_text("mine")
    planned(source, tmp_path / "t", zarr_format=2).execute()
    assert values(tmp_path / "t") == np.ones((40, 40)).tolist()
    assert dict(zarr.open_array(tmp_path / "t").attrs) == {}
    assert (tmp_path / "t" / "notes.txt").read_text() == "mine"

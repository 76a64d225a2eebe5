"""A run that has stopped goes on: what is done is not done again, and nothing else is trusted."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from zarr.storage import LocalStore, MemoryStore, StorePath

from rechunker import (
    CopyError,
    Rechunked,
    ResumeError,
    TargetInUseError,
    VerificationError,
    rechunk,
)
from rechunker.executors.python import PythonExecutor
from rechunker.stores import CLAIM, JOURNAL, Claim, Journal, Log, access
from rechunker.stores import holders as holders_of_claims
from rechunker.stores.records import parse_log

SHAPE = (40, 40)
ROWS, COLUMNS = 10, 10  # tasks that read rows, and tasks that write columns


class StoppedError(Exception):
    """What the tests stop a run with."""


def make_source(path: Path, value: float | None = None) -> zarr.Array[Any]:
    source = zarr.create_array(path, shape=SHAPE, chunks=(4, 40), dtype="f8", fill_value=0)
    source[...] = np.arange(1600.0).reshape(SHAPE) if value is None else value
    return source


@pytest.fixture
def source(tmp_path: Path) -> zarr.Array[Any]:
    return make_source(tmp_path / "s")


def planned(source: Any, target: Any, temp: Any, **options: Any) -> Rechunked[Any]:
    """Plan two stages of ten tasks each."""
    arguments: dict[str, Any] = {"executor": PythonExecutor(1), "max_mem": "8kB", **options}
    plan: Rechunked[Any] = rechunk(
        source, (40, 4), target_store=target, temp_store=temp, **arguments
    )
    assert [stage.tasks for stage in plan.copy_plan[""].stages] == [ROWS, COLUMNS]
    return plan


def stop_after(plan: Rechunked[Any], tasks: int, **options: Any) -> None:
    """Execute a plan until it has done some tasks."""

    def progress(done: int, total: int, nbytes: int) -> None:
        if done >= tasks:
            raise StoppedError

    with pytest.raises(StoppedError):
        plan.execute(progress=progress, **options)


def resume(plan: Rechunked[Any], source: Any) -> tuple[int, int]:
    """Resume, compare, and return how many tasks were run and how many were not."""
    target = plan.execute(resume=True)
    np.testing.assert_array_equal(target[...], source[...])
    assert plan.traffic is not None
    return plan.traffic.tasks, plan.traffic.known


@pytest.mark.parametrize("tasks", [1, 7, 10, 11, 19])
def test_tasks_are_done_once(source: Any, tmp_path: Path, tasks: int) -> None:
    places = (tmp_path / "t", tmp_path / "temp")
    stop_after(planned(source, *places), tasks)
    with pytest.raises(FileNotFoundError):
        zarr.open(tmp_path / "t", mode="r")
    assert resume(planned(source, *places), source) == (20 - tasks, tasks)
    assert sorted(path.name for path in (tmp_path / "t").iterdir()) == ["c", "zarr.json"]
    assert not any((tmp_path / "temp").iterdir())


def test_a_run_stops_more_than_once(source: Any, tmp_path: Path) -> None:
    plan = planned(source, tmp_path / "t", tmp_path / "temp")
    for tasks in (3, 6, 12, 17):
        stop_after(plan, tasks, resume=True)
    assert resume(plan, source) == (3, 17)


def test_where_there_is_nothing_to_go_on_with_a_run_starts(source: Any, tmp_path: Path) -> None:
    assert resume(planned(source, tmp_path / "t", tmp_path / "temp"), source) == (20, 0)


def test_without_resume_a_run_starts_anew(source: Any, tmp_path: Path) -> None:
    plan = planned(source, tmp_path / "t", tmp_path / "temp")
    stop_after(plan, 15)
    plan.execute()
    assert plan.traffic is not None
    assert (plan.traffic.tasks, plan.traffic.known) == (20, 0)


def test_a_new_start_makes_the_records_of_the_last_one_worthless(
    source: Any, tmp_path: Path
) -> None:
    plan = planned(source, tmp_path / "t", tmp_path / "temp")
    stop_after(plan, 18)
    stop_after(plan, 2)
    assert resume(plan, source) == (18, 2)


@pytest.mark.parametrize("make", [MemoryStore, dict])
def test_a_target_in_memory(source: Any, make: Callable[[], Any]) -> None:
    target, temp = make(), make()
    stop_after(planned(source, target, temp), 13)
    assert resume(planned(source, target, temp), source) == (7, 13)
    objects = target if isinstance(target, dict) else target._store_dict
    assert not [key for key in objects if "rechunker" in key]


def test_a_target_behind_a_url(source: Any, tmp_path: Path) -> None:
    places = (f"file://{tmp_path / 't'}", f"file://{tmp_path / 'temp'}")
    stop_after(planned(source, *places), 13)
    assert resume(planned(source, *places), source) == (7, 13)


def test_chunks_that_hold_nothing_are_done_once(tmp_path: Path) -> None:
    source = make_source(tmp_path / "s", 0)
    stop_after(planned(source, tmp_path / "t", tmp_path / "temp"), 16)
    assert resume(planned(source, tmp_path / "t", tmp_path / "temp"), source) == (4, 16)


def test_a_group_of_many_arrays(tmp_path: Path) -> None:
    group = zarr.create_group(tmp_path / "s")
    for number in range(30):
        group.create_array(f"a{number}", shape=(8, 8), chunks=(2, 8), dtype="i4")[...] = number
    chunks = {f"a{number}": (8, 2) for number in range(30)}

    def plan() -> Rechunked[Any]:
        return rechunk(group, chunks, "1kB", tmp_path / "t", executor="python")

    total = sum(stage.tasks for array in plan().copy_plan.values() for stage in array.stages)
    stop_after(plan(), 17)
    again = plan()
    target = again.execute(resume=True)
    assert again.traffic is not None
    assert (again.traffic.tasks, again.traffic.known) == (total - 17, 17)
    assert all((target[f"a{number}"][...] == number).all() for number in range(30))


def test_arrays_that_are_added_to_a_group(tmp_path: Path) -> None:
    source, there = zarr.create_group(tmp_path / "s"), zarr.create_group(tmp_path / "t")
    for name in ("a", "b"):
        source.create_array(name, shape=(8, 8), chunks=(2, 8), dtype="i4")[...] = 5
    there.create_array("kept", shape=(3,), dtype="i4")[...] = 7
    chunks = {"a": (8, 2), "b": (8, 2)}

    def plan() -> Rechunked[Any]:
        return rechunk(source, chunks, "700B", there, None, tmp_path / "x", executor="python")

    stop_after(plan(), 5)
    assert not [*(tmp_path / "t").glob("*/zarr.json")][1:]
    again = plan()
    target = again.execute(resume=True)
    assert again.traffic is not None
    assert again.traffic.known == 5
    values = {name: int(array[...].flat[-1]) for name, array in target.arrays()}
    assert values == {"a": 5, "b": 5, "kept": 7}
    assert not list((tmp_path / "t").rglob(".rechunker*"))


# What is refused


def test_another_plan_is_refused_and_the_error_says_what_differs(
    source: Any, tmp_path: Path
) -> None:
    stop_after(planned(source, tmp_path / "t", tmp_path / "temp"), 5)
    other = make_source(tmp_path / "other", 1)
    cases: list[tuple[Rechunked[Any], str]] = [
        (
            rechunk(source, (40, 4), "9kB", tmp_path / "t", temp_store=tmp_path / "temp"),
            "max_mem was 8000, is 9000",
        ),
        (
            planned(source, tmp_path / "t", tmp_path / "temp2"),
            "place of temporary objects was .*/temp, is .*/temp2",
        ),
        (planned(other, tmp_path / "t", tmp_path / "temp"), "source was .*/s/, is .*/other/"),
        (
            planned(source, tmp_path / "t", tmp_path / "temp", target_options={"fill_value": 3}),
            "metadata of the target was",
        ),
        (
            rechunk(source, (20, 4), "8kB", tmp_path / "t", temp_store=tmp_path / "temp"),
            r"chunks was \(4, 40\) -> \(40, 4\), is \(4, 40\) -> \(20, 4\)",
        ),
    ]
    for plan, message in cases:
        with pytest.raises(ResumeError, match=message) as caught:
            plan.execute(resume=True)
        assert "holds an unfinished run with other arguments" in str(caught.value)
    assert resume(planned(source, tmp_path / "t", tmp_path / "temp"), source) == (15, 5)


def test_a_source_with_fewer_chunks_is_another_one(tmp_path: Path) -> None:
    source = make_source(tmp_path / "s")
    source[:4] = 0  # which is not stored
    stop_after(planned(source, tmp_path / "t", tmp_path / "temp"), 5)
    (tmp_path / "s" / "c" / "1" / "0").unlink()
    plan = planned(source, tmp_path / "t", tmp_path / "temp")
    with pytest.raises(ResumeError, match=r"stored chunks of the source was 9 \(.*, is 8 \("):
        plan.execute(resume=True)


def test_a_moved_target_is_another_one(source: Any, tmp_path: Path) -> None:
    stop_after(planned(source, tmp_path / "t", tmp_path / "temp"), 5)
    (tmp_path / "t").rename(tmp_path / "t2")
    with pytest.raises(ResumeError, match="target was .*/t, is .*/t2"):
        planned(source, tmp_path / "t2", tmp_path / "temp").execute(resume=True)


@pytest.mark.parametrize("resume", [1, None, "yes"])
def test_resume_is_true_or_false(source: Any, tmp_path: Path, resume: Any) -> None:
    with pytest.raises(TypeError, match="resume must be True or False, got"):
        planned(source, tmp_path / "t", tmp_path / "temp").execute(resume=resume)


# Other computers


@pytest.mark.parametrize(("first", "second"), [((1, 1), (64, 2)), ((8, 16), (1, 1))])
def test_a_computer_with_other_cores_goes_on_with_the_plan_of_the_first(
    source: Any, tmp_path: Path, first: tuple[int, int], second: tuple[int, int]
) -> None:
    def plan(workers: int, threads: int) -> Rechunked[Any]:
        executor = PythonExecutor(threads)
        executor.workers, executor.overhead = workers, workers / 10**6
        return rechunk(
            source, (40, 4), "13kB", tmp_path / "t", temp_store=tmp_path / "x", executor=executor
        )

    old, new = plan(*first), plan(*second)
    grids = [[s.grid for s in p.copy_plan[""].stages] for p in (old, new)]
    assert grids[0] != grids[1], "the plans must differ"
    stop_after(old, 1)
    assert resume(new, source)[1] == 1
    assert [stage.grid for stage in new.copy_plan[""].stages] == grids[0]


def test_a_claim_of_another_computer_is_taken_over(source: Any, tmp_path: Path) -> None:
    stop_after(planned(source, tmp_path / "t", tmp_path / "temp"), 5)
    write_claim(tmp_path / "t", host="elsewhere")
    plan = planned(source, tmp_path / "t", tmp_path / "temp")
    with pytest.raises(TargetInUseError, match=r"call execute\(resume=True\) to go on with it"):
        plan.execute()
    assert resume(plan, source) == (15, 5)


def test_a_run_that_lives_is_not_taken_over(source: Any, tmp_path: Path) -> None:
    second = planned(source, tmp_path / "t", tmp_path / "temp")
    errors = []

    def attempt(*_: int) -> None:
        with pytest.raises(TargetInUseError) as caught:
            second.execute(resume=True)
        errors.append(str(caught.value))

    planned(source, tmp_path / "t", tmp_path / "temp").execute(progress=attempt)
    assert "wait for it, or stop it" in errors[0]


def test_a_run_that_lost_its_claim_neither_deletes_nor_publishes(
    source: Any, tmp_path: Path
) -> None:
    """It is taken for dead, and another one has gone on with it."""
    plan = planned(source, tmp_path / "t", tmp_path / "temp")

    def lose(done: int, *_: int) -> None:
        if done == 12:
            write_claim(tmp_path / "t", host="elsewhere", run="2" * 32)

    with pytest.raises(TargetInUseError, match="was taken over since"):
        plan.execute(progress=lose)
    assert (tmp_path / "t" / CLAIM).exists()
    assert any((tmp_path / "temp").rglob("*"))
    with pytest.raises(FileNotFoundError):
        zarr.open(tmp_path / "t", mode="r")
    _, known = resume(planned(source, tmp_path / "t", tmp_path / "temp"), source)
    assert known >= 12


def write_claim(target: Path, **changes: Any) -> None:
    """Write a claim as another process would."""
    if not (target / CLAIM).exists():
        Claim(LocalStore(target), "", "1" * 32).take(overwrite=False)
    path = target / CLAIM
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


# What is not there any more, or is not what it was


def test_temporary_objects_that_are_gone_are_made_again(source: Any, tmp_path: Path) -> None:
    stop_after(planned(source, tmp_path / "t", tmp_path / "temp"), 14)
    shutil.rmtree(tmp_path / "temp")
    assert resume(planned(source, tmp_path / "t", tmp_path / "temp"), source) == (16, 4)


def temp_objects(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file() and path.name != CLAIM)


def test_temporary_objects_that_were_cut_are_made_again(source: Any, tmp_path: Path) -> None:
    stop_after(planned(source, tmp_path / "t", tmp_path / "temp"), 14)
    objects = temp_objects(tmp_path / "temp")
    for path in objects[:3]:
        os.truncate(path, path.stat().st_size - 1)
    objects[5].unlink()
    assert resume(planned(source, tmp_path / "t", tmp_path / "temp"), source) == (10, 10)


def test_temporary_objects_that_were_altered_are_made_again(source: Any, tmp_path: Path) -> None:
    """Their size is right, so the tasks that read them find the fault; then they are made anew."""
    stop_after(planned(source, tmp_path / "t", tmp_path / "temp"), 14)
    path = temp_objects(tmp_path / "temp")[0]
    content = bytearray(path.read_bytes())
    content[:] = bytes(len(content))
    path.write_bytes(content)
    plan = planned(source, tmp_path / "t", tmp_path / "temp")
    with pytest.raises(CopyError, match="its bytes are not those that were written"):
        plan.execute(resume=True)
    assert resume(plan, source) == (7, 13)


def test_what_complete_stages_have_read_is_not_missed(source: Any, tmp_path: Path) -> None:
    """All is copied, and the run stops before it publishes."""
    plan = planned(source, tmp_path / "t", tmp_path / "temp")
    stop_after(plan, 20)
    shutil.rmtree(tmp_path / "temp")
    assert resume(plan, source) == (0, 20)


def test_files_that_a_computer_has_lost_are_written_again(
    source: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It lost its power: files may be missing or short that were not yet on the disk."""
    stop_after(planned(source, tmp_path / "t", tmp_path / "temp"), 17)
    chunks = sorted(p for p in (tmp_path / "t" / "c").rglob("*") if p.is_file())
    assert len(chunks) == 7
    chunks[2].unlink()
    os.truncate(chunks[4], 0)
    monkeypatch.setattr(holders_of_claims, "boot_id", lambda: "another boot")
    for module in ("records", "journal"):
        monkeypatch.setattr(f"rechunker.stores.{module}.boot_id", lambda: "another boot")
    assert resume(planned(source, tmp_path / "t", tmp_path / "temp"), source) == (5, 15)


def test_a_source_that_changed_while_it_was_read_makes_what_is_done_worthless(
    tmp_path: Path,
) -> None:
    """A chunk that was not there when the plan was made may have been read, or not."""
    source = make_source(tmp_path / "s")
    chunk = tmp_path / "s" / "c" / "7" / "0"
    chunk.rename(tmp_path / "kept")
    plan = planned(source, tmp_path / "t", tmp_path / "temp")

    def put_back(done: int, *_: int) -> None:
        if done == 3:
            (tmp_path / "kept").rename(chunk)

    with pytest.raises(ValueError, match="9 chunks were stored then, 10 are now"):
        plan.execute(progress=put_back)
    chunk.unlink()
    assert resume(plan, source) == (20, 0)


def test_what_an_older_run_writes_down_late_is_not_taken_for_this_ones(
    source: Any, tmp_path: Path
) -> None:
    """Its task is still under way somewhere when a new run starts and clears the target."""
    plan = planned(source, tmp_path / "t", tmp_path / "temp")
    stop_after(plan, 15)
    (log,) = (tmp_path / "t" / JOURNAL / "done").glob("*/*/1")
    stop_after(plan, 2)
    late = Log(
        StorePath(LocalStore(tmp_path / "t"), str(log.relative_to(tmp_path / "t"))), range(1)
    )
    for task in range(COLUMNS):
        late.append(task, 1, 100)
    late.close()
    assert resume(plan, source) == (18, 2)


def test_records_that_are_damaged_or_cut_are_left_out(source: Any, tmp_path: Path) -> None:
    plan = planned(source, tmp_path / "t", tmp_path / "temp")
    stop_after(plan, 8)
    (log,) = (tmp_path / "t" / JOURNAL / "done").glob("*/*/0/0-*")
    content = bytearray(log.read_bytes())
    title = content.index(b"\n") + 1
    content[title] ^= 5  # the number of the first task
    log.write_bytes(content[:-3])
    assert resume(plan, source) == (14, 6)


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"null", b"\xff\xfe", b"{}"])
def test_a_journal_that_cannot_be_read_is_none(source: Any, tmp_path: Path, content: bytes) -> None:
    plan = planned(source, tmp_path / "t", tmp_path / "temp")
    stop_after(plan, 8)
    (tmp_path / "t" / JOURNAL / "plan").write_bytes(content)
    assert resume(plan, source) == (20, 0)


def test_an_array_that_appeared_meanwhile_is_not_mixed_with_the_target(
    source: Any, tmp_path: Path
) -> None:
    for overwrite in (False, True):
        target, options = tmp_path / f"t{overwrite}", {"overwrite": overwrite}
        plan = planned(source, target, tmp_path / "temp", target_options=options)
        stop_after(plan, 15)
        shutil.copy(tmp_path / "s" / "zarr.json", target / "zarr.json")
        if overwrite:
            assert resume(plan, source) == (20, 0)
        else:
            with pytest.raises(FileExistsError, match="was not there when"):
                plan.execute(resume=True)


def test_chunks_that_are_gone_are_written_again(source: Any, tmp_path: Path) -> None:
    plan = planned(source, tmp_path / "t", tmp_path / "temp")
    stop_after(plan, 17)
    (tmp_path / "t" / "c" / "0" / "2").unlink()
    os.truncate(tmp_path / "t" / "c" / "0" / "4", 3)
    assert resume(plan, source) == (5, 15)


def two_arrays(tmp_path: Path) -> tuple[Any, dict[str, Any]]:
    group = zarr.create_group(tmp_path / "s")
    for name in ("a", "b"):
        make_source(tmp_path / "s" / name)
    return group, {"a": (40, 4), "b": (40, 4)}


def test_a_part_of_the_target_that_is_gone_is_written_again(tmp_path: Path) -> None:
    group, chunks = two_arrays(tmp_path)
    zarr.create_group(tmp_path / "t")

    def plan() -> Rechunked[Any]:
        target = zarr.open_group(tmp_path / "t")
        return rechunk(group, chunks, "8kB", target, None, tmp_path / "x", executor="python")

    stop_after(plan(), 38)
    shutil.rmtree(tmp_path / "t" / "b")
    target = plan().execute(resume=True)
    assert all(np.array_equal(target[name][...], group[name][...]) for name in chunks)


@pytest.mark.parametrize("into_group", [False, True])
def test_another_run_in_a_part_of_the_target_is_found(tmp_path: Path, into_group: bool) -> None:
    group, chunks = two_arrays(tmp_path)
    if into_group:
        zarr.create_group(tmp_path / "t")

    def plan() -> Rechunked[Any]:
        target = zarr.open_group(tmp_path / "t") if into_group else tmp_path / "t"
        return rechunk(group, chunks, "8kB", target, None, tmp_path / "x", executor="python")

    stop_after(plan(), 38)
    stop_after(planned(make_source(tmp_path / "y", -5), tmp_path / "t" / "b", tmp_path / "z"), 17)
    again = plan()
    with pytest.raises(ResumeError, match="another run has begun to write to .*/b since"):
        again.execute(resume=True)
    target = again.execute()
    assert all(np.array_equal(target[name][...], group[name][...]) for name in chunks)


def test_a_run_that_dies_while_it_publishes_into_a_group_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    group, chunks = two_arrays(tmp_path)
    zarr.create_group(tmp_path / "t")

    def plan() -> Rechunked[Any]:
        target = zarr.open_group(tmp_path / "t")
        return rechunk(group, chunks, "8kB", target, None, tmp_path / "x", executor="python")

    def fail(*_: Any) -> None:
        raise OSError("no space left")

    with monkeypatch.context() as patch:
        patch.setattr("rechunker.jobs.publishing.access.delete_dir", fail)
        with pytest.raises(OSError, match="no space left"):
            plan().execute()
    again = plan()
    target = again.execute(resume=True)
    assert all(np.array_equal(target[name][...], group[name][...]) for name in chunks)
    assert again.traffic is not None
    assert (again.traffic.tasks, again.traffic.known) == (0, 40)


def test_chunks_that_go_while_a_run_publishes_are_written_again(
    source: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = planned(source, tmp_path / "t", tmp_path / "temp")
    put = access.put

    def fail(store: Any, key: str, value: Any) -> None:
        if key == "zarr.json":
            raise OSError("no space left")
        put(store, key, value)

    with monkeypatch.context() as patch:
        patch.setattr("rechunker.jobs.publishing.access.put", fail)
        with pytest.raises(OSError, match="no space left"):
            plan.execute(verify=True)
    shutil.rmtree(tmp_path / "t" / "c")
    target = planned(source, tmp_path / "t", tmp_path / "temp").execute(resume=True, verify=True)
    np.testing.assert_array_equal(target[...], source[...])


def test_a_target_is_read_again_after_the_computer_was_started_anew(
    source: Any, tmp_path: Path
) -> None:
    """What was read before it stopped may have been in its memory only."""
    plan = rechunk(
        source,
        (40, 4),
        "8kB",
        tmp_path / "t",
        {"compressors": None},
        tmp_path / "temp",
        executor=PythonExecutor(1),
    )
    tasks = [stage.tasks for stage in plan.copy_plan[""].stages]
    stop_after(plan, sum(tasks) + tasks[-1] - 1, verify=True)
    for log in (tmp_path / "t" / JOURNAL / "done").rglob("*-*"):
        _, _, rest = log.read_bytes().partition(b"\n")
        log.write_bytes(b"rechunker journal 1 another boot\n" + rest)
    chunk = tmp_path / "t" / "c" / "0" / "3"
    chunk.write_bytes(bytes(chunk.stat().st_size))  # a block that never reached the disk
    with pytest.raises(VerificationError):
        plan.execute(resume=True, verify=True)
    target = plan.execute(resume=True, verify=True)
    np.testing.assert_array_equal(target[...], source[...])


# The journal itself


def test_a_journal_is_one_object_per_batch(source: Any, tmp_path: Path) -> None:
    """And one with the facts of the plan, which hold no names and passwords."""
    plan = planned(source, tmp_path / "t", tmp_path / "temp")
    stop_after(plan, 20)
    files = [p for p in (tmp_path / "t" / JOURNAL).rglob("*") if p.is_file()]
    assert len(files) == 3
    journal = Journal(StorePath(LocalStore(tmp_path / "t")))
    facts = dict(journal.facts() or {})
    assert facts["max_mem"] == 8000
    assert list(facts["arrays"]) == ["the array"]


def test_a_log_of_a_store_that_cannot_append_is_written_seldom() -> None:
    """A fiftieth of the time goes into it, and an object has a thousand records at most."""
    puts = []

    class Watched(MemoryStore):
        async def set(self, key: str, value: Any, byte_range: Any = None) -> None:
            puts.append(key)
            await super().set(key, value)

    store = Watched()
    log = Log(StorePath(store, "logs"), range(1))
    for task in range(2500):
        log.append(task, 1, 10)
    log.close()
    assert len(puts) < 500
    logs = [parse_log(value.to_bytes())[1] for value in store._store_dict.values()]
    assert sorted(len(records) for records in logs) == [500, 1000, 1000]
    assert sorted(task for records in logs for task in records["task"]) == list(range(2500))


def test_an_error_says_that_the_run_can_go_on(tmp_path: Path) -> None:
    source = zarr.create_array(tmp_path / "s", shape=(8, 8), chunks=(1, 8), dtype="i4")
    source[...] = 1
    (tmp_path / "s/c/7/0").write_bytes(b"damaged")
    notes = []
    places: list[Any] = [tmp_path / "t", {}]
    for place in places:
        plan = rechunk(source, (8, 1), "1MB", place, executor="python")
        with pytest.raises(RuntimeError, match=r"chunk \(7, 0\)") as caught:
            plan.execute()
        notes.append(getattr(caught.value, "__notes__", []))
    assert notes[0] == ["execute(resume=True) goes on with what was done"]
    with pytest.raises(TypeError, match="takes no speed") as refused:
        rechunk(source, (8, 1), "1MB", tmp_path / "u", executor="python").execute(speed=2)
    assert not hasattr(refused.value, "__notes__")

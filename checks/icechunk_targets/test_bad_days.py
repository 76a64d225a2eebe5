"""Runs in sessions of Icechunk that fail, are killed, meet others, or are asked for too much."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import cloudpickle
import icechunk
import numpy as np
import pytest
import zarr
from distributed import Client, LocalCluster
from zarr.abc.store import Store
from zarr.storage import LocalStore, StorePath, WrapperStore

import rechunker
from rechunker.executors.dask import DaskExecutor
from rechunker.running import BatchRunner
from rechunker.stores import find_node
from rechunker.types import CopySpec, Executor, Stage, Traffic, rounds

Engine = Callable[[str], Any]
ENGINES = ("python", "threads", "cluster")


def array_at(place: Any, seed: int = 1, **options: Any) -> zarr.Array[Any]:
    options = {"shape": (40, 30), "chunks": (5, 30), "dtype": "f8", **options}
    array = zarr.create_array(place, **options)
    array[...] = np.random.default_rng(seed).random(array.shape)
    return array


def plan(source: Any, target: Any, executor: Any = "python", **options: Any) -> Any:
    return rechunker.rechunk(source, (40, 3), "1MB", target, options or None, executor=executor)


def root(repo: Any, branch: str = "main") -> Any:
    return find_node(StorePath(repo.readonly_session(branch).store))


class Elsewhere(Executor[Any]):
    """Runs tasks as if they were in another process."""

    def __init__(self, retries: int = 0) -> None:
        self.retries = retries

    def prepare_plan(self, specs: Iterable[CopySpec]) -> Any:
        return rounds(specs)

    def execute_plan(self, plan: Any, **kwargs: Any) -> Traffic:
        def call(stage: Stage) -> Traffic:
            copied: Stage = cloudpickle.loads(cloudpickle.dumps(stage))
            return self.returned(BatchRunner(self.retries)(copied, range(len(copied))))

        return Traffic.total(call(stage) for stages in plan for stage in stages)

    def returned(self, traffic: Traffic) -> Traffic:
        return traffic


class Forgetful(Elsewhere):
    """Says that it returns changes, and loses them."""

    returns_changes = True

    def returned(self, traffic: Traffic) -> Traffic:
        return Traffic.from_counts(traffic.to_counts())


class Returning(Elsewhere):
    """Returns changes, as it says."""

    returns_changes = True


@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize("given", ["session", "repository"])
def test_of_a_run_that_fails_nothing_is_there_to_commit(
    given: str, name: str, repo: Any, engine: Engine, tmp_path: Path
) -> None:
    source, session = array_at(tmp_path / "s"), repo.writable_session("main")
    victim = tmp_path / "s" / "c" / "7" / "0"
    content = victim.read_bytes()
    victim.write_bytes(content[:-3])
    target: Any = session if given == "session" else repo
    planned = plan(source, target, engine(name))
    with pytest.raises(rechunker.CopyError):
        planned.execute()
    assert not session.has_uncommitted_changes or find_node(StorePath(session.store)) is None
    assert root(repo) is None
    victim.write_bytes(content)
    made = planned.execute()
    np.testing.assert_array_equal(made[...], source[...])


class Flaky(WrapperStore[Store]):
    """Fails to read a key once, wherever that is; remembers that by a file."""

    def __init__(self, store: Store, file: Path, key: str) -> None:
        super().__init__(store)
        self._file, self._key = file, key

    def _with_store(self, store: Store) -> Any:
        return type(self)(store, self._file, self._key)

    async def get(self, key: str, *args: Any, **kwargs: Any) -> Any:
        if key == self._key and not self._file.exists():
            self._file.touch()
            raise RuntimeError("once")
        return await super().get(key, *args, **kwargs)


def test_a_task_that_is_tried_again_loses_nothing_of_those_before(
    repo: Any, tmp_path: Path
) -> None:
    values = array_at(tmp_path / "s")[...]
    store = Flaky(LocalStore(tmp_path / "s"), tmp_path / "failed", "c/6/0")
    source = zarr.open_array(store, mode="r")
    planned = rechunker.rechunk(source, (10, 15), "8kB", repo, executor=Returning(retries=1))
    assert planned.copy_plan[""].stages[-1].tasks > 2
    planned.execute()
    assert (tmp_path / "failed").exists()
    np.testing.assert_array_equal(zarr.open_array(repo.readonly_session("main").store), values)


def test_nothing_is_committed_of_a_source_that_changes(repo: Any, tmp_path: Path) -> None:
    source = array_at(tmp_path / "s")
    planned = plan(source, repo)

    def change(*figures: int) -> None:
        array_at(tmp_path / "s", shape=(40, 31), overwrite=True)

    with pytest.raises(ValueError, match="is not what it was"):
        planned.execute(progress=change)
    assert root(repo) is None


def killed(folder: str, name: str) -> None:
    """Execute a plan whose source kills this process when a chunk of it is read."""
    repo = icechunk.Repository.open(icechunk.local_filesystem_storage(folder + "/repo"))
    source = zarr.open_array(Deadly(LocalStore(folder + "/s"), os.getpid()), mode="r")
    executor: Any = "python" if name == "python" else DaskExecutor("threads", workers=1)
    if name == "cluster":
        cluster = LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0")
        executor = DaskExecutor(Client(cluster))
    temp = folder + "/x"
    planned = rechunker.rechunk(source, (40, 3), "8kB", repo, REPLACE, temp, executor=executor)
    assert planned.copy_plan[""].stages[0].tasks > 2
    planned.execute()


class Deadly(WrapperStore[Store]):
    """Kills a process when a chunk is read."""

    def __init__(self, store: Store, process: int) -> None:
        super().__init__(store)
        self._process = process

    def _with_store(self, store: Store) -> Any:
        return type(self)(store, self._process)

    async def get(self, key: str, *args: Any, **kwargs: Any) -> Any:
        if key == "c/5/0":
            os.kill(self._process, signal.SIGKILL)
            time.sleep(10)
        return await super().get(key, *args, **kwargs)


REPLACE = {"overwrite": True}


@pytest.mark.parametrize("name", ENGINES)
def test_of_a_run_that_is_killed_nothing_is_committed_and_it_runs_again(
    name: str, repo: Any, engine: Engine, tmp_path: Path
) -> None:
    session = repo.writable_session("main")
    old = array_at(session.store, 5)[...]
    session.commit("old")
    source = array_at(tmp_path / "s")
    run = [sys.executable, __file__, str(tmp_path), name]
    # A pipe would stay open as long as the workers live.
    with (tmp_path / "errors").open("w") as errors:
        done = subprocess.run(run, stdout=errors, stderr=errors)
    assert done.returncode == -signal.SIGKILL, (tmp_path / "errors").read_text()
    assert len(list(repo.ancestry(branch="main"))) == 2
    np.testing.assert_array_equal(zarr.open_array(repo.readonly_session("main").store), old)
    temp, executor = tmp_path / "x", engine(name)
    planned = rechunker.rechunk(source, (40, 3), "8kB", repo, REPLACE, temp, executor=executor)
    made = planned.execute(resume=True)
    np.testing.assert_array_equal(made[...], source[...])
    assert [found.kind for found in rechunker.clean(temp)] == ["temporary objects"]
    assert not [path for path in temp.rglob("*") if path.is_file()]


def test_each_run_has_temporary_objects_of_its_own_and_deletes_them(
    repo: Any, tmp_path: Path
) -> None:
    source, temp = array_at(tmp_path / "s"), tmp_path / "x"
    session = repo.writable_session("main")
    planned = [
        rechunker.rechunk(source, (40, 3), "10kB", session, REPLACE, temp, executor="python")
        for _ in range(2)
    ]
    seen: list[set[str]] = []

    def stop(done: int, *others: int) -> None:
        if done == 4:
            seen.append({path.name for path in temp.iterdir()})
            assert rechunker.leftovers(temp) == ()  # a run goes on
            raise KeyboardInterrupt

    for each in planned:
        with pytest.raises(KeyboardInterrupt):
            each.execute(progress=stop)
        assert not [path for path in temp.rglob("*") if path.is_file()]
    assert len(set.union(*seen)) == 2


def test_what_is_there_is_not_replaced_unless_that_is_asked_for(repo: Any, tmp_path: Path) -> None:
    source, session = array_at(tmp_path / "s"), repo.writable_session("main")
    old = array_at(session.store, 5)[...]
    with pytest.raises(FileExistsError, match="overwrite"):
        plan(source, session)
    session.commit("old")
    with pytest.raises(FileExistsError, match="overwrite"):
        plan(source, repo)
    np.testing.assert_array_equal(zarr.open_array(repo.readonly_session("main").store), old)


@pytest.mark.parametrize("given", ["session", "repository"])
def test_what_appears_after_the_plan_was_made_stays(given: str, repo: Any, tmp_path: Path) -> None:
    source, session = array_at(tmp_path / "s"), repo.writable_session("main")
    planned = plan(source, session if given == "session" else repo)
    old = array_at(session.store, 5)[...]
    if given == "repository":
        session.commit("old")
    with pytest.raises(FileExistsError, match="was not there when"):
        planned.execute()
    store = session.store if given == "session" else repo.readonly_session("main").store
    np.testing.assert_array_equal(zarr.open_array(store, mode="r"), old)


def test_a_run_commits_nothing_if_others_have(repo: Any, tmp_path: Path) -> None:
    session = repo.writable_session("main")
    zarr.create_group(session.store).create_array("other", shape=(4,), chunks=(2,), dtype="i4")
    session.commit("before")
    source = zarr.create_group(tmp_path / "s")
    array_at(StorePath(source.store, "a"))
    planned = rechunker.rechunk(
        source, {"a": (40, 3)}, "1MB", repo, {"overwrite": True}, executor="python"
    )

    def meet(done: int, *others: int) -> None:
        if done == 1:
            session = repo.writable_session("main")
            zarr.open_array(session.store, path="other")[...] = 7
            session.commit("in the meantime")

    with pytest.raises(rechunker.TargetInUseError, match="others have made a commit"):
        planned.execute(progress=meet)
    assert next(iter(repo.ancestry(branch="main"))).message == "in the meantime"


def test_a_plan_is_not_executed_twice_at_a_time(repo: Any, tmp_path: Path) -> None:
    planned = plan(array_at(tmp_path / "s"), repo)
    errors: list[BaseException] = []

    def again() -> None:
        try:
            planned.execute()
        except rechunker.TargetInUseError as error:
            errors.append(error)

    def meet(done: int, *others: int) -> None:
        if done == 1:
            thread = threading.Thread(target=again)
            thread.start()
            thread.join()

    planned.execute(progress=meet)
    assert "is being executed" in str(errors[0])
    assert len(list(repo.ancestry(branch="main"))) == 2


def test_executors_that_lose_changes_are_refused_or_found_out(repo: Any, tmp_path: Path) -> None:
    source, session = array_at(tmp_path / "s"), repo.writable_session("main")
    with pytest.raises(ValueError, match="Elsewhere cannot hand back to it what its tasks write"):
        plan(source, session, Elsewhere())
    with pytest.raises(RuntimeError, match=r"\d of \d tasks of the stage .* not handed back"):
        plan(source, session, Forgetful()).execute()
    assert find_node(StorePath(session.store)) is None
    made = plan(source, session, Returning()).execute()
    np.testing.assert_array_equal(made[...], source[...])


def test_a_plan_is_not_run_without_its_session(repo: Any, client: Any, tmp_path: Path) -> None:
    source = array_at(tmp_path / "s")
    with pytest.raises(Exception, match=r"run the plan with Rechunked.execute\(\)"):
        plan(source, repo).plan()
    planned = plan(source, repo, DaskExecutor(client))
    with pytest.raises(Exception, match=r"run the plan with Rechunked.execute\(\)"):
        client.compute(planned.plan).result()
    assert root(repo) is None


def test_sessions_that_cannot_be_written_to_are_refused(repo: Any, tmp_path: Path) -> None:
    source, session = array_at(tmp_path / "s"), repo.writable_session("main")
    store = session.store
    array_at(StorePath(store, "a"))
    session.commit("over")
    for target in (session, store, repo.readonly_session("main")):
        with pytest.raises(ValueError, match="read-only, or was committed"):
            plan(source, target)
    with pytest.raises(ValueError, match="no branch 'nowhere', only main"):
        plan(source, (repo, "nowhere"))
    with pytest.raises(TypeError, match="a string, got 3"):
        plan(source, (repo, 3))
    with pytest.raises(ValueError, match="temp_store .* arrays and groups alone"):
        rechunker.rechunk(
            source, (40, 3), "1MB", tmp_path / "t", temp_store=repo, executor="python"
        )


def test_a_repository_in_memory_is_not_sent_elsewhere(
    engine: Engine, repo: Any, tmp_path: Path
) -> None:
    memory = icechunk.Repository.create(icechunk.in_memory_storage())
    with pytest.raises(ValueError, match="the target store .* memory of this process"):
        plan(array_at(tmp_path / "s"), memory, engine("cluster"))
    session = memory.writable_session("main")
    array_at(StorePath(session.store, "s"))
    session.commit("source")
    source = zarr.open_array(memory.readonly_session("main").store, path="s")
    with pytest.raises(ValueError, match="the source store .* memory of this process"):
        plan(source, repo, engine("cluster"))
    session = memory.writable_session("main")
    zarr.create_group(session.store, path="changed")
    there = StorePath(session.store, "a")
    with pytest.raises(ValueError, match="memory of this process|version 1 of Icechunk"):
        plan(array_at(tmp_path / "s", overwrite=True), there, engine("cluster")).execute()


def test_a_source_in_a_session_that_is_written_to_is_read_in_this_process(
    engine: Engine, repo: Any, tmp_path: Path
) -> None:
    session = repo.writable_session("main")
    source = array_at(StorePath(session.store, "a"))
    with pytest.raises(ValueError, match="are one place|is the source"):
        plan(source, StorePath(session.store, "a"), overwrite=True)
    with pytest.raises(ValueError, match=r"open the source from repository.readonly_session"):
        plan(source, tmp_path / "t", engine("cluster"))
    made = plan(source, StorePath(session.store, "b")).execute()
    np.testing.assert_array_equal(made[...], source[...])


def test_a_session_is_verified_by_its_user(repo: Any, tmp_path: Path) -> None:
    planned = plan(array_at(tmp_path / "s"), repo)
    with pytest.raises(ValueError, match=r"rechunker.verify\(source, target\)"):
        planned.execute(verify=True)
    assert root(repo) is None


def test_the_session_of_somebody_else_sees_nothing_of_a_run(repo: Any, tmp_path: Path) -> None:
    source, seen = array_at(tmp_path / "s"), []
    planned = rechunker.rechunk(
        source, (40, 3), "10kB", repo, temp_store=tmp_path / "x", executor="python"
    )

    def look(*figures: int) -> None:
        seen.append(root(repo))

    planned.execute(progress=look)
    assert len(seen) > 2
    assert set(seen) == {None}


if __name__ == "__main__":
    killed(*sys.argv[1:])

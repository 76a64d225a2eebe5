"""Targets in sessions of Icechunk: what is written where, and when others see it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import icechunk
import numpy as np
import pytest
import zarr
from sources import CHUNKS, MAX_MEM, assert_equal, make, opened
from zarr.storage import LoggingStore, StorePath

import rechunker

KINDS = ("array", "group", "dataset")
ENGINES = ("python", "threads", "cluster")

Engine = Callable[[str], Any]


def array_at(place: Any, seed: int = 1, **options: Any) -> zarr.Array[Any]:
    options = {"shape": (40, 30), "chunks": (5, 30), "dtype": "f8", **options}
    array = zarr.create_array(place, **options)
    array[...] = np.random.default_rng(seed).random(array.shape)
    return array


def committed(repo: Any, branch: str = "main") -> Any:
    return repo.readonly_session(branch).store


def plan(source: Any, target: Any, folder: Path, executor: Any = "python", **options: Any) -> Any:
    temp = folder / "temp"
    kind = (40, 3)
    return rechunker.rechunk(
        source, kind, MAX_MEM, target, options or None, temp_store=temp, executor=executor
    )


@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize("kind", KINDS)
def test_a_target_is_written_to_a_session_that_its_user_commits(
    kind: str, name: str, repo: Any, engine: Engine, tmp_path: Path
) -> None:
    make(kind, tmp_path / "s")
    source, session = opened(kind, tmp_path / "s"), repo.writable_session("main")
    temp = tmp_path / "temp"
    planned = rechunker.rechunk(
        source, CHUNKS[kind], MAX_MEM, session, temp_store=temp, executor=engine(name)
    )
    assert (planned.intermediate is not None) == (kind == "array")
    assert not session.has_uncommitted_changes
    target = planned.execute()
    assert target.store == session.store
    assert_equal(kind, source, opened(kind, session.store))
    assert not [path for path in temp.rglob("*") if path.is_file()]
    assert rechunker.leftovers(session) == ()
    with pytest.raises(FileNotFoundError):
        zarr.open(committed(repo), mode="r")
    session.commit("rechunked")
    assert_equal(kind, source, opened(kind, committed(repo)))


@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize("kind", KINDS)
def test_a_target_is_committed_to_a_branch_of_a_repository(
    kind: str, name: str, repo: Any, engine: Engine, tmp_path: Path
) -> None:
    """The source lies in the repository, too: what was committed before does not change."""
    session = repo.writable_session("main")
    make(kind, session.store)
    session.commit("source")
    repo.create_branch("wide", repo.lookup_branch("main"))
    source, options = opened(kind, committed(repo)), {"overwrite": True}
    planned = rechunker.rechunk(
        *(source, CHUNKS[kind], MAX_MEM, (repo, "wide"), options),
        temp_store=tmp_path / "temp",
        executor=engine(name),
    )
    target = planned.execute()
    assert target.read_only
    assert_equal(kind, source, opened(kind, committed(repo, "wide")))
    messages = [snapshot.message for snapshot in repo.ancestry(branch="wide")]
    assert len(messages) == 3
    assert messages[0].startswith("Rechunk ")
    assert planned.traffic is not None
    assert planned.traffic.changes == ()
    assert planned.report is not None


@pytest.mark.parametrize("name", ENGINES)
def test_an_array_is_rechunked_in_its_place(
    name: str, repo: Any, engine: Engine, tmp_path: Path
) -> None:
    session = repo.writable_session("main")
    values = array_at(StorePath(session.store, "a"))[...]
    array_at(StorePath(session.store, "ab"), 2)
    session.commit("source")
    source, session = zarr.open_array(committed(repo), path="a"), repo.writable_session("main")
    place = StorePath(session.store, "a")
    target = plan(source, place, tmp_path, engine(name), overwrite=True).execute()
    session.commit("rechunked")
    np.testing.assert_array_equal(zarr.open_array(committed(repo), path="a")[...], values)
    assert target.chunks == (40, 3)
    assert source.chunks == (5, 30)
    np.testing.assert_array_equal(source[...], values)
    keys = sorted(rechunker.stores.access.find_keys(committed(repo), "a/", bool))
    assert len(keys) == 11
    assert zarr.open_array(committed(repo), path="ab").chunks == (5, 30)


@pytest.mark.parametrize("name", ENGINES)
def test_arrays_are_added_to_a_group_of_a_session_with_changes(
    name: str, repo: Any, engine: Engine, tmp_path: Path
) -> None:
    session, source = repo.writable_session("main"), array_at(tmp_path / "s")
    group = zarr.create_group(session.store, path="deep/group", attributes={"title": "mine"})
    if name == "cluster" and icechunk.__version__ < "2":
        with pytest.raises(ValueError, match="uncommitted changes, which version 1 of Icechunk"):
            rechunker.rechunk(source, (40, 3), "1MB", group, executor=engine(name), array_name="a")
        session.commit("group")
        session = repo.writable_session("main")
        group = zarr.open_group(session.store, path="deep/group")
    rechunker.rechunk(
        source, (40, 3), "1MB", group, executor=engine(name), array_name="a"
    ).execute()
    session.commit("rechunked")
    found = zarr.open_group(committed(repo), path="deep/group", mode="r")
    assert dict(found.attrs) == {"title": "mine"}
    array: Any = found["a"]
    np.testing.assert_array_equal(array[...], source[...])


def test_a_wrapper_around_the_store_is_asked(repo: Any, tmp_path: Path) -> None:
    session, source = repo.writable_session("main"), array_at(tmp_path / "s")
    store = LoggingStore(session.store, log_level="ERROR")
    plan(source, store, tmp_path).execute()
    assert store.counter["set"] == 11
    np.testing.assert_array_equal(zarr.open_array(session.store)[...], source[...])


@pytest.mark.parametrize("name", ENGINES)
def test_a_plan_runs_again_and_in_its_own_session_each_time(
    name: str, repo: Any, engine: Engine, tmp_path: Path
) -> None:
    source = array_at(tmp_path / "s")
    planned = plan(source, repo, tmp_path, engine(name), overwrite=True)
    session = repo.writable_session("main")
    array_at(session.store, 5)
    session.commit("somebody else, since the plan was made")
    planned.execute()
    planned.execute(resume=True)
    np.testing.assert_array_equal(zarr.open_array(committed(repo))[...], source[...])
    assert len(list(repo.ancestry(branch="main"))) == 4


def test_arrays_of_zarr_format_2_become_format_3(repo: Any, tmp_path: Path) -> None:
    source = array_at(tmp_path / "s", zarr_format=2)
    target = plan(source, repo, tmp_path).execute()
    assert target.metadata.zarr_format == 3
    np.testing.assert_array_equal(target[...], source[...])
    with pytest.raises(ValueError, match="zarr_format"):
        plan(source, repo.writable_session("main"), tmp_path, zarr_format=2)


def test_shards_and_their_chunks_are_counted_as_planned(repo: Any, tmp_path: Path) -> None:
    source = array_at(tmp_path / "s")
    planned = plan(source, repo, tmp_path, shards=(40, 6))
    planned.execute()
    stages = [stage for stage in planned.report.stages if stage.predicted is not None]
    counts = [(stage.executed.puts, stage.executed.gets) for stage in stages]
    assert counts == [(stage.predicted.puts, stage.predicted.gets) for stage in stages]
    assert counts[-1][0] == 5
    np.testing.assert_array_equal(zarr.open_array(committed(repo))[...], source[...])


def test_a_target_in_memory_is_written_in_this_process(tmp_path: Path) -> None:
    repo = icechunk.Repository.create(icechunk.in_memory_storage())
    source = array_at(tmp_path / "s")
    plan(source, repo, tmp_path).execute()
    np.testing.assert_array_equal(zarr.open_array(committed(repo))[...], source[...])


def test_what_is_in_a_session_is_verified_before_it_is_committed(repo: Any, tmp_path: Path) -> None:
    source, session = array_at(tmp_path / "s"), repo.writable_session("main")
    target = plan(source, session, tmp_path).execute()
    assert rechunker.verify(source, target, executor="python")
    assert rechunker.verify(source, session, executor="python")

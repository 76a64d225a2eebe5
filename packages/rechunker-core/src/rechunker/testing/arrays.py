"""Tests that rechunk arrays from end to end with an executor."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pytest
import zarr
from zarr.storage import LocalStore, LoggingStore, MemoryStore, WrapperStore, ZipStore

import rechunker
from rechunker.testing.engine import EngineTests
from rechunker.testing.recorder import Recorder
from rechunker.testing.stores import LoggedStore
from rechunker.testing.work import Repeating
from rechunker.types import CopySpec, Executor, Stage

__all__ = ["ArrayTests"]

Shape = tuple[int, ...]

# Shape, source chunks, target chunks and max_mem: the two chunk grids share hardly any edge.
ENTANGLED: list[tuple[Shape, Shape, Shape, str]] = [
    ((400, 400), (10, 100), (400, 7), "40kB"),
    ((1000,), (3,), (10,), "400B"),
    ((600, 40, 40), (7, 40, 40), (600, 5, 5), "200kB"),
]

# Functions that create a store whose data other processes cannot see, given an empty folder.
PROCESS_LOCAL: dict[str, Callable[[Path], Any]] = {
    "dict": lambda folder: {},
    "MemoryStore": lambda folder: MemoryStore(),
    "memory://": lambda folder: f"memory://{folder.name}",
    "ZipStore": lambda folder: ZipStore(folder / "a.zip", mode="w"),
    "wrapped": lambda folder: WrapperStore(MemoryStore()),
    "wrapped twice": lambda folder: LoggingStore(WrapperStore(MemoryStore())),
}


def make(store: Any, shape: Shape, chunks: Shape, **options: Any) -> zarr.Array[Any]:
    """Return an array that has no zeros, unlike its fill value: elements not copied are noticed."""
    array = zarr.create_array(
        store, shape=shape, chunks=chunks, dtype="i4", fill_value=0, **options
    )
    array[...] = values(shape)
    return array


def values(shape: Shape) -> npt.NDArray[Any]:
    """Return the values of the array that `make` creates."""
    return np.random.default_rng(0).integers(1, 1000, shape, "i4")


def snapshot(folder: Path) -> dict[Path, bytes]:
    """Return the contents of all files below a folder, by path."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


class ArrayTests(EngineTests):
    """Part of `rechunker.testing.ExecutorTests`."""

    repeats: ClassVar[int] = 20

    def plan(
        self,
        engine: Executor[Any],
        source: Any,
        chunks: Any,
        max_mem: int | str,
        folder: Path,
        **options: Any,
    ) -> rechunker.Rechunked[Any]:
        """Plan a rechunking with the target and temporary objects in `folder`."""
        stores = {"target_store": folder / "target.zarr", "temp_store": folder / "temp", **options}
        return rechunker.rechunk(source, chunks, max_mem, executor=engine, **stores)

    def copy(
        self,
        engine: Executor[Any],
        source: Any,
        chunks: Any,
        max_mem: int | str,
        folder: Path,
        **options: Any,
    ) -> Mapping[str, Any]:
        """Rechunk, compare target and source, and return the `RechunkPlan` of each array."""
        rechunked = self.plan(engine, source, chunks, max_mem, folder, **options)
        target: Any = rechunked.execute(**self.options)
        for name in rechunked.copy_plan:
            old, new = (source[name], target[name]) if name else (source, target)
            np.testing.assert_array_equal(new[...], old[...])
            assert not (folder / "temp").exists() or not any((folder / "temp").rglob("*"))
        return rechunked.copy_plan

    def test_direct_copy(self, engine: Executor[Any], tmp_path: Path) -> None:
        source = make(tmp_path / "s", (60, 40), (10, 40))
        assert self.copy(engine, source, (60, 8), "1MB", tmp_path)[""].hops == 0

    def test_several_tasks_copy(self, engine: Executor[Any], tmp_path: Path) -> None:
        source = make(tmp_path / "s", (600, 40), (10, 40))
        plans = self.copy(engine, source, (20, 40), "10kB", tmp_path)
        assert plans[""].stages[0].tasks > 10

    def test_one_hop(self, engine: Executor[Any], tmp_path: Path) -> None:
        source = make(tmp_path / "s", (400, 400), (10, 100))
        assert self.copy(engine, source, (400, 7), "80kB", tmp_path)[""].hops == 1

    def test_several_hops(self, engine: Executor[Any], tmp_path: Path) -> None:
        source = make(tmp_path / "s", (600, 40, 40), (7, 40, 40))
        assert self.copy(engine, source, (600, 5, 5), "200kB", tmp_path)[""].hops > 1

    def test_chunks_that_the_edge_cuts(self, engine: Executor[Any], tmp_path: Path) -> None:
        source = make(tmp_path / "s", (53, 41), (9, 13))
        self.copy(engine, source, (50, 3), "12kB", tmp_path)

    @pytest.mark.parametrize("shape", [(), (0,), (0, 5), (1,)])
    def test_no_axes_and_no_elements(
        self, engine: Executor[Any], shape: Shape, tmp_path: Path
    ) -> None:
        source = make(tmp_path / "s", shape, (1,) * len(shape))
        self.copy(engine, source, (2,) * len(shape), "1MB", tmp_path)

    def test_shards(self, engine: Executor[Any], tmp_path: Path) -> None:
        source = make(tmp_path / "s", (60, 40), (5, 5), shards=(10, 20))
        options = {"shards": (30, 20)}
        self.copy(engine, source, (30, 2), "30kB", tmp_path, target_options=options)

    def test_many_arrays(self, engine: Executor[Any], tmp_path: Path) -> None:
        group = zarr.create_group(tmp_path / "s")
        for i in range(10):
            make(group.store_path / f"deep/a{i}", (60 + i, 50), (1 + i, 50))
        chunks = {f"deep/a{i}": (60, 1 + i) for i in range(10)}
        plans = self.copy(engine, group, chunks, 6000, tmp_path)
        assert {plan.hops for plan in plans.values()} >= {0, 1}

    @pytest.mark.parametrize(("shape", "chunks", "wanted", "max_mem"), ENTANGLED)
    def test_no_data_is_lost_where_chunks_overlap(
        self,
        engine: Executor[Any],
        shape: Shape,
        chunks: Shape,
        wanted: Shape,
        max_mem: str,
        tmp_path: Path,
    ) -> None:
        source = make(tmp_path / "s", shape, chunks)
        for i in range(self.repeats):
            self.copy(engine, source, wanted, max_mem, tmp_path / str(i))

    def test_planning_writes_nothing(self, engine: Executor[Any], tmp_path: Path) -> None:
        source = make(tmp_path / "s", (60, 50), (1, 50))
        before = snapshot(tmp_path)
        self.plan(engine, source, (60, 1), 2000, tmp_path)
        assert snapshot(tmp_path) == before
        assert [path.name for path in tmp_path.iterdir()] == ["s"]

    def test_every_object_is_written_once(self, engine: Executor[Any], tmp_path: Path) -> None:
        source = make(tmp_path / "s", (400, 40), (10, 10))
        (tmp_path / "log").mkdir()
        target, temp = (
            LoggedStore(LocalStore(tmp_path / name), tmp_path / "log") for name in ("t", "temp")
        )
        plans = self.copy(
            engine, source, (400, 3), "15kB", tmp_path, target_store=target, temp_store=temp
        )
        # Claims and marks say who writes where, and are deleted again.
        puts = {key: n for key, n in target.puts().items() if ".rechunker-claim" not in key}
        assert set(puts.values()) == {1}
        assert len(puts) == 1 + sum(stage.puts for stage in plans[""].stages)

    def test_a_failure_leaves_a_target_that_does_not_open(
        self, engine: Executor[Any], tmp_path: Path
    ) -> None:
        source = make(tmp_path / "s", (60, 50), (1, 50))
        (tmp_path / "s" / "c" / "30" / "0").write_bytes(b"nonsense")
        rechunked = self.plan(engine, source, (60, 1), 2000, tmp_path)
        with pytest.raises(Exception, match="Zstandard"):
            rechunked.execute(**self.options)
        with pytest.raises(FileNotFoundError):
            zarr.open(tmp_path / "target.zarr", mode="r")

    def test_execution_goes_through_when_the_cause_is_gone(
        self, engine: Executor[Any], tmp_path: Path
    ) -> None:
        source = make(tmp_path / "s", (60, 50), (1, 50))
        chunk = tmp_path / "s" / "c" / "30" / "0"
        content = chunk.read_bytes()
        chunk.write_bytes(b"nonsense")
        rechunked = self.plan(engine, source, (60, 1), 2000, tmp_path)
        with pytest.raises(Exception, match="Zstandard"):
            rechunked.execute(**self.options)
        chunk.write_bytes(content)
        target: Any = rechunked.execute(**self.options)
        np.testing.assert_array_equal(target[...], source[...])

    def test_what_is_replaced_stays_until_execution(
        self, engine: Executor[Any], tmp_path: Path
    ) -> None:
        source = make(tmp_path / "s", (60, 50), (1, 50))
        make(tmp_path / "target.zarr", (3, 3), (1, 1))
        options = {"overwrite": True}
        rechunked = self.plan(engine, source, (60, 1), 2000, tmp_path, target_options=options)
        assert zarr.open_array(tmp_path / "target.zarr").shape == (3, 3)
        rechunked.execute(**self.options)
        np.testing.assert_array_equal(zarr.open_array(tmp_path / "target.zarr")[...], source[...])

    def test_traffic_is_what_was_planned(self, engine: Executor[Any], tmp_path: Path) -> None:
        source = make(tmp_path / "s", (60, 50), (1, 50))
        rechunked = self.plan(engine, source, (60, 1), 2000, tmp_path)
        rechunked.execute(**self.options)
        stages = rechunked.copy_plan[""].stages
        if rechunked.traffic is not None:  # counting is optional
            done = (rechunked.traffic.tasks, rechunked.traffic.gets, rechunked.traffic.puts)
            assert done == tuple(
                sum(getattr(stage, name) for stage in stages) for name in ("tasks", "gets", "puts")
            )
            nbytes = sum(stage.bytes_written for stage in stages)
            assert rechunked.traffic.bytes_written == nbytes

    def test_tasks_may_be_run_twice(self, engine: Executor[Any], tmp_path: Path) -> None:
        source = make(tmp_path / "s", (400, 40), (10, 10))
        specs = self.plan(Recorder(engine), source, (400, 3), "15kB", tmp_path).plan
        self.run(engine, map(doubled, specs))
        np.testing.assert_array_equal(zarr.open_array(tmp_path / "target.zarr")[...], source[...])

    def test_tasks_are_small_however_many_chunks_there_are(
        self, engine: Executor[Any], tmp_path: Path
    ) -> None:
        sizes = [self.pickled(engine, n, tmp_path / str(n)) for n in (1000, 1_000_000)]
        assert max(sizes) < 6000
        assert abs(sizes[1] - sizes[0]) < 1000

    def pickled(self, engine: Executor[Any], chunks: int, folder: Path) -> int:
        """Return the bytes of the largest pickled stage for an array of `chunks` chunks."""
        source = zarr.create_array(folder / "s", shape=(10, chunks), chunks=(10, 1), dtype="i4")
        specs = self.plan(Recorder(engine), source, (1, 500), "100kB", folder).plan
        stages = [stage for spec in specs for stage in spec.stages if stage.nbytes]
        assert sum(stage.tasks for stage in stages) > chunks / 10_000
        return max(len(pickle.dumps(stage)) for stage in stages)

    @pytest.mark.parametrize(
        ("kind", "role"),
        [
            (kind, role)
            for kind in PROCESS_LOCAL
            for role in ("source", "target_store", "temp_store")
            if (kind, role) != ("ZipStore", "temp_store")  # refused: it cannot delete objects
        ],
    )
    def test_stores_of_one_process_are_refused_unless_memory_is_shared(
        self, engine: Executor[Any], kind: str, role: str, tmp_path: Path
    ) -> None:
        stores: dict[str, Any] = {"source": tmp_path / "s", role: PROCESS_LOCAL[kind](tmp_path)}
        source = make(stores.pop("source"), (60, 50), (1, 50))
        if engine.shares_memory:
            self.copy(engine, source, (60, 1), 2000, tmp_path, **stores)
        else:
            with pytest.raises(ValueError, match="in the memory of this process"):
                self.plan(engine, source, (60, 1), 2000, tmp_path, **stores)


def doubled(spec: CopySpec) -> CopySpec:
    """Return a copy spec that runs each task twice, except tasks that start or finish the plan."""
    return replace(spec, stages=tuple(map(twice, spec.stages)))


def twice(stage: Stage) -> Stage:
    """Return a stage that runs each task twice."""
    if not stage.nbytes:
        return stage
    return replace(stage, tasks=2 * stage.tasks, work=Repeating(stage.work, stage.tasks))

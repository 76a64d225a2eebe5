"""Tests that rechunk arrays from end to end with an executor."""

from __future__ import annotations

import pickle
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
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
from rechunker.testing.work import Repeating, Telling
from rechunker.types import CopySpec, Executor, Stage

__all__ = ["ArrayTests"]

Shape = tuple[int, ...]

# Shape, source chunks and target chunks of arrays of all kinds, by name.
KINDS: dict[str, tuple[Shape, Shape, Shape]] = {
    "direct": ((60, 40), (10, 40), (60, 8)),
    "several tasks": ((3000, 40), (40, 40), (80, 40)),
    "hops/one": ((400, 400), (10, 100), (400, 7)),
    "hops/several": ((1000, 20, 20), (4, 20, 20), (1000, 2, 2)),
    "chunks that the edge cuts": ((53, 41), (9, 13), (50, 3)),
    "shapes/no axes": ((), (), ()),
    "shapes/no elements": ((0,), (1,), (2,)),
    "shapes/one axis of none": ((0, 5), (1, 1), (2, 2)),
    "shapes/one element": ((1,), (1,), (2,)),
    "shards": ((60, 40), (5, 5), (30, 2)),
}

# Shape, source chunks, target chunks and max_mem: the two chunk grids share hardly any edge.
ENTANGLED: list[tuple[Shape, Shape, Shape, str]] = [
    ((400, 400), (10, 100), (400, 7), "40kB"),
    ((600,), (3,), (10,), "560B"),
    ((210, 30, 30), (7, 30, 30), (210, 5, 5), "75kB"),
]

# Functions that create a store whose data other processes cannot see, given a path of its own.
PROCESS_LOCAL: dict[str, Callable[[Path], Any]] = {
    "dict": lambda path: {},
    "MemoryStore": lambda path: MemoryStore(),
    "memory://": lambda path: f"memory:/{path}",
    "ZipStore": lambda path: ZipStore(path.with_suffix(".zip"), mode="w"),
    "wrapped": lambda path: WrapperStore(MemoryStore()),
    "wrapped twice": lambda path: LoggingStore(WrapperStore(MemoryStore())),
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

    repeats: ClassVar[int] = 2

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

    def specs(self, engine: Executor[Any], *args: Any, **options: Any) -> Iterator[CopySpec]:
        """Return the copy specs that the executor would get; parameters are those of `plan`."""
        specs: Iterable[CopySpec] = self.plan(Recorder(engine), *args, **options).plan
        return iter(specs)

    def test_an_array(self, engine: Executor[Any], tmp_path: Path) -> None:
        source = make(tmp_path / "s", (400, 400), (10, 100))
        rechunked = self.plan(engine, source, (400, 7), "80kB", tmp_path)
        target: Any = rechunked.execute(**self.options)
        np.testing.assert_array_equal(target[...], source[...])
        assert not any((tmp_path / "temp").rglob("*"))
        stages = rechunked.copy_plan[""].stages
        assert rechunked.copy_plan[""].hops == 1
        if rechunked.traffic is not None:  # counting is optional, but has to be right
            done = (rechunked.traffic.tasks, rechunked.traffic.gets, rechunked.traffic.puts)
            assert done == tuple(
                sum(getattr(stage, name) for stage in stages) for name in ("tasks", "gets", "puts")
            )
            nbytes = sum(stage.bytes_written for stage in stages)
            assert rechunked.traffic.bytes_written == nbytes

    def test_a_group_of_arrays_of_all_kinds(self, engine: Executor[Any], tmp_path: Path) -> None:
        engine.overhead = 0.0  # plans for an engine that takes long for each task have fewer hops
        source = zarr.create_group(tmp_path / "s")
        for name, (shape, chunks, _) in KINDS.items():
            options = {"shards": (10, 20)} if name == "shards" else {}
            make(source.store_path / name, shape, chunks, **options)
        rechunked = self.plan(
            engine,
            source,
            {name: wanted for name, (_, _, wanted) in KINDS.items()},
            "40kB",
            tmp_path,
            target_options={"shards": {"shards": (30, 20)}},
        )
        target: Any = rechunked.execute(**self.options)
        assert not differing({name: (source[name], target[name]) for name in KINDS})
        assert not any((tmp_path / "temp").rglob("*"))
        plans = rechunked.copy_plan
        assert (plans["direct"].hops, plans["hops/one"].hops) == (0, 1)
        assert plans["hops/several"].hops > 1
        assert plans["several tasks"].stages[0].tasks > 10

    def test_no_data_is_lost_where_chunks_overlap(
        self, engine: Executor[Any], tmp_path: Path
    ) -> None:
        specs: list[CopySpec] = []
        pairs: dict[str, tuple[Any, Path]] = {}
        for number, (shape, chunks, wanted, max_mem) in enumerate(ENTANGLED):
            source = make(tmp_path / f"s{number}", shape, chunks)
            for i in range(self.repeats):
                folder = tmp_path / f"{number} {i}"
                specs += self.specs(engine, source, wanted, max_mem, folder)
                pairs[folder.name] = source, folder / "target.zarr"
        self.run(engine, specs)  # one plan, since some engines take seconds to start
        assert not differing({name: (s, zarr.open_array(t)) for name, (s, t) in pairs.items()})

    def test_every_object_is_written_by_one_task(
        self, engine: Executor[Any], tmp_path: Path
    ) -> None:
        specs: list[CopySpec] = []
        stores: list[LoggedStore] = []
        planned = 0
        for number, (shape, chunks, wanted, max_mem) in enumerate(ENTANGLED):
            folder = tmp_path / str(number)
            source = make(folder / "s", shape, chunks)
            roles = {role: logged(folder / role) for role in ("target_store", "temp_store")}
            recorded = self.plan(Recorder(engine), source, wanted, max_mem, folder, **roles)
            specs += (telling(spec, tmp_path / f"runs {number}") for spec in recorded.plan)
            stores += roles.values()
            planned += 1 + sum(stage.puts for stage in recorded.copy_plan[""].stages)
        self.run(engine, specs)
        # Claims and marks say who writes where, and are deleted again.
        puts = [
            {key: n for key, n in store.puts().items() if ".rechunker-" not in key}
            for store in stores
        ]
        assert sum(map(len, puts)) == planned
        # A task that is run twice, which is allowed, writes its objects twice.
        runs = max(map(most_runs, tmp_path.glob("runs *")))
        assert not [key for counts in puts for key, n in counts.items() if n > runs]

    def test_planning_writes_nothing(self, engine: Executor[Any], tmp_path: Path) -> None:
        source = make(tmp_path / "s", (60, 50), (1, 50))
        before = snapshot(tmp_path)
        self.plan(engine, source, (60, 1), 2000, tmp_path)
        assert snapshot(tmp_path) == before
        assert [path.name for path in tmp_path.iterdir()] == ["s"]

    def test_a_failure_says_where_and_leaves_a_target_that_does_not_open(
        self, engine: Executor[Any], tmp_path: Path
    ) -> None:
        source = zarr.create_group(tmp_path / "s")
        for i in range(20):
            make(source.store_path / f"deep/a{i}", (60, 50), (20, 50))
        chunk = tmp_path / "s" / "deep" / "a13" / "c" / "1" / "0"
        content = chunk.read_bytes()
        chunk.write_bytes(b"nonsense")
        chunks = {f"deep/a{i}": (60, 5) for i in range(20)}
        rechunked = self.plan(engine, source, chunks, 20_000, tmp_path)
        where = r"deep/a13: \w+, task \d+, chunk \(1, 0\) at .*deep/a13/c/1/0: .*Zstandard"
        with pytest.raises(Exception, match=where):
            rechunked.execute(**self.options)
        with pytest.raises(FileNotFoundError):
            zarr.open(tmp_path / "target.zarr", mode="r")
        chunk.write_bytes(content)
        target: Any = rechunked.execute(**self.options)  # goes through when the cause is gone
        assert not differing({name: (source[name], target[name]) for name in chunks})

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

    def test_paths_are_those_of_the_folder_in_which_the_plan_was_made(
        self, engine: Executor[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Processes of the engine were started in other folders, or will be."""
        here, there = tmp_path / "here", tmp_path / "there"
        here.mkdir()
        there.mkdir()
        monkeypatch.chdir(here)
        make("s", (60, 50), (1, 50))
        rechunked = self.plan(engine, zarr.open_array("s"), (60, 1), 2000, Path())
        monkeypatch.chdir(there)
        rechunked.execute(**self.options)
        np.testing.assert_array_equal(
            zarr.open_array(here / "target.zarr")[...], zarr.open_array(here / "s")[...]
        )
        assert not any(there.iterdir())

    def test_tasks_may_be_run_twice(self, engine: Executor[Any], tmp_path: Path) -> None:
        source = make(tmp_path / "s", (400, 40), (10, 10))
        self.run(engine, map(doubled, self.specs(engine, source, (400, 3), "15kB", tmp_path)))
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
        specs = self.specs(engine, source, (1, 500), "100kB", folder)
        stages = [stage for spec in specs for stage in spec.stages if stage.nbytes]
        assert sum(stage.tasks for stage in stages) > chunks / 10_000
        return max(len(pickle.dumps(stage)) for stage in stages)

    # What a zip file says when a task is run twice, which is allowed.
    @pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning")
    def test_stores_of_one_process_are_refused_unless_memory_is_shared(
        self, engine: Executor[Any], tmp_path: Path
    ) -> None:
        specs: list[CopySpec] = []
        pairs: dict[str, tuple[Any, Any]] = {}
        for kind, new_store in PROCESS_LOCAL.items():
            # A zip file cannot hold temporary objects, because it cannot delete them.
            roles = ("source", "target_store", "temp_store")[: 2 if kind == "ZipStore" else 3]
            for chosen in [roles] if engine.shares_memory else [(role,) for role in roles]:
                folder = tmp_path / kind / "-".join(chosen)
                folder.mkdir(parents=True)
                stores = {"source": folder / "s", "target_store": folder / "t"}
                stores |= {role: new_store(folder / role) for role in chosen}
                source = make(stores.pop("source"), (24, 20), (1, 20))
                if engine.shares_memory:
                    specs += self.specs(engine, source, (24, 1), 800, folder, **stores)
                    pairs[kind] = source, stores["target_store"]
                else:
                    with pytest.raises(ValueError, match="in the memory of this process"):
                        self.plan(engine, source, (24, 1), 800, folder, **stores)
        if engine.shares_memory:
            self.run(engine, specs)
        assert not differing({kind: (s, zarr.open_array(t)) for kind, (s, t) in pairs.items()})


def differing(pairs: Mapping[str, tuple[Any, Any]]) -> list[str]:
    """Return the names of pairs of arrays that differ."""
    return [name for name, (old, new) in pairs.items() if not np.array_equal(old[...], new[...])]


def logged(folder: Path) -> LoggedStore:
    """Return a store in a folder, with a log next to it."""
    log = folder.with_suffix(".log")
    log.mkdir()
    return LoggedStore(LocalStore(folder), log)


def telling(spec: CopySpec, folder: Path) -> CopySpec:
    """Return a copy spec whose tasks leave a file per run, in one folder per stage."""
    stages = []
    for number, stage in enumerate(spec.stages):
        runs = folder / f"{spec.name or 'plan'} {number}"
        runs.mkdir(parents=True, exist_ok=True)
        stages.append(replace(stage, work=Telling(stage.work, runs)))
    return replace(spec, stages=tuple(stages))


def most_runs(folder: Path) -> int:
    """Return how often the tasks were run of which `telling` has left most files in a folder."""
    runs = Counter(
        (path.parent, path.name.split()[0]) for path in folder.rglob("*") if path.is_file()
    )
    return max(runs.values())


def doubled(spec: CopySpec) -> CopySpec:
    """Return a copy spec that runs each task twice, except tasks that start or finish the plan."""
    return replace(spec, stages=tuple(map(twice, spec.stages)))


def twice(stage: Stage) -> Stage:
    """Return a stage that runs each task twice."""
    if not stage.nbytes:
        return stage
    return replace(stage, tasks=2 * stage.tasks, work=Repeating(stage.work, stage.tasks))

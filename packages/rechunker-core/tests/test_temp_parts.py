"""The temporary objects of a task on an object store: several, written at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from obstore.store import LocalStore as ObstoreFiles
from zarr.storage import ObjectStore, WrapperStore

import rechunker
from rechunker.executors.python import PythonExecutor
from rechunker.jobs import margins
from rechunker.planning import OBJECT_STORE, Footprint, plan_rechunk, predictions
from rechunker.planning import parts as planned_parts
from rechunker.planning.parts import count_objects
from rechunker.planning.search import search


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*.[0-9]*") if path.is_file())


def planned(source: Any, folder: Path, max_mem: int, **options: Any) -> Any:
    folder.mkdir(exist_ok=True)
    return rechunker.rechunk(
        source,
        (source.shape[0], *(2,) * (source.ndim - 1)),
        max_mem,
        folder / "t",
        temp_store=ObjectStore(ObstoreFiles(folder / "x", mkdir=True)),
        executor=PythonExecutor(threads=2),
        target_options={"compressors": None},
        **options,
    )


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let small boxes be stored in parts, and several requests be in flight with little memory."""
    monkeypatch.setattr(planned_parts, "_PART_BYTES", 1)
    monkeypatch.setattr(margins, "THREAD_MARGIN", 0)
    search.cache_clear()
    yield
    search.cache_clear()


def test_arrays_are_copied_exactly_in_parts(tmp_path: Path, small_parts: None) -> None:
    """Boxes at the end have fewer cells, and so fewer parts: predicted as executed."""
    folders = iter(range(10**6))
    parts: list[int] = []

    @settings(max_examples=25, deadline=None, phases=[Phase.generate])
    @given(
        st.lists(st.integers(20, 60), min_size=2, max_size=3),
        st.sampled_from(["i2", "f4", "f8"]),
        st.integers(2, 8),
    )
    def check(shape: list[int], dtype: str, divisor: int) -> None:
        folder = tmp_path / str(next(folders))
        values = np.random.default_rng(0).integers(0, 100, shape).astype("i8").astype(dtype)
        source = zarr.create_array(
            folder / "s", data=values, chunks=(3, *shape[1:]), compressors=None
        )
        rechunked = planned(source, folder, 20_000 + values.nbytes // divisor)
        plan = rechunked.copy_plan[""]
        parts.extend(stage.parts for stage in plan.stages[: plan.hops])
        assert np.array_equal(rechunked.execute(verify=True)[...], values)
        executed = rechunked.report.stages
        for stage in executed:
            if stage.predicted is not None:
                assert (stage.executed.gets, stage.executed.puts) == (
                    stage.predicted.gets,
                    stage.predicted.puts,
                )

    check()
    assert max(parts, default=0) > 1


@given(
    st.lists(
        st.tuples(st.integers(1, 40), st.integers(1, 50), st.integers(1, 50)),
        min_size=0,
        max_size=3,
    ),
    st.integers(1, 20),
)
def test_objects_are_counted_one_by_one(axes: list[tuple[int, int, int]], parts: int) -> None:
    shape, boxes, grid = zip(*axes, strict=True) if axes else ((), (), ())
    counted = 0
    for corner in product(*(range(0, n, box) for n, box in zip(shape, boxes, strict=True))):
        ends = (min(n, lo + box) for n, lo, box in zip(shape, corner, boxes, strict=True))
        cells = 1
        for lo, hi, width in zip(corner, ends, grid, strict=True):
            cells *= -(-hi // width) - lo // width
        counted += min(parts, cells)
    assert count_objects(shape, boxes, grid, parts) == counted


def test_boxes_may_be_larger_than_an_object() -> None:
    """One request to S3 sends 5 GB at most; a box may be sent in several."""
    shape = (10**6, 10**7)
    plans = [
        plan_rechunk(
            shape,
            (1, shape[1]),
            (shape[0], 1),
            8,
            "16GB",
            cost=OBJECT_STORE,
            footprint=replace(Footprint.of_units(shape[1] * 8, shape[0] * 8), parts=parts),
        )
        for parts in (1, 16)
    ]
    one, many = (plan.stages[0] for plan in plans)
    most = predictions._MAX_OBJECT_BYTES
    assert one.bytes_written / one.tasks <= most < many.bytes_written / many.tasks
    assert plans[1].cost < plans[0].cost


@pytest.mark.usefixtures("small_parts")
def test_a_part_that_is_lost_or_cut_is_an_error_and_made_again(tmp_path: Path) -> None:
    values = np.arange(90_000, dtype="f4").reshape(300, 300)
    source = zarr.create_array(tmp_path / "s", data=values, chunks=(3, 300), compressors=None)
    for number, damage in enumerate(["unlink", "cut", "alter"]):
        folder = tmp_path / str(number)
        rechunked = planned(source, folder, 60_000)
        first = rechunked.copy_plan[""].stages[0]
        assert first.parts > 1
        broken: list[str] = []

        def spoil(
            done: int, total: int, nbytes: int, folder: Path = folder, damage: str = damage,
            after: int = first.tasks, broken: list[str] = broken,
        ) -> None:  # fmt: skip
            if done == after + 1:
                victim = files(folder / "x")[-1]
                broken.append(victim.name)
                content = victim.read_bytes()
                victim.unlink()
                if damage == "cut":
                    victim.write_bytes(content[:-10])
                elif damage == "alter":
                    victim.write_bytes(content[:5] + bytes([content[5] ^ 1]) + content[6:])

        with pytest.raises(Exception, match="temporary object|cell"):
            rechunked.execute(progress=spoil)
        assert broken
        again = planned(source, folder, 60_000)
        assert np.array_equal(again.execute(resume=True)[...], values)
        assert again.report.stages[0].executed.known >= first.tasks - 1
        assert not files(folder / "x")


class Slow(WrapperStore[Any]):
    """Counts the puts that are in flight at the same time."""

    now = most = 0

    def _with_store(self, store: Any) -> Any:
        return self

    async def set(self, key: str, value: Any) -> None:
        if "/rechunker-" in f"/{key}" and ".rechunker" not in key.split("/")[-1]:
            type(self).now += 1
            type(self).most = max(self.most, self.now)
            await asyncio.sleep(0.02)
            type(self).now -= 1
        await self._store.set(key, value)


def test_the_parts_of_a_task_are_sent_at_the_same_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small_parts: None
) -> None:
    values = np.arange(90_000, dtype="f4").reshape(300, 300)
    source = zarr.create_array(tmp_path / "s", data=values, chunks=(3, 300), compressors=None)
    (tmp_path / "x").mkdir()
    Slow.now = Slow.most = 0
    rechunked = rechunker.rechunk(
        source,
        (300, 2),
        60_000,
        tmp_path / "t",
        temp_store=Slow(ObjectStore(ObstoreFiles(tmp_path / "x"))),
        executor=PythonExecutor(threads=8),
        target_options={"compressors": None},
    )
    stage = rechunked.copy_plan[""].stages[0]
    assert rechunked.copy_plan[""].hops
    assert stage.parts > 1
    assert np.array_equal(rechunked.execute()[...], values)
    assert Slow.most == stage.parts

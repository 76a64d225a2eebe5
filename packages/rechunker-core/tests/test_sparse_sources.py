"""Of a source that is mostly missing, only what is stored costs requests and time."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from counting import CountingStore, objects
from hypothesis import given, settings
from hypothesis import strategies as st
from zarr.storage import MemoryStore

import rechunker
from rechunker import rechunk
from rechunker.executors.python import PythonExecutor


@dataclass(frozen=True)
class Case:
    """A source of which a few chunks are stored, and how it is rechunked."""

    shape: tuple[int, ...]
    chunks: tuple[int, ...]
    target: tuple[int, ...] | None
    stored: tuple[int, ...]
    fill: float
    other_fill: bool
    write_empty: bool
    verify: bool
    max_mem: int
    zarr_format: int


@st.composite
def cases(draw: st.DrawFn) -> Case:
    ndim = draw(st.integers(0, 3))
    shape = tuple(draw(st.integers(1, 17)) for _ in range(ndim))
    sizes = st.tuples(*(st.integers(1, n + 1) for n in shape))
    chunks = draw(sizes)
    count = int(np.prod([-(-n // c) for n, c in zip(shape, chunks, strict=True)]))
    stored = draw(st.lists(st.integers(0, count - 1), max_size=max(1, count // 3)))
    return Case(
        shape,
        chunks,
        draw(st.one_of(st.none(), sizes)),
        tuple(stored),
        draw(st.sampled_from([0.0, -0.0, 7.5, float("nan")])),
        draw(st.booleans()),
        draw(st.sampled_from([False, False, True])),
        draw(st.booleans()),
        draw(st.sampled_from([2500, 10_000, 1_000_000])),
        draw(st.sampled_from([2, 3])),
    )


def make_source(case: Case, store: Any) -> Any:
    source = zarr.create_array(
        store,
        shape=case.shape,
        chunks=case.chunks,
        dtype="f8",
        fill_value=case.fill,
        zarr_format=case.zarr_format,  # type: ignore[arg-type]
    )
    counts = tuple(-(-n // c) for n, c in zip(case.shape, case.chunks, strict=True))
    for number in case.stored:
        index = np.unravel_index(number, counts) if counts else ()
        pairs = zip(index, case.chunks, strict=True)
        source[tuple(slice(int(i) * c, int(i) * c + c) for i, c in pairs)] = number + 1.0
    return source


def options_of(case: Case) -> dict[str, Any]:
    options: dict[str, Any] = {"write_empty_chunks": True} if case.write_empty else {}
    return {**options, "fill_value": 3.0} if case.other_fill else options


@given(cases())
@settings(max_examples=150)
def test_the_target_is_equal_and_what_is_missing_is_not_asked_for(case: Case) -> None:
    store, target, temp = CountingStore(), CountingStore(), CountingStore()
    source = make_source(case, store)
    before = source[...]
    there = {key for key in store._store._store_dict if not key.endswith((".json", ".zarray"))}  # type: ignore[attr-defined]
    try:
        plan = rechunk(
            source,
            case.target,
            case.max_mem,
            target,
            options_of(case) or None,
            temp,
            executor=PythonExecutor(2),
        )
    except rechunker.MemoryLimitError:
        return
    store.forget()
    plan.execute(verify=case.verify)
    found: Any = zarr.open_array(target, mode="r")
    assert np.asarray(found[...]).tobytes() == np.asarray(before).tobytes()
    assert set(objects(store.gets)) <= there, "a chunk that was missing is asked for"
    done, stages = plan.report, plan.copy_plan[""].stages
    assert done is not None
    for stage, planned in zip(done.stages, stages, strict=False):
        did: Any = stage.executed
        assert did.tasks == planned.tasks
        assert did.gets + did.missing == planned.gets
        assert did.puts + did.empty == planned.puts
        assert did.bytes_read == planned.bytes_read
    if case.verify:
        assert done.digests == rechunker.digest(source).arrays


def test_a_million_chunks_of_which_ten_are_stored(tmp_path: Path) -> None:
    source = zarr.create_array(
        tmp_path / "s", shape=(10_000, 10_000), chunks=(10, 10), dtype="f4", fill_value=0
    )
    for n in range(10):
        source[1000 * n : 1000 * n + 10, 990 * n : 990 * n + 10] = n + 1
    for name, chunks in (("t", (50, 2)), ("u", None)):
        plan = rechunk(source, chunks, "100MB", tmp_path / name, executor="python")
        target = plan.execute()
        done: Any = plan.traffic
        assert (done.gets, done.missing) == (10, 999_990)
        assert done.puts + done.empty == 1_000_000
        assert done.puts == len([path for path in (tmp_path / name).rglob("*") if is_chunk(path)])
        for n in range(10):
            part = (slice(1000 * n - 10, 1000 * n + 20), slice(990 * n, 990 * n + 30))
            np.testing.assert_array_equal(target[part], source[part])


def is_chunk(path: Path) -> bool:
    return path.is_file() and path.name != "zarr.json"


@pytest.mark.filterwarnings("ignore:The data type .* does not have a Zarr V3 specification")
def test_structs_and_strings_that_are_missing(tmp_path: Path) -> None:
    struct = np.dtype([("a", "<i2"), ("b", "<f8")])
    for name, dtype, value in (("struct", struct, (1, 2.5)), ("text", "str", "some text")):
        source: Any = zarr.create_array(
            tmp_path / name, shape=(40, 40), chunks=(4, 4), dtype=dtype, zarr_format=3
        )
        source[8:12, 20:24] = np.array([[value]], source.dtype)
        plan = rechunk(source, (40, 2), "1MB", tmp_path / f"{name}-t", executor="python")
        target = plan.execute(verify=True)
        np.testing.assert_array_equal(target[...], source[...])
        assert plan.traffic is not None
        assert plan.traffic.missing >= 99


@pytest.mark.parametrize("there", [0, 3, 9])
def test_a_run_of_a_sparse_source_goes_on(there: int) -> None:
    store, target, temp = MemoryStore(), MemoryStore(), MemoryStore()
    source = zarr.create_array(store, shape=(40, 40), chunks=(4, 40), dtype="f8", fill_value=0)
    source[: 4 * there] = 5

    def plan() -> rechunker.Rechunked[Any]:
        return rechunk(source, (40, 4), "8kB", target, temp_store=temp, executor=PythonExecutor(1))

    def stop(done: int, total: int, nbytes: int) -> None:
        if done == 13:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        plan().execute(progress=stop, verify=True)
    again = plan()
    found = again.execute(resume=True, verify=True)
    np.testing.assert_array_equal(found[...], source[...])
    assert again.traffic is not None
    assert again.traffic.known == 13

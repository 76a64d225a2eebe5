"""Digests do not depend on how values are stored, and nothing that is not equal passes for it."""

from __future__ import annotations

import hashlib
import re
import shutil
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from math import prod
from pathlib import Path
from typing import Any

import dask.array
import numpy as np
import numpy.typing as npt
import pytest
import xarray as xr
import zarr
from crashing import Ticking
from hypothesis import given
from hypothesis import strategies as st
from zarr.abc.store import Store
from zarr.storage import MemoryStore

import rechunker
from rechunker import VerificationError, digest, rechunk, verify
from rechunker.copying import sums
from rechunker.copying.sums import sum_of
from rechunker.copying.writing import ZarrWriter
from rechunker.executors.python import PythonExecutor
from rechunker.types import rounds

VECTORS = Path(__file__).parents[3] / "docs" / "verifying.md"
BLOCK = 1 << 64


# The definition, once more


def mix(x: int) -> int:
    x = (x + 0x9E3779B97F4A7C15) % BLOCK
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9 % BLOCK
    x = (x ^ (x >> 27)) * 0x94D049BB133111EB % BLOCK
    return x ^ (x >> 31)


def number(table: int, j: int) -> int:
    return mix((mix(table) + j) % BLOCK) | 1


def key(axis: int, i: int) -> int:
    return number(2 * axis, i // 1024) * number(2 * axis + 1, i % 1024)


def words(item: Any) -> list[int]:
    """Return the words of an array of one element."""
    if item.dtype == object:
        raw = hashlib.sha256(str(item).encode()).digest()[:8]
    else:
        raw = item.astype(item.dtype.newbyteorder("<")).tobytes()
    raw += bytes(-len(raw) % 8)
    found = [int.from_bytes(raw[i : i + 8], "little") for i in range(0, len(raw), 8)]
    return [word ^ (word >> 32) for word in found]


def sum_by_definition(array: npt.NDArray[Any]) -> int:
    total = 0
    for at in np.ndindex(array.shape):
        for n, word in enumerate(words(array[(*at, ...)])):
            total += word * key(array.ndim, n) * prod(key(axis, i) for axis, i in enumerate(at))
    return total % BLOCK


def vectors() -> list[tuple[str, str]]:
    found = re.findall(r"^\| `(np\..*)` \| `(\w{32})` \|$", VECTORS.read_text(), re.MULTILINE)
    assert len(found) == 11
    return found


@pytest.mark.parametrize(("text", "wanted"), vectors())
def test_vectors_of_the_documents(text: str, wanted: str) -> None:
    array = np.asarray(eval(text, {"np": np, "object": object}))
    assert str(digest(array)) == wanted
    total = sum_by_definition(array)
    names = array.dtype.names
    kind = "object" if array.dtype == object else array.dtype.str[1:]
    kind = "{f0:i2,f1:f4}" if names else kind
    shape = ",".join(map(str, array.shape))
    content = f"rechunker-digest-1 {kind} {shape} {total:016x}"
    assert hashlib.sha256(content.encode()).hexdigest()[:32] == wanted


# Sums of parts

DTYPES = ["u1", "<i2", ">i2", "f4", ">f8", "c16", "b1", "S5", "U3", "V7", "M8[s]", "i4,f8"]


@st.composite
def arrays(draw: st.DrawFn) -> npt.NDArray[Any]:
    """Draw an array of any bits."""
    dtype = np.dtype(draw(st.sampled_from(DTYPES)))
    shape = tuple(draw(st.lists(st.integers(1, 6), max_size=4)))
    seed = draw(st.integers(0, 1000))
    raw = np.random.default_rng(seed).integers(0, 255, prod(shape) * dtype.itemsize, "u1")
    if dtype.kind in "bU":
        raw = raw % 2 if dtype.kind == "b" else raw
    if dtype.kind == "U":
        letters = np.random.default_rng(seed).integers(65, 90, prod(shape) * 3, "u4")
        raw = letters.view("u1")
    return np.frombuffer(raw.tobytes(), dtype).reshape(shape)


@given(arrays(), st.data())
def test_sum_of_parts_add_up(array: npt.NDArray[Any], data: st.DataObject) -> None:
    """However an array is cut, in whatever order its parts lie in memory."""
    whole = sum_of(array, (0,) * array.ndim)
    assert whole == sum_by_definition(array)
    cuts = [
        sorted({0, n, *data.draw(st.lists(st.integers(0, n), max_size=2))}) for n in array.shape
    ]
    total = 0
    for index in np.ndindex(*(len(c) - 1 for c in cuts)):
        part = tuple(slice(c[i], c[i + 1]) for c, i in zip(cuts, index, strict=True))
        piece = np.asarray(array[part], array.dtype)
        if data.draw(st.booleans()):
            piece = piece.copy(order=data.draw(st.sampled_from(["C", "F"])))
        total += sum_of(piece, tuple(s.start for s in part))
    assert total % BLOCK == whole


@pytest.mark.parametrize("block", [1, 3, 64, 1 << 14])
@pytest.mark.parametrize("dtype", ["f8", "f4", "u1", ">i4", "U5", "i2,f4"])
def test_sums_do_not_depend_on_the_size_of_blocks(
    dtype: str, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    array = np.random.default_rng(0).integers(0, 99, (5, 1, 40, 30)).astype(dtype)
    wanted = sum_of(array, (3, 0, 1020, 2000))
    monkeypatch.setattr(sums, "_BLOCK", block)
    monkeypatch.setattr(sums, "_WIDENED", block)
    monkeypatch.setattr(sums, "_ROW", max(1, block // 4))
    sums._products.cache_clear()
    assert sum_of(array, (3, 0, 1020, 2000)) == wanted


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_value_that_is_repeated_takes_no_time(dtype: str) -> None:
    kind = np.dtype(dtype)
    one = (
        np.array("abc")
        if dtype == "U3"
        else np.frombuffer(bytes(range(1, 40))[: kind.itemsize], kind)[0]
    )
    repeated = np.broadcast_to(np.asarray(one, dtype), (4, 5))
    assert sum_of(repeated, (7, 8)) == sum_of(repeated.copy(), (7, 8))
    huge = np.broadcast_to(np.asarray(one, dtype), (1 << 20, 1 << 10, 1 << 10))
    assert sum_of(huge, (0, 0, 0)) != 0


# Digests


def stored(values: npt.NDArray[Any], **options: Any) -> zarr.Array[Any]:
    array = zarr.create_array(MemoryStore(), shape=values.shape, dtype=values.dtype, **options)
    array[...] = values
    return array


def test_a_digest_depends_on_the_values_alone() -> None:
    values = np.random.default_rng(0).integers(0, 5, (30, 40)).astype("f8")
    values[:10] = 0  # chunks that are not stored
    big = values.astype(">f8")
    sides: list[Any] = [
        values,
        big,
        np.asfortranarray(values),
        stored(values, chunks=(7, 9)),
        stored(values, chunks=(5, 10), shards=(10, 20)),
        stored(values, chunks=(30, 40), compressors=None, config={"write_empty_chunks": True}),
        stored(big, chunks=(5, 40), zarr_format=2, order="F"),
        dask.array.from_array(values, chunks=(11, 13)),
    ]
    assert len({str(digest(side)) for side in sides}) == 1
    assert all(digest(sides[3], executor=PythonExecutor(n)) == digest(values) for n in (1, 5))
    assert all(verify(values, side) for side in sides)


@pytest.mark.parametrize("change", ["swap", "zero", "nan", "shape", "dtype", "two signs"])
def test_what_differs_in_anything_has_another_digest(change: str) -> None:
    values = np.random.default_rng(0).random((8, 6))
    values[0] = 0
    values[1] = np.nan
    other = values.copy()
    if change == "swap":
        other[[2, 5]] = other[[5, 2]]
    elif change == "zero":
        other[0, 3] = -0.0
    elif change == "nan":
        other.view("u8")[1, 1] ^= 1
    elif change == "two signs":
        other[2:4, 2] *= -1
    elif change == "shape":
        other = values.reshape(6, 8)
    else:
        other = values.view("i8")
    found = verify(values, other)
    assert not found
    assert digest(values) != digest(other)
    assert "not equal" in str(found)


def test_a_digest_of_many_arrays_is_that_of_their_digests() -> None:
    group = zarr.create_group(MemoryStore())
    for name in ("b", "deep/a"):
        group.create_array(name, data=np.arange(10.0), chunks=(3,))
    found = digest(group)
    one = str(digest(np.arange(10.0)))
    assert found.arrays == {"b": one, "deep/a": one}
    text = f"b {one}\ndeep/a {one}\n"
    assert str(found) == hashlib.sha256(text.encode()).hexdigest()[:32]


def test_places_datasets_and_strings(tmp_path: Path) -> None:
    dataset = xr.Dataset(
        {"v": (("x", "y"), np.arange(12.0).reshape(3, 4)), "s": ("x", ["a", "bb", ""])},
        {"x": [1, 2, 3]},
    )
    dataset.to_zarr(tmp_path / "a", zarr_format=2)
    dataset.chunk(x=1).to_zarr(tmp_path / "b", zarr_format=2, encoding={"v": {"chunks": (1, 2)}})
    assert verify(tmp_path / "a", str(tmp_path / "b"))
    assert verify(xr.open_zarr(tmp_path / "a"), zarr.open_group(tmp_path / "b", mode="r"))
    with pytest.raises(FileNotFoundError, match="there is no Zarr array or group at"):
        digest(tmp_path / "c")
    with pytest.raises(TypeError, match="cannot rechunk"):
        digest([1])


def test_objects_without_a_digest_are_refused() -> None:
    with pytest.raises(rechunker.CopyError, match="an object of type dict has no digest"):
        digest(np.array([{}], object))


# Where two sides differ


def test_the_first_places_that_differ_are_named() -> None:
    values = np.zeros((20, 30), "i4")
    other = values.copy()
    other[3, 7] = other[3, 29] = other[19, 0] = 1
    found = verify(stored(values, chunks=(1, 30)), stored(other, chunks=(5, 10)))
    assert [(d.chunk, d.elements) for d in found.differences] == [
        ((0, 0), ((3, 7),)),
        ((0, 2), ((3, 29),)),
        ((3, 0), ((19, 0),)),
    ]
    assert "the array, chunk (3, 0): values differ: elements (19, 0)" in str(found)


def test_arrays_that_are_missing_or_of_another_kind() -> None:
    groups = [zarr.create_group(MemoryStore()) for _ in range(2)]
    for name, shape, dtype, number in (("a", 3, "i4", 0), ("b", 4, "f8", 0), ("c", 4, "f4", 0)):
        groups[number].create_array(name, shape=(shape,), dtype=dtype)
    for name, shape, dtype in (("b", 5, "f8"), ("c", 4, "f8"), ("d", 1, "i4")):
        groups[1].create_array(name, shape=(shape,), dtype=dtype)
    found = verify(*groups)
    assert [(d.array, d.what) for d in found.differences] == [
        ("a", "is missing in the target"),
        ("b", "has shape (4,) in the source, (5,) in the target"),
        ("c", "has dtype float32 in the source, float64 in the target"),
        ("d", "is missing in the source"),
    ]


def test_ten_differences_are_named() -> None:
    found = verify(stored(np.zeros(50), chunks=1), stored(np.ones(50), chunks=1))
    assert [d.chunk for d in found.differences] == [(i,) for i in range(10)]


@pytest.mark.parametrize("formats", [(2, 2), (2, 3), (3, 3)])
def test_strings_that_differ_are_named(formats: tuple[Any, Any]) -> None:
    sides = []
    for zarr_format, last in zip(formats, ("b", "c"), strict=True):
        array = zarr.create_array(
            MemoryStore(), shape=(4,), chunks=(2,), dtype=str, zarr_format=zarr_format
        )
        array[:2] = np.array(["a", last], object)
        sides.append(array)
    found = verify(*sides)
    assert [(d.chunk, d.elements) for d in found.differences] == [((0,), ((1,),))]


@pytest.mark.parametrize("dtype", ["str", "S3", "U3", "f8"])
def test_arrays_without_axes(tmp_path: Path, dtype: Any) -> None:
    array = zarr.create_array(tmp_path / "a", shape=(), dtype=dtype, zarr_format=2)
    assert len(str(digest(array))) == 32
    array[...] = np.array("7", object if dtype == "str" else dtype)
    plan = rechunk(array, (), "80kB", tmp_path / "t", executor="python")
    assert verify(array, plan.execute(verify=True))


# Memory and executors


def test_a_chunk_that_takes_more_than_max_mem_is_refused() -> None:
    array = stored(np.zeros((100, 100)), chunks=(100, 100))
    with pytest.raises(rechunker.MemoryLimitError, match="too small to read a unit of it"):
        digest(array, max_mem="50kB")


def test_a_long_axis_takes_no_memory_of_its_own() -> None:
    """Its keys alone would take eight times the memory of its elements."""
    values = np.ones(8_000_000, "i1")
    for array in (values, np.broadcast_to(np.int8(3), values.shape)):
        tracemalloc.start()
        sum_of(array, (5,))
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 4_000_000


class Elsewhere(PythonExecutor):
    """Pretends that its tasks run in other processes."""

    shares_memory = False


def test_tasks_in_other_processes_need_a_place_for_their_sums(tmp_path: Path) -> None:
    array = zarr.create_array(tmp_path / "a", data=np.arange(10.0), chunks=(3,))
    with pytest.raises(ValueError, match="give temp_store, a place that they can write to"):
        digest(array, executor=Elsewhere())
    found = digest(array, executor=Elsewhere(), temp_store=tmp_path / "temp")
    assert found == digest(array)
    assert not list((tmp_path / "temp").iterdir())
    with pytest.raises(ValueError, match="lives in the memory of this process"):
        digest(stored(np.zeros(3)), executor=Elsewhere(), temp_store=tmp_path / "temp")


def test_progress_and_keywords_reach_the_executor() -> None:
    seen = []
    array = stored(np.zeros((100, 100)), chunks=(10, 10))
    digest(array, progress=lambda done, total, nbytes: seen.append((done, total)))
    assert seen[-1][0] == seen[-1][1]
    with pytest.raises(TypeError, match="speed"):
        digest(array, speed=3)


# While copying


@pytest.mark.parametrize("case", ["two stages", "one stage", "copied as stored"])
@pytest.mark.parametrize("threads", [1, 3])
def test_a_target_that_is_equal_is_published(tmp_path: Path, case: str, threads: int) -> None:
    values = np.arange(1200.0).reshape(30, 40)
    values[:, :12] = 0
    source = zarr.create_array(tmp_path / "s", data=values, chunks=(3, 40))
    (tmp_path / "s" / "c" / "4" / "0").unlink()  # a chunk of fill values
    chunks = None if case == "copied as stored" else (30, 6)
    temp = tmp_path / "temp" if case == "two stages" else None
    memory = "7kB" if case == "two stages" else "40kB"
    plan = rechunk(
        source, chunks, memory, tmp_path / "t", temp_store=temp, executor=PythonExecutor(threads)
    )
    target: Any = plan.execute(verify=True)
    np.testing.assert_array_equal(target[...], source[...])
    assert verify(source, target)
    assert not list((tmp_path / "t").glob(".rechunker*"))


@pytest.mark.parametrize("chunks", [(30, 4), None])
def test_a_target_that_is_not_equal_is_not_published(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunks: Any
) -> None:
    """A write puts a chunk in the place of another one, and no error shows it."""
    source = zarr.create_array(
        tmp_path / "s", data=np.arange(900.0).reshape(30, 30), chunks=(3, 30)
    )
    plan = rechunk(source, chunks, "40kB", tmp_path / "t", executor="python")
    seen: list[int] = []

    def swap(done: int, total: int, nbytes: int) -> None:
        files = sorted(p for p in (tmp_path / "t" / "c").rglob("*") if p.is_file())
        if len(files) == (10 if chunks is None else 8) and not seen:
            seen.append(files[2].write_bytes(files[5].read_bytes()))

    with pytest.raises(VerificationError, match="is not what was read from the source"):
        plan.execute(verify=True, progress=swap)
    with pytest.raises(FileNotFoundError):
        zarr.open(tmp_path / "t", mode="r")
    target = plan.execute(verify=True, resume=True)
    np.testing.assert_array_equal(target[...], source[...])


def test_a_run_that_is_verified_goes_on(tmp_path: Path) -> None:
    source = zarr.create_array(
        tmp_path / "s", data=np.arange(1600.0).reshape(40, 40), chunks=(4, 40)
    )

    def plan() -> rechunker.Rechunked[Any]:
        return rechunk(
            source, (40, 4), "8kB", tmp_path / "t", temp_store=tmp_path / "x", executor="python"
        )

    for tasks in (3, 13, 24, 29):  # of ten that read, ten that write, and ten that verify

        def stop(done: int, total: int, nbytes: int, tasks: int = tasks) -> None:
            if done == tasks:
                raise InterruptedError

        with pytest.raises(InterruptedError):
            plan().execute(verify=True, resume=True, progress=stop)
    with pytest.raises(
        rechunker.ResumeError, match=r"call execute\(resume=True, verify=True\) to go on"
    ):
        plan().execute(resume=True)
    last = plan()
    target = last.execute(verify=True, resume=True)
    assert last.traffic is not None
    assert (last.traffic.tasks, last.traffic.known) == (1, 29)
    assert verify(source, target)


def test_verification_of_a_group_names_the_array(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = zarr.create_group(tmp_path / "s")
    for name in ("a", "b"):
        group.create_array(name, data=np.arange(900.0).reshape(30, 30), chunks=(3, 30))
    write = ZarrWriter._store

    def spoil(self: ZarrWriter, index: Any, cells: Any, cell: Any, lane: Any) -> None:
        if self.array.path == "b" and index == (0, 2):
            cells.cell(cell)[3, 1] = 7
        write(self, index, cells, cell, lane)

    monkeypatch.setattr(ZarrWriter, "_store", spoil)
    chunks = {"a": (30, 5), "b": (30, 5)}
    plan = rechunk(group, chunks, "40kB", tmp_path / "t", executor="python")
    with pytest.raises(VerificationError, match="array 'b': what can be read from the target"):
        plan.execute(verify=True)
    shutil.rmtree(tmp_path / "t")
    assert not verify(plan.execute(), group)


def test_a_target_without_a_journal_is_verified_afterwards(tmp_path: Path) -> None:
    source = zarr.create_array(tmp_path / "s", data=np.arange(90.0).reshape(3, 30), chunks=(1, 30))
    store = zarr.storage.ZipStore(tmp_path / "t.zip", mode="w")
    plan = rechunk(source, (3, 5), "40kB", store, executor="python")
    with pytest.raises(ValueError, match=r"call rechunker\.verify\(source, target\) when the run"):
        plan.execute(verify=True)
    plan.execute()
    store.close()
    assert verify(source, zarr.open(zarr.storage.ZipStore(tmp_path / "t.zip", mode="r")))


def test_a_last_task_that_runs_twice_verifies_once(tmp_path: Path) -> None:
    """The second run finds the journal gone, or its records, and the target published."""
    values = np.arange(1600.0).reshape(40, 40)
    source = zarr.create_array(tmp_path / "s", data=values, chunks=(4, 40))
    for number in range(10):
        target = tmp_path / f"t{number}"
        plan = rechunk(source, (40, 4), "40kB", target, executor=Twice())
        np.testing.assert_array_equal(plan.execute(verify=True)[...], values)
        assert not list(target.glob(".rechunker*"))


class Rounds(PythonExecutor):
    """Keeps the rounds of stages, for those who run them in another way."""

    def prepare_plan(self, specs: Any) -> Any:
        self.rounds = rounds(specs)
        return super().prepare_plan([])


class Twice(Rounds):
    """Runs every batch twice at the same time."""

    def execute_plan(self, plan: Any, **kwargs: Any) -> Any:
        for stages in self.rounds:
            for stage in stages:
                with ThreadPoolExecutor(2) as pool:
                    list(pool.map(stage, [range(len(stage))] * 2))


def test_a_last_task_that_dies_anywhere_verifies_when_it_is_run_again(tmp_path: Path) -> None:
    values = np.arange(400.0).reshape(20, 20)
    source = zarr.create_array(tmp_path / "s", data=values, chunks=(5, 20))
    for last in range(1, 40):
        store = MemoryStore()
        target = Dying(store)
        plan = rechunk(source, (20, 5), "40kB", target, executor=Last(target, last))
        result = plan.execute(verify=True)
        np.testing.assert_array_equal(result[...], values)
        assert not [key for key in store._store_dict if "rechunker" in key], last
        if target.count < last:
            break
    assert 5 < last < 39


class Dying(Ticking):
    """Refuses all that writes and deletes from a certain request on."""

    count, last = 0, 1 << 30

    def __init__(self, store: Store) -> None:
        super().__init__(store, self._request)

    def with_read_only(self, read_only: bool = False) -> Any:
        return self

    def _request(self) -> None:
        self.count += 1
        if self.count >= self.last:
            raise InterruptedError

    async def get(self, *args: Any, **kwargs: Any) -> Any:
        return await self._store.get(*args, **kwargs)


class Last(Rounds):
    """Has the last task die, and runs it again."""

    def __init__(self, store: Dying, last: int) -> None:
        super().__init__()
        self.store, self.last = store, last

    def execute_plan(self, plan: Any, **kwargs: Any) -> Any:
        *first, (last,) = self.rounds
        for stages in first:
            for stage in stages:
                stage(range(len(stage)))
        self.store.count, self.store.last = 0, self.last
        with suppress(InterruptedError):
            last(0)
        self.store.last = 1 << 30
        last(0)

"""Nothing looks finished before it is, and nothing that was there is lost."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
import zarr
from zarr.storage import FsspecStore, LocalStore

import rechunker
from rechunker.executors.python import PythonExecutor
from rechunker.types import CopySpec, Traffic


@pytest.fixture
def source(tmp_path: Path) -> zarr.Array[Any]:
    array = zarr.create_array(tmp_path / "source.zarr", shape=(20, 30), chunks=(5, 30), dtype="i4")
    array[...] = np.arange(600).reshape(20, 30) + 1
    return array


class Keeping(PythonExecutor):
    """Keeps the copy specs."""

    def prepare_plan(self, specs: Iterable[CopySpec]) -> Any:
        self.specs = list(specs)
        return super().prepare_plan(self.specs)


def plan(source: Any, target: Any, **options: Any) -> rechunker.Rechunked[Any]:
    options = {"executor": "python", **options}
    return rechunker.rechunk(source, (20, 4), "10kB", target, **options)


def watch(rechunked: rechunker.Rechunked[Any], look: Any) -> None:
    """Execute and call `look` after every task."""
    rechunked.execute(progress=lambda *_: look())


def test_target_is_published_last(source: zarr.Array[Any], tmp_path: Path) -> None:
    rechunked = plan(source, tmp_path / "target.zarr", temp_store=tmp_path / "temp")
    seen: list[bool] = []
    watch(rechunked, lambda: seen.append((tmp_path / "target.zarr" / "zarr.json").exists()))
    assert seen
    assert not any(seen)
    assert (tmp_path / "target.zarr" / "zarr.json").exists()


def test_failure_leaves_nothing_that_opens(source: zarr.Array[Any], tmp_path: Path) -> None:
    rechunked = plan(source, tmp_path / "target.zarr")

    def fail() -> None:
        raise RuntimeError("no more")

    with pytest.raises(RuntimeError, match="no more"):
        watch(rechunked, fail)
    with pytest.raises(FileNotFoundError):
        zarr.open(tmp_path / "target.zarr", mode="r")


def test_execution_can_be_repeated_after_a_failure(source: zarr.Array[Any], tmp_path: Path) -> None:
    rechunked = plan(source, tmp_path / "target.zarr", temp_store=tmp_path / "temp")
    (tmp_path / "source.zarr" / "c" / "2" / "0").rename(tmp_path / "aside")
    (tmp_path / "source.zarr" / "c" / "2" / "0").write_bytes(b"nonsense")
    with pytest.raises(RuntimeError, match="does not begin a Zstandard frame"):
        rechunked.execute()
    (tmp_path / "aside").replace(tmp_path / "source.zarr" / "c" / "2" / "0")
    np.testing.assert_array_equal(rechunked.execute()[...], source[...])


def test_existing_target_is_an_error(source: zarr.Array[Any], tmp_path: Path) -> None:
    zarr.create_array(tmp_path / "target.zarr", shape=(3,), dtype="f8")
    with pytest.raises(FileExistsError, match="overwrite"):
        plan(source, tmp_path / "target.zarr")


def test_overwriting_waits_for_execution(source: zarr.Array[Any], tmp_path: Path) -> None:
    target = tmp_path / "target.zarr"
    zarr.create_array(target, shape=(3,), chunks=(3,), dtype="f8")[...] = 5.0
    rechunked = plan(source, target, target_options={"overwrite": True})
    assert zarr.open_array(target)[0] == 5.0
    rechunked.execute()
    np.testing.assert_array_equal(zarr.open_array(target)[...], source[...])
    assert not (target / "c" / "0" / "0" / "0").exists()


def test_starting_twice_deletes_once(source: zarr.Array[Any], tmp_path: Path) -> None:
    zarr.create_array(tmp_path / "target.zarr", shape=(3,), dtype="f8")
    executor, options = Keeping(), {"overwrite": True}
    plan(source, tmp_path / "target.zarr", target_options=options, executor=executor).execute()
    assert executor.specs[-1].stages[0](0) == Traffic()
    np.testing.assert_array_equal(zarr.open_array(tmp_path / "target.zarr")[...], source[...])


def test_other_files_at_the_target_stay(source: zarr.Array[Any], tmp_path: Path) -> None:
    (tmp_path / "target.zarr").mkdir()
    (tmp_path / "target.zarr" / "notes.txt").write_text("mine")
    plan(source, tmp_path / "target.zarr").execute()
    assert (tmp_path / "target.zarr" / "notes.txt").read_text() == "mine"


def test_chunks_of_a_run_given_up_do_not_show(tmp_path: Path) -> None:
    source = zarr.create_array(tmp_path / "s", shape=(8,), chunks=(2,), dtype="i4", fill_value=0)
    source[:4] = 1
    (tmp_path / "t" / "c").mkdir(parents=True)
    (tmp_path / "t" / "c" / "1").write_bytes(b"left over")
    rechunked = rechunker.rechunk(source, (4,), "1MB", tmp_path / "t", executor="python")
    np.testing.assert_array_equal(rechunked.execute()[...], source[...])


def test_parents_of_the_target_are_groups(source: zarr.Array[Any], tmp_path: Path) -> None:
    place = zarr.storage.StorePath(zarr.storage.LocalStore(tmp_path / "all.zarr"), "deep/down")
    plan(source, place).execute()
    again: Any = zarr.open_group(tmp_path / "all.zarr", mode="r")
    assert again["deep/down"].shape == (20, 30)


def test_array_in_a_group(source: zarr.Array[Any], tmp_path: Path) -> None:
    group = zarr.create_group(tmp_path / "g.zarr", attributes={"kept": True})
    plan(source, group, array_name="a/b").execute()
    again = zarr.open_group(tmp_path / "g.zarr", mode="r")
    assert dict(again.attrs) == {"kept": True}
    np.testing.assert_array_equal(again["a/b"][...], source[...])  # type: ignore[index]


@pytest.mark.filterwarnings("ignore:Consolidated metadata")
class Unconsolidated(LocalStore):
    """A store that holds no consolidated metadata, as that of Icechunk."""

    supports_consolidated_metadata = False


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_no_metadata_are_consolidated_where_a_store_cannot_hold_them(
    tmp_path: Path, zarr_format: int
) -> None:
    source = xr.Dataset({"v": (("y", "x"), np.arange(80.0).reshape(8, 10))})
    store, options = Unconsolidated(tmp_path / "t"), {"zarr_format": zarr_format}
    rechunker.rechunk(source, {"x": 5}, "1MB", store, options, executor="python").execute()
    xr.testing.assert_identical(xr.open_zarr(store), source)
    assert zarr.open_group(store, mode="r").metadata.consolidated_metadata is None


def test_consolidated_group_learns_of_the_array(source: zarr.Array[Any], tmp_path: Path) -> None:
    zarr.create_group(tmp_path / "g.zarr")
    zarr.consolidate_metadata(tmp_path / "g.zarr")
    plan(source, zarr.open_group(tmp_path / "g.zarr"), array_name="new").execute()
    assert "new" in zarr.open_consolidated(str(tmp_path / "g.zarr"))


def test_what_lies_among_stray_chunks_stays(source: zarr.Array[Any], tmp_path: Path) -> None:
    """Folders of others may have numbers for names, or be called c."""
    target = tmp_path / "out"
    others = [target / "2020" / "data.nc", target / "c" / "main.c", target / "7" / "8" / "notes"]
    strays = [target / "c" / "0" / "99", target / "0.77", target / "7" / "8" / "9"]
    for path in [*others, *strays]:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    np.testing.assert_array_equal(plan(source, target).execute()[...], source[...])
    assert all(path.exists() for path in others)
    assert not any(path.exists() for path in strays)


FOLDERS = [("c/0", 3), ("c/0/0/0", 3), ("0", 2), ("0.0", 2)]


@pytest.mark.parametrize(("folder", "zarr_format"), FOLDERS)
@pytest.mark.parametrize("kind", ["path", "files of fsspec"])
def test_folders_without_files_are_not_in_the_way(
    tmp_path: Path, folder: str, zarr_format: int, kind: str
) -> None:
    """A run that died has left them, or somebody who deleted the files alone."""
    source = zarr.create_array(tmp_path / "s", data=np.arange(8.0), chunks=(4,))
    (tmp_path / "t" / folder).mkdir(parents=True)
    target: Any = tmp_path / "t"
    if kind != "path":
        target = FsspecStore.from_url(f"file://{target}", storage_options={"auto_mkdir": True})
    options = {"zarr_format": zarr_format}
    rechunked = rechunker.rechunk(source, (8,), "1MB", target, options, executor="python")
    np.testing.assert_array_equal(rechunked.execute()[...], np.arange(8.0))


def test_chunks_behind_a_link_do_not_show(tmp_path: Path) -> None:
    zarr.create_array(tmp_path / "old", data=np.full(8, 7.0), chunks=(4,))
    source = zarr.create_array(tmp_path / "s", data=np.zeros(8), chunks=(8,))
    (tmp_path / "t").mkdir()
    (tmp_path / "t" / "c").symlink_to(tmp_path / "old" / "c")
    rechunked = rechunker.rechunk(source, (4,), "1MB", tmp_path / "t", executor="python")
    with pytest.raises(OSError, match="t/c|symbolic link"):
        rechunked.execute()
    assert not (tmp_path / "t" / "zarr.json").exists()
    assert (tmp_path / "old" / "c" / "0").is_file()

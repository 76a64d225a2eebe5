"""Trees of datasets: a group for every node."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
import zarr

from rechunker import Rechunked, rechunk
from rechunker.copying import ZarrReader
from rechunker.sources import hierarchy_of


def tree() -> xr.DataTree:
    numbers = np.arange(60.0).reshape(12, 5)
    coarse = xr.Dataset({"air": (("time", "x"), numbers)}, {"time": np.arange(12)}, {"level": 1})
    fine = xr.Dataset({"air": (("time", "y"), numbers * 2)}, {"y": np.arange(5)})
    fine["air"].encoding = {"dtype": "i2", "scale_factor": 0.5, "_FillValue": -1}
    return xr.DataTree.from_dict(
        {"/": xr.Dataset(attrs={"title": "two"}), "/a/coarse": coarse, "/a/coarse/fine": fine}
    )


@pytest.fixture(params=[2, 3])
def place(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that v3 does not specify what xarray writes
        tree().to_zarr(tmp_path / "source", zarr_format=request.param)
    return tmp_path / "source"


def opened(place: Path, **kwargs: Any) -> xr.DataTree:
    return xr.open_datatree(place, engine="zarr", **kwargs)


def planned(source: xr.DataTree, chunks: Any, tmp_path: Path, options: Any = None) -> Rechunked:
    return rechunk(source, chunks, "1MB", tmp_path / "target", options, executor="python")


def chunks_after(source: xr.DataTree, chunks: Any, tmp_path: Path) -> dict[str, Any]:
    group = planned(source, chunks, tmp_path).execute()
    return {
        name: node.chunks
        for name, node in group.members(max_depth=None)
        if isinstance(node, zarr.Array)
    }


@pytest.mark.parametrize("way", [{"chunks": {}}, {}, {"chunks": {}, "decode_cf": False}])
def test_the_target_opens_as_the_source_does(place: Path, tmp_path: Path, way: Any) -> None:
    planned(opened(place, **way), {"time": 5}, tmp_path).execute()
    xr.testing.assert_identical(opened(place, **way), opened(tmp_path / "target", **way))


def test_a_tree_in_memory(tmp_path: Path) -> None:
    planned(tree(), {"time": 5}, tmp_path).execute()
    xr.testing.assert_identical(tree(), opened(tmp_path / "target"))


def test_sizes_by_dimension_are_for_all_nodes(place: Path, tmp_path: Path) -> None:
    found = chunks_after(opened(place), {"time": 5, "y": 2}, tmp_path)
    assert (found["a/coarse/air"], found["a/coarse/fine/air"]) == ((5, 5), (5, 2))
    assert found["a/coarse/fine/y"] == (5,)


@pytest.mark.parametrize(
    "chunks",
    [
        {"/a/coarse": {"time": 4}},
        {"a/coarse": {"air": (4, -1)}},
        {"/a/coarse/air": (4, 5)},
        {"/a/coarse/air": {"time": 4}, "a/coarse/fine": {}},
    ],
)
def test_chunks_by_path(place: Path, tmp_path: Path, chunks: Any) -> None:
    found = chunks_after(opened(place), chunks, tmp_path)
    assert (found["a/coarse/air"], found["a/coarse/fine/air"]) == ((4, 5), (12, 5))


def test_untouched_variables_are_copied_as_they_are_stored(place: Path) -> None:
    arrays = hierarchy_of(opened(place), None, None, None).arrays
    assert len(arrays) == 4
    assert all(isinstance(array.source.reader, ZarrReader) for array in arrays)


def test_options_by_path(place: Path, tmp_path: Path) -> None:
    options = {"/a/coarse/fine": {"air": {"compressors": None}}, "zarr_format": 2}
    planned(opened(place), {"time": 5}, tmp_path, options).execute()
    array = zarr.open_array(tmp_path / "target/a/coarse/fine/air", mode="r")
    assert (array.metadata.zarr_format, array.compressors) == (2, ())
    xr.testing.assert_identical(opened(place), opened(tmp_path / "target"))


def test_a_branch_of_a_tree(place: Path, tmp_path: Path) -> None:
    (branch,) = (node for node in opened(place).subtree if node.name == "coarse")
    planned(branch, {"time": 5}, tmp_path).execute()
    found = opened(tmp_path / "target").to_dict()
    assert sorted(found) == ["/", "/fine"]
    assert found["/"].equals(branch.to_dataset())


@pytest.mark.parametrize(
    ("chunks", "options", "message"),
    [
        ({"/b": {"time": 4}}, None, "has no '/b'"),
        ({"z": 4}, None, "has no 'z'"),
        ({"time": (2, 2)}, None, r"\['time'\] must be one size"),
        ({"/a/coarse": {"z": 4}}, None, "has no 'z'"),
        ({"/a": {"coarse/air": None}, "/a/coarse/air": (4, 4)}, None, "two entries"),
        ({}, {"/b": {}}, "has no '/b'"),
        ({}, {"/a/coarse": {"wind": {}}}, "has no 'wind'"),
        ({}, {"/a/coarse": {"air": {"chunks": (1, 1)}}}, "target_chunks"),
    ],
)
def test_nothing_is_written_where_something_is_wrong(
    place: Path, tmp_path: Path, chunks: Any, options: Any, message: str
) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        planned(opened(place), chunks, tmp_path, options)
    assert not (tmp_path / "target").exists()


def test_a_format_that_is_not_that_of_the_group_is_refused(tmp_path: Path) -> None:
    group = zarr.create_group(tmp_path / "target", zarr_format=3)
    with pytest.raises(ValueError, match="zarr_format=2, but the group at target_store has .* 3"):
        rechunk(tree(), None, "1MB", group, {"zarr_format": 2}, executor="python")

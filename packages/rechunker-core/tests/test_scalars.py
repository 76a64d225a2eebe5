"""Arrays of no axes, whose only element NumPy would rather return as a scalar; empty texts."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pytest
import xarray as xr
import zarr

import rechunker
from rechunker import rechunk

pytestmark = pytest.mark.filterwarnings("ignore::zarr.errors.UnstableSpecificationWarning")

TEXTS = np.dtypes.StringDType()
VALUES = [
    *(np.array(7, dtype) for dtype in ("<i4", ">i4", ">u8", "i1", "?")),
    *(np.array(-1.5, dtype) for dtype in (">f2", ">f4", ">f8", "<f8", ">c16")),
    *(np.array("2020-02-03", dtype) for dtype in ("<M8[s]", ">M8[ns]")),
    *(np.array(text, "<U6") for text in ("secret", "ab", "")),
    *(np.array(text, ">U6") for text in ("secret", "é", "")),
    *(np.array(text, "S6") for text in (b"secret", b"a", b"")),
    *(np.array(text, TEXTS) for text in ("secret", "é", "")),
    np.array((7, -1.5), [("a", ">i4"), ("b", "<f8")]),
]
OPTIONS: list[dict[str, Any]] = [
    {},
    {"zarr_format": 2},
    {"zarr_format": 3},
    {"write_empty_chunks": True},
    {"fill_value": None},
]


def name_of(value: Any) -> str:
    return f"{value.dtype.str}-{value[()]}" if isinstance(value, np.ndarray) else str(value)


def assert_equal(found: Any, wanted: Any) -> None:
    assert found.shape == ()
    assert found[()] == wanted[()]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("value", VALUES, ids=name_of)
def test_a_scalar_of_zarr(value: Any, zarr_format: Any, options: dict[str, Any]) -> None:
    source = zarr.create_array({}, shape=(), dtype=value.dtype, zarr_format=zarr_format)
    source[...] = value
    # Metadata in format 3 of zarr before 3.2 leave out the byte order of fields.
    wanted = value if value.dtype.names is None else zarr.open_array(source.store_path)
    target = rechunk(source, None, "1MB", {}, options, executor="python").execute(verify=True)
    assert_equal(target, wanted)
    assert rechunker.verify(source, target)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("value", VALUES, ids=name_of)
def test_a_scalar_in_memory(value: Any, options: dict[str, Any]) -> None:
    target = rechunk(value, None, "1MB", {}, options, executor="python").execute(verify=True)
    assert_equal(target, value)
    assert rechunker.verify(value, target)
    assert rechunker.digest(target) == rechunker.digest(np.asarray(target[()], value.dtype))


def test_what_differs_is_found_in_scalars() -> None:
    for a, b in ((np.array("a", TEXTS), np.array("b", TEXTS)), (np.array(1), np.array(2))):
        found = rechunker.verify(a, b)
        assert not found
        assert "()" in str(found)


def test_texts_of_zarr_and_of_numpy_have_one_digest() -> None:
    source = zarr.create_array({}, shape=(), dtype="str")
    source[...] = "obj"
    assert rechunker.digest(source) == rechunker.digest(np.array("obj", TEXTS))
    assert rechunker.digest(source) == rechunker.digest(np.array("obj", object))


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_scalars_of_a_dataset(zarr_format: Any) -> None:
    values = [value for value in VALUES if value.dtype != TEXTS and value.dtype.names is None]
    dataset = xr.Dataset({f"v{i}": ((), value) for i, value in enumerate(values)})
    dataset["x"] = ("x", np.arange(4.0))
    stored: dict[str, Any] = {}
    rechunk(
        dataset, {"x": 2}, "1MB", stored, {"zarr_format": zarr_format}, executor="python"
    ).execute(verify=True)
    wanted: dict[str, Any] = {}
    dataset.to_zarr(wanted, zarr_format=zarr_format, consolidated=False)
    found, expected = (cast(Any, zarr.open_group(place, mode="r")) for place in (stored, wanted))
    for name in dataset.variables:
        np.testing.assert_array_equal(found[str(name)][...], expected[str(name)][...])


@pytest.mark.parametrize("formats", [(2, 2), (2, 3), (3, 2), (3, 3)])
def test_empty_texts_of_a_dataset_are_not_missing(formats: tuple[Any, Any]) -> None:
    values: list[Any] = [np.array(["a", "", "é"], kind) for kind in (object, "U1")]
    values += [np.array([b"a", b"", b"c"]), np.array([0, 1, 2]), np.array([False, True, True])]
    source: dict[str, Any] = {}
    target: dict[str, Any] = {}
    dataset = xr.Dataset({f"v{i}": ("x", value) for i, value in enumerate(values)})
    dataset.to_zarr(source, zarr_format=formats[0], consolidated=False)
    opened = xr.open_zarr(source, consolidated=False)
    options = {"zarr_format": formats[1]}
    rechunk(opened, None, "10MB", target, options, executor="python").execute(verify=True)
    for name, found in xr.open_zarr(target, consolidated=False).variables.items():
        wanted = opened.variables[name]
        assert found.dtype == wanted.dtype
        np.testing.assert_array_equal(found.values, wanted.values)

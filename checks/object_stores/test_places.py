"""Sources on an S3 server, several runs on one target, and URLs by way of obstore."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
import zarr
from crashing import make_source, values
from s3 import BUCKET, WAYS, bucket, keys, s3_store, storage_options
from test_matrix import CHUNKS, assert_equal
from zarr.storage import ObjectStore

import rechunker

OTHER = {"s3fs": "obstore", "obstore": "s3fs"}


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def upload(endpoint: str, folder: Path, prefix: str) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            key = f"{prefix}/{path.relative_to(folder).as_posix()}"
            bucket(endpoint).put_object(Key=key, Body=path.read_bytes())


def opened(kind: str, way: str, endpoint: str, path: str) -> Any:
    if kind == "dataset":
        if way == "obstore":
            return xr.open_zarr(s3_store(way, endpoint, path), consolidated=False)
        options = storage_options(way, endpoint)
        url = f"s3://{BUCKET}/{path}"
        return xr.open_zarr(url, consolidated=False, storage_options=options)
    return zarr.open(s3_store(way, endpoint, path), mode="r")


@pytest.mark.parametrize(
    ("kind", "way"),
    [("array", "s3fs"), ("group", "obstore"), ("dataset", "s3fs"), ("dataset", "obstore")],
)
def test_a_source_on_a_server(
    kind: str, way: str, server: str, endpoint: str, tmp_path: Path
) -> None:
    """Source and target by different ways, with a local temp store."""
    make_source(kind, tmp_path / "s")
    place = f"source-{kind}-{way}"
    upload(endpoint, tmp_path / "s", f"{place}/s")
    source, options = (
        opened(kind, way, endpoint, f"{place}/s"),
        storage_options(OTHER[way], endpoint),
    )
    url = f"s3://{BUCKET}/{place}/t"
    rechunker.rechunk(
        source,
        CHUNKS[kind],
        "6kB",
        url,
        temp_store=tmp_path / "x",
        executor="python",
        storage_options=options,
    ).execute()
    assert_equal(kind, source, opened(kind, way, endpoint, f"{place}/t"))
    assert rechunker.digest(source) == rechunker.digest(url, storage_options=options)


@pytest.fixture
def source(tmp_path: Path) -> zarr.Array[Any]:
    array = zarr.create_array(tmp_path / "s", shape=(40, 30), chunks=(5, 30), dtype="f8")
    array[...] = values(0, (40, 30))
    return array


def plan(source: Any, way: str, endpoint: str, place: str) -> rechunker.Rechunked[Any]:
    return rechunker.rechunk(
        source,
        (40, 3),
        "6kB",
        f"s3://{BUCKET}/{place}/t",
        temp_store=f"s3://{BUCKET}/{place}/x",
        executor="python",
        storage_options=storage_options(way, endpoint),
    )


def test_a_second_run_is_refused_by_whatever_way(
    source: zarr.Array[Any], way: str, server: str, endpoint: str
) -> None:
    place = f"second-{way}"
    refused = []

    def meanwhile(done: int, total: int, nbytes: int) -> None:
        if done == 1:
            for other in WAYS:
                with pytest.raises(rechunker.TargetInUseError):
                    plan(source, other, endpoint, place).execute()
                refused.append(other)

    target = plan(source, way, endpoint, place).execute(progress=meanwhile)
    assert refused == [*WAYS]
    np.testing.assert_array_equal(target[...], source[...])
    assert not [key for key in keys(endpoint, place) if "rechunker" in key]


def test_one_place_by_two_ways_is_found_out(way: str, server: str, endpoint: str) -> None:
    store = s3_store(way, endpoint, f"one-{way}/t")
    source = zarr.create_array(store, shape=(40, 30), chunks=(5, 30), dtype="i4")
    source[...] = 1
    before = keys(endpoint, f"one-{way}")
    with pytest.raises(ValueError, match="are one place, or one lies in the other"):
        rechunker.rechunk(
            source,
            (40, 3),
            "1MB",
            f"s3://{BUCKET}/one-{way}/t",
            {"overwrite": True},
            executor="python",
            storage_options=storage_options(OTHER[way], endpoint),
        ).execute()
    assert keys(endpoint, f"one-{way}") == before


def test_without_s3fs_a_url_is_opened_by_obstore(
    source: zarr.Array[Any], server: str, endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
    for name, value in storage_options("obstore", endpoint).items():
        if isinstance(value, str) and name != "endpoint":
            monkeypatch.setenv(f"AWS_{name.upper()}", value)
    monkeypatch.delitem(sys.modules["fsspec.registry"].__dict__["_registry"], "s3", raising=False)
    monkeypatch.setitem(sys.modules, "s3fs", None)
    target = rechunker.rechunk(source, (40, 3), "1MB", f"s3://{BUCKET}/env/t", executor="python")
    array = target.execute()
    assert isinstance(array.store, ObjectStore)
    np.testing.assert_array_equal(array[...], source[...])

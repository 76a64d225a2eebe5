"""Runs fail, go on, and replace what is on an S3 server, whatever leads there and runs them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
import zarr
from crashing import make_source
from pairs import Case, cases_of, pairs_of
from s3 import BUCKET, KEY, SECRET, WAYS, keys, objects, s3_store, storage_options
from zarr.buffer import cpu
from zarr.storage import MemoryStore

import rechunker
from rechunker.stores import JOURNAL

# The last chunk of each kind of source.
LAST = {"array": "c/7/0", "group": "deep/b/c/5/0", "dataset": "v/c/5/0"}
CHUNKS: dict[str, Any] = {
    "array": (40, 3),
    "group": {"a": (24, 3), "deep/b": (24, 2)},
    "dataset": {"x": 24, "y": 3},
}


def opened(kind: str, store: Any) -> Any:
    if kind == "dataset":
        return xr.open_zarr(store, consolidated=False)
    return zarr.open(store, mode="r")


@contextmanager
def damaged(path: Path) -> Iterator[None]:
    """Cut off a part of a file within a context."""
    content = path.read_bytes()
    path.write_bytes(content[:-3])
    yield
    path.write_bytes(content)


def downloaded(endpoint: str, prefix: str) -> MemoryStore:
    """Return a copy of a place, made by a client that is neither s3fs nor obstore."""
    found = objects(endpoint, prefix)
    return MemoryStore({key: cpu.Buffer.from_bytes(content) for key, content in found.items()})


def assert_equal(kind: str, source: Any, target: Any) -> None:
    if kind == "dataset":
        xr.testing.assert_identical(source.load(), target.load())
    elif kind == "group":
        assert dict(source.attrs) == dict(target.attrs)
        for name in CHUNKS["group"]:
            np.testing.assert_array_equal(target[name][...], source[name][...])
            assert target[name].chunks == CHUNKS["group"][name]
    else:
        np.testing.assert_array_equal(target[...], source[...])
        assert target.chunks == CHUNKS["array"]


def test_a_run_fails_goes_on_and_replaces_an_old_target(
    case: Case, endpoints: Mapping[str, str], engine: Callable[[str], Any], tmp_path: Path
) -> None:
    endpoint, options = endpoints[case.server], storage_options(case.way, endpoints[case.server])
    (other,) = {*WAYS} - {case.way}
    old = zarr.create_group(s3_store(other, endpoint, f"{case}/t"))
    old.create_array("old", shape=(4,), chunks=(2,), dtype="i4")[...] = 1
    make_source(case.kind, tmp_path / "s")
    target, temp = f"s3://{BUCKET}/{case}/t", f"s3://{BUCKET}/{case}/x"

    def plan() -> rechunker.Rechunked[Any]:
        planned = rechunker.rechunk(
            opened(case.kind, tmp_path / "s"),
            CHUNKS[case.kind],
            "6kB",
            target,
            {"overwrite": True},
            temp_store=temp if case.temp == "temp on S3" else tmp_path / "x",
            executor=engine(case.engine),
            storage_options=options,
        )
        assert planned.intermediate is not None
        return planned

    failed = pytest.raises(RuntimeError, match=r"chunk \(")
    with damaged(tmp_path / "s" / LAST[case.kind]), failed:
        plan().execute(verify=True)
    left = objects(endpoint, f"{case}/")
    assert any(f"{JOURNAL}/plan" in key for key in left)
    assert not [
        key for key in left if "t/.rechunker-claim" in key or "t/zarr.json" in key or "old" in key
    ]
    assert not [key for key, it in left.items() if SECRET.encode() in it or KEY.encode() in it]

    plan().execute(resume=True, verify=True)
    source = opened(case.kind, tmp_path / "s")
    assert_equal(case.kind, source, opened(case.kind, downloaded(endpoint, f"{case}/t/")))
    assert rechunker.verify(source, target, storage_options=options)
    here = keys(endpoint, f"{case}/")
    assert not [key for key in here if "rechunker" in key or key.startswith(f"{case}/x/")]
    assert not [path for path in tmp_path.glob("x/**/*") if path.is_file()]


@pytest.mark.parametrize(
    "servers", [("moto",), ("moto", "s3rver"), ("moto", "s3rver", "seaweedfs")]
)
def test_every_two_values_come_together(servers: tuple[str, ...]) -> None:
    cases = cases_of(servers)
    values = [{case[i] for case in cases} for i in range(5)]
    wanted = {
        ((i, a), (j, b)) for i, j in combinations(range(5), 2) for a in values[i] for b in values[j]
    }
    assert wanted <= set().union(*map(pairs_of, cases))

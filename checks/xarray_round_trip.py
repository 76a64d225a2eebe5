"""Xarray's own tests of Zarr stores, with a rechunk between writing and reading.

They come with Xarray (`xarray.tests`), and need pytest. Each test that writes and reads back runs
as it is, and twice with other chunks in between: by way of the dataset, and by way of the Zarr
group. What fails only then, and is not expected to, is listed, and ends the program with an error.
"""

from __future__ import annotations

import contextlib
import inspect
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import xarray as xr
import zarr
from xarray.tests import conftest as fixtures
from xarray.tests.test_backends import TestZarrDirectoryStore, default_zarr_format

from rechunker import rechunk

__all__ = ["TestAsItIs", "TestDatasetRechunked", "TestGroupRechunked", "default_zarr_format"]

# Tests that assert the chunks that Xarray has written, or that there are none.
EXPECTED: frozenset[str] = frozenset()


class TestAsItIs(TestZarrDirectoryStore):
    """What Xarray tests, without a rechunk."""


class TestDatasetRechunked(TestZarrDirectoryStore):
    """Rechunked by way of the dataset as Xarray opens it."""

    @contextlib.contextmanager
    def roundtrip(
        self,
        data: Any,
        save_kwargs: Any = None,
        open_kwargs: Any = None,
        allow_cleanup_failure: bool = False,
    ) -> Iterator[Any]:
        save: Any = self.save  # it has no types
        with TemporaryDirectory() as folder:
            source, target = (str(Path(folder) / name) for name in ("source.zarr", "target.zarr"))
            save(data, source, **(save_kwargs or {}))
            self.rechunk(source, target, (save_kwargs or {}).get("group"))
            with self.open(target, **(open_kwargs or {})) as found:
                yield found

    def rechunk(self, source: str, target: str, group: str | None) -> None:
        place = zarr.storage.StorePath(zarr.storage.LocalStore(target), (group or "").strip("/"))
        with xr.open_dataset(source, engine="zarr", group=group, chunks={}) as found:
            chunks = {dim: half(size) for dim, size in found.sizes.items()}
            rechunk(found, chunks, "100MB", place, executor="python").execute()


class TestGroupRechunked(TestDatasetRechunked):
    """Rechunked by way of the Zarr group."""

    def rechunk(self, source: str, target: str, group: str | None) -> None:
        found = zarr.open_group(source, mode="r", use_consolidated=False)
        members = found.members(max_depth=None)
        arrays = {name: array for name, array in members if isinstance(array, zarr.Array)}
        chunks = {name: tuple(map(half, array.shape)) for name, array in arrays.items()}
        rechunk(found, chunks, "100MB", target, executor="python").execute()


def half(size: int) -> int:
    return max(1, (size + 1) // 2)


class Outcomes:
    """Plugin of pytest that chooses tests, and keeps which of them have failed, by class."""

    def __init__(self) -> None:
        self.failed: dict[str, dict[str, str]] = {}
        self.run = 0

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = [item for item in items if "roundtrip(" in inspect.getsource(function_of(item))]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        _, group, name = report.nodeid.rsplit("::", 2)
        self.run += report.when == "call"
        if report.failed:
            self.failed.setdefault(group, {})[name] = str(report.longrepr)

    def new(self) -> dict[str, str]:
        """Failures that are due to the rechunk."""
        before = self.failed.pop("TestAsItIs", {})
        return {
            f"{group}::{name}": text
            for group, failures in self.failed.items()
            for name, text in failures.items()
            if name not in before and name.partition("[")[0] not in EXPECTED
        }


def function_of(item: Any) -> Any:
    return inspect.unwrap(item.function)


def main() -> int:
    outcomes = Outcomes()
    options = ["-q", "-p", "no:cacheprovider", "-c", os.devnull, "--tb=short", "--show-capture=no"]
    quiet = [*options, "-W", "ignore", "--no-header", "--no-summary", *sys.argv[1:]]
    pytest.main([*quiet, __file__], plugins=[outcomes, fixtures])
    new = outcomes.new()
    for name, text in new.items():
        print(f"\n{name}\n{text}")
    print(f"\n{outcomes.run} tests, {len(new)} fail because of the rechunk")
    return bool(new) or not outcomes.run


if __name__ == "__main__":
    sys.exit(main())

"""A pytest plugin that rechunks each Zarr store between what a test writes and what it reads."""

from __future__ import annotations

import functools
import json
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import xarray as xr
import zarr
from xarray.backends.zarr import ZarrBackendEntrypoint
from zarr.abc.store import Store
from zarr.storage import LocalStore, MemoryStore, StorePath, WrapperStore

import rechunker

# What stands between writing and reading: nothing; a copy of the group, or of what Xarray reads.
WAYS = ("nothing", "group", "dataset")


def other_chunks(array: zarr.Array[Any]) -> tuple[int, ...]:
    """Return half of each chunk of an array, and the whole axis where chunks have one element."""
    pairs = zip(array.shape, write_chunks(array), strict=True)
    return tuple(-(-min(chunk, size) // 2) if min(chunk, size) > 1 else -1 for size, chunk in pairs)


def write_chunks(array: zarr.Array[Any]) -> tuple[int, ...]:
    """Return the chunk or shard of an array; its shape if chunks differ in size."""
    try:
        return array.shards or array.chunks
    except NotImplementedError:
        return array.shape


class RechunkedReads:
    """Rechunk what Xarray's backend is asked to read, and count how often.

    Parameters
    ----------
    way
        One of `WAYS`.
    folder
        Where to write the targets of what is on disk.
    """

    def __init__(self, way: str, folder: Path) -> None:
        self.way = way
        self.folder = folder
        self.reads = 0
        self.busy = False
        self.originals: dict[str, Any] = {}

    def start(self) -> None:
        """Stand in for the methods of the backend that open a dataset or a tree."""
        for name in ("open_dataset", "open_groups_as_dict"):
            self.originals[name] = getattr(ZarrBackendEntrypoint, name)
            setattr(ZarrBackendEntrypoint, name, self.replacement(name))

    def stop(self) -> None:
        """Give the backend its methods back."""
        for name, original in self.originals.items():
            setattr(ZarrBackendEntrypoint, name, original)

    def replacement(self, name: str) -> Any:
        """Return a method of the backend that reads from a rechunked copy."""
        original = self.originals[name]

        @functools.wraps(original)  # Xarray reads the signature
        def opened(entry_point: Any, filename_or_obj: Any, **kwargs: Any) -> Any:
            if self.busy or kwargs.get("store") is not None:
                return original(entry_point, filename_or_obj, **kwargs)
            # What cannot be opened fails here, as it does without a copy.
            found = original(entry_point, filename_or_obj, **kwargs)
            self.reads += 1
            if self.way == "nothing":
                return found
            with self.at_work():
                copy = self.copy(filename_or_obj, kwargs, tree=name != "open_dataset")
            return original(entry_point, copy, **kwargs)

        return opened

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Open what is there, and not a copy; what is warned of was seen by the first reading."""
        self.busy = True
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                yield
        finally:
            self.busy = False

    def copy(self, place: Any, kwargs: dict[str, Any], *, tree: bool) -> Any:
        """Rechunk what is at a place, and return the place of the copy."""
        target = self.place_like(place)
        root = zarr.open_group(place, mode="r", zarr_format=kwargs.get("zarr_format"))
        if self.way == "group":
            self.rechunk(root, dict(arrays(root)), target)
            return target
        names = ("consolidated", "zarr_format")
        options = {name: kwargs[name] for name in names if kwargs.get(name) is not None}
        group = (kwargs.get("group") or "").strip("/")
        with ExitStack() as stack:
            opened = opened_groups(place, options, group, tree=tree)
            for path, source in opened.items():
                stack.callback(source.close)
                node = root[path] if path else root
                assert isinstance(node, zarr.Group)
                known = names_in(source)
                stored = {name: array for name, array in arrays(node) if name in known}
                self.rechunk(source, stored, below(target, path))
        return target

    def rechunk(self, source: Any, stored: dict[str, zarr.Array[Any]], target: Any) -> None:
        """Rechunk a group, a dataset or a tree whose arrays are stored."""
        chunks = {name: other_chunks(array) for name, array in stored.items()}
        formats = {array.metadata.zarr_format for array in stored.values()}
        options = {"zarr_format": formats.pop()} if formats and self.way == "dataset" else None
        temp = tempfile.mkdtemp(dir=self.folder)
        rechunker.rechunk(
            source, chunks, "100MB", target, options, temp, executor="python"
        ).execute()

    def place_like(self, place: Any) -> Any:
        """Return an empty place of the same kind."""
        if isinstance(place, WrapperStore):
            return type(place)(MemoryStore())
        if isinstance(place, MemoryStore):
            return MemoryStore()
        if isinstance(place, dict):
            return {}
        return f"{tempfile.mkdtemp(dir=self.folder)}/target.zarr"


def opened_groups(
    place: Any, options: dict[str, Any], group: str, *, tree: bool
) -> dict[str, xr.Dataset | xr.DataTree]:
    """Return what Xarray reads by the path of its group: a dataset, or a tree if there may be."""
    given: dict[str, Any] = {"engine": "zarr", "chunks": {}, "group": group or None, **options}
    if not tree:
        return {group: xr.open_dataset(place, **given)}
    try:
        return {group: xr.open_datatree(place, **given)}
    except ValueError:  # its groups are not aligned, which a tree must be
        groups = xr.open_groups(place, **given)
        return {f"{group}/{path}".strip("/"): dataset for path, dataset in groups.items()}


def names_in(source: xr.Dataset | xr.DataTree) -> set[str]:
    """Return the names of all variables, as their arrays are called in Zarr."""
    if isinstance(source, xr.Dataset):
        return {"__values__" if name is None else str(name) for name in source.variables}
    return {
        f"{node.path}/{name}".strip("/").removeprefix(source.path).strip("/")
        for node in source.subtree
        for name in node.to_dataset(inherit=False).variables
    }


def below(target: Any, path: str) -> Any:
    """Return the place of a group in a store."""
    if not path:
        return target
    return StorePath(target if isinstance(target, Store) else LocalStore(target), path)


def arrays(group: zarr.Group) -> list[tuple[str, zarr.Array[Any]]]:
    """Return all arrays of a group, at any depth, with their paths."""
    members = group.members(max_depth=None)
    return [(name, node) for name, node in members if isinstance(node, zarr.Array)]


class Outcomes:
    """Record how each test ends, and how often it reads.

    Parameters
    ----------
    reads
        What counts.
    file
        Where to write the outcomes of all tests as JSON.
    """

    def __init__(self, reads: RechunkedReads, file: Path) -> None:
        self.reads = reads
        self.file = file
        self.tests: dict[str, dict[str, Any]] = {}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Iterator[None]:
        self.reads.reads = 0
        try:
            yield
        finally:
            # Reports take this along to the process that collects them.
            item.user_properties.append(("reads", self.reads.reads))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        nothing = {"outcome": "passed", "error": "", "reads": 0}
        test = self.tests.setdefault(report.nodeid, nothing)
        test["reads"] = dict(report.user_properties).get("reads", 0)
        if report.outcome != "passed":
            test["outcome"] = report.outcome
            test["error"] = getattr(getattr(report.longrepr, "reprcrash", None), "message", "")

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if not hasattr(session.config, "workerinput"):  # of pytest-xdist: these only report
            self.file.write_text(json.dumps(self.tests))
        self.reads.stop()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of this plugin."""
    parser.addoption("--way", choices=WAYS, required=True, help="what is copied before it is read")
    parser.addoption("--outcomes", type=Path, required=True, help="file for the outcomes")


def pytest_configure(config: pytest.Config) -> None:
    """Start to rechunk and to record."""
    reads = RechunkedReads(config.getoption("--way"), Path(tempfile.mkdtemp()))
    reads.start()
    config.pluginmanager.register(Outcomes(reads, config.getoption("--outcomes")))

"""Requests: what the words of `copy` and `plan` ask for, opened and planned."""

from __future__ import annotations

import importlib
import inspect
import os
import sys
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import zarr
from zarr.storage import ZipStore

import rechunker
from rechunker.cli.chunk_texts import parse_chunks
from rechunker.cli.console import Console
from rechunker.cli.option_texts import (
    parse_codecs,
    parse_object,
    parse_settings,
    secrets_of,
)
from rechunker.plugins import get_executor
from rechunker.sources import open_source
from rechunker.stores import options_of_urls

__all__ = ["Request", "executor_of", "open_values", "shows_progress", "storage_options_of"]


@dataclass(frozen=True)
class Request:
    """What is to be copied, and how; the words as they were typed.

    Parameters
    ----------
    source, target, chunks, max_mem, temp, executor, shards, codec, options, array_name
        As for `rechunker.rechunk`, as texts.
    overwrite
        Whether to replace what is at the target.
    storage_options
        Options of URLs, as texts.
    engine
        Name of the engine of Xarray that opens the source; None for Zarr, or to let Xarray choose.
    executor_options
        Arguments of the class of the executor, as texts.
    """

    source: str
    target: str
    chunks: Sequence[str] | None
    max_mem: str
    temp: str | None = None
    executor: str | None = None
    shards: str | None = None
    codec: Sequence[str] | None = None
    options: str | None = None
    overwrite: bool = False
    array_name: str | None = None
    storage_options: Sequence[str] | None = None
    engine: str | None = None
    executor_options: Sequence[str] | None = None

    def planned(self, console: Console) -> rechunker.Rechunked[Any]:
        """Open the source and plan; nothing is written.

        Parameters
        ----------
        console
            Shows no credentials that are among the words.
        """
        found = storage_options_of(self.storage_options, console)
        places = {"source": self.source, "target": self.target, "temp": self.temp}
        for_urls = options_of_urls(found, **places)
        source = open_values(self.source, for_urls["source"], self.engine)
        return rechunker.rechunk(
            source,
            parse_chunks(self.chunks or ()),
            self.max_mem,
            self.target,
            self._target_options(isinstance(source, zarr.Array)) or None,
            self.temp,
            executor=executor_of(self.executor, self.executor_options, console),
            array_name=self.array_name,
            storage_options=for_urls["target"] or for_urls["temp"],
        )

    def _target_options(self, of_array: bool) -> dict[Any, Any]:
        options: dict[Any, Any] = parse_object(self.options, "--options") if self.options else {}
        of_all: dict[str, Any] = {}
        if self.shards is not None:
            of_all["shards"] = parse_chunks([self.shards])
        if self.codec:
            of_all["compressors"] = parse_codecs(self.codec)
        if of_array:
            options = {**options, **of_all}
        elif of_all:  # patterns that are named later are stronger
            options = {"*": {**of_all, **options.get("*", {})}, **_without(options, "*")}
        return {**options, "overwrite": True} if self.overwrite else options


def _without(options: Mapping[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in options.items() if name != key}


def storage_options_of(texts: Sequence[str] | None, console: Console) -> dict[str, Any] | None:
    """Return the storage options in texts; the console does not show their secrets from now on."""
    return _settings(texts, "storage options", console)


def _settings(texts: Sequence[str] | None, what: str, console: Console) -> dict[str, Any] | None:
    found = parse_settings(texts or (), what)
    console.hide(secrets_of(found))
    return found


def executor_of(name: str | None, texts: Sequence[str] | None, console: Console) -> Any:
    """Return an executor with the options in texts; its name if there are none.

    Raises
    ------
    ValueError
        If the executor does not take these options.
    """
    options = _settings(texts, "executor options", console)
    if options is None:
        return name
    try:
        return get_executor(name, **options)
    except TypeError as error:
        raise ValueError(f"executor options: {error}") from error


def open_values(
    place: str, storage_options: Mapping[str, Any] | None = None, engine: str | None = None
) -> Any:
    """Return what can be read at a place: a Zarr array or group, or a dataset or tree of Xarray.

    Parameters
    ----------
    place
        A path or a URL.
    storage_options
        Options of a URL; None for anything else.
    engine
        Name of an engine of Xarray.

    Raises
    ------
    FileNotFoundError
        If nothing is there.
    ImportError
        If it is a file, and Xarray is not installed.
    """
    if engine is None and os.path.isfile(place) and zipfile.is_zipfile(place):
        store = ZipStore(place, mode="r")
        zarr.open(store, mode="r")  # before zarr 3.2, one that is not open cannot be asked
        return open_source(store)
    if engine is None and not os.path.isfile(place):
        return open_source(place, storage_options)
    if find_spec("xarray") is None:
        raise ImportError(
            f'xarray opens {place}, and it is not installed: pip install "rechunker-core[xarray]"'
        )
    return _open_with_xarray(place, storage_options, engine)


def _open_with_xarray(
    place: str, storage_options: Mapping[str, Any] | None, engine: str | None
) -> Any:
    """Open a dataset, or a tree if there are groups and the engine knows them."""
    xarray: Any = importlib.import_module("xarray")  # an optional dependency
    engines = xarray.backends.list_engines()
    able = (name for name, each in engines.items() if each.guess_can_open(place))
    chosen = engine or next(able, None)  # as xarray does
    kwargs: dict[str, Any] = {"engine": chosen}
    if storage_options and chosen == "zarr":
        kwargs["storage_options"] = storage_options
    elif storage_options:
        kwargs["backend_kwargs"] = {"storage_options": storage_options}
    try:
        if chosen not in engines or not engines[chosen].supports_groups:
            return xarray.open_dataset(place, **kwargs)
        tree = xarray.open_datatree(place, **kwargs)
    except (ValueError, OSError) as error:
        raise ValueError(f"xarray cannot open {place}: {error}") from error
    return tree if tree.children else tree.to_dataset()


def shows_progress(wanted: bool | None, executor: Any) -> dict[str, bool]:
    """Return the argument `progress` of an execution, if there is to be one.

    Parameters
    ----------
    wanted
        What the user says; None for a bar on a terminal, where executor and libraries have one.
    executor
        The executor, or its name.
    """
    if wanted is not None:
        return {"progress": True} if wanted else {}
    known = inspect.signature(get_executor(executor).execute_plan).parameters
    able = sys.stderr.isatty() and "progress" in known and find_spec("tqdm") is not None
    return {"progress": True} if able else {}

"""Saved places: places as JSON has them, without credentials, and back."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from zarr.abc.store import Store
from zarr.storage import FsspecStore, ObjectStore, StorePath, WrapperStore, ZipStore

from rechunker.stores.disk import disk_path
from rechunker.stores.filesystems import inner_filesystem, making_folders
from rechunker.stores.resolve import is_process_local, resolve_store
from rechunker.stores.secrets import without_secrets
from rechunker.stores.urls import open_url

__all__ = ["OpenedPlaces", "SavedPlaces"]

# Options that are saved: they say which service is meant, and hold no credentials. All others are
# left to the environment of the process that opens the place.
_KEPT = frozenset(
    {
        *(
            "account_name",
            "project",
            "endpoint",
            "endpoint_url",
            "host",
            "port",
            "protocol",
            "org",
            "repo",
        ),
        *("region", "region_name", "virtual_hosted_style_request"),
        *("anon", "skip_signature", "requester_pays", "use_ssl", "allow_http"),
        *("client_kwargs", "client_options", "config"),
    }
)
# Zarr sets it (zarr 3.1.6 to 3.4.2) when it opens a URL.
_ZARRS_OWN = ("asynchronous",)
_PREFIX = re.compile(r"^(aws|azure|google)_", re.IGNORECASE)
# URLs of obstore's stores, by the names of their classes: what comes before bucket and prefix.
_OBSTORE = {"S3Store": "s3", "GCSStore": "gs", "AzureStore": "az"}


class SavedPlaces:
    """Collects the stores of places, each once, as JSON has them.

    Attributes
    ----------
    stores
        The stores. `OpenedPlaces` opens them again.
    """

    def __init__(self) -> None:
        self.stores: list[dict[str, Any]] = []
        self._numbers: dict[int, int] = {}
        self._kept: list[Store] = []  # so that no other store gets the same id

    def save(self, place: StorePath, what: str) -> list[Any]:
        """Return a place as JSON has it: the number of its store, and its path in there.

        Parameters
        ----------
        place
            Place in a store.
        what
            What an error calls it, such as "the target".

        Raises
        ------
        ValueError
            If other processes cannot open the store, or not without credentials in its URL.
        """
        store = place.store
        if id(store) not in self._numbers:
            saved = _saved_store(store, what)
            if saved not in self.stores:
                self.stores.append(saved)
            self._numbers[id(store)] = self.stores.index(saved)
            self._kept.append(store)
        return [self._numbers[id(store)], place.path]


class OpenedPlaces:
    """Opens saved places, without asking for anything there.

    Parameters
    ----------
    stores
        What `SavedPlaces` has collected.
    storage_options
        Options, such as credentials, of the stores from which some were left out when they were
        saved, or, where none was left out, of all that have a URL.

    Raises
    ------
    TypeError
        If there are options, but no URL.
    """

    def __init__(
        self, stores: list[dict[str, Any]], storage_options: Mapping[str, Any] | None
    ) -> None:
        given = dict(storage_options or {})
        urls = [saved for saved in stores if "url" in saved]
        if given and not urls:
            raise TypeError("storage_options are for URLs, and no place of the plan has one")
        needy = [saved for saved in urls if saved["left_out"]] or urls
        self._stores = [_opened_store(s, given if s in needy else {}) for s in stores]

    def open(self, saved: list[Any]) -> StorePath:
        """Return a place that `SavedPlaces.save` has made JSON of."""
        number, path = saved
        return StorePath(self._stores[number], path)


def _saved_store(store: Store, what: str) -> dict[str, Any]:
    if is_process_local(store):
        raise ValueError(
            f"{what} {store} lives in the memory of this process, where others cannot find it; use "
            "a path or a URL"
        )
    on_disk = disk_path(StorePath(store))
    if isinstance(store, ZipStore) and on_disk is not None:
        return {"zip": str(on_disk)}
    if on_disk is not None and not isinstance(store, WrapperStore):
        return {"path": str(on_disk)}
    found: tuple[str, str, Mapping[str, Any]] | None = None
    if isinstance(store, FsspecStore):
        found = _of_fsspec(store)
    elif isinstance(store, ObjectStore):
        found = _of_obstore(store.store)
    if found is None:
        raise ValueError(
            f"{what} {without_secrets(store)}, a {type(store).__name__}, cannot be saved in a "
            "file; open it by a path, a URL, or an fsspec or obstore store of a URL"
        )
    opener, url, options = found
    if without_secrets(url) != url:
        raise ValueError(
            f"the URL of {what}, {without_secrets(url)}, holds credentials, which are not saved; "
            "give them as storage_options, or by the environment"
        )
    kept, left_out = _without_credentials(options)
    return {"url": url, "opener": opener, "options": kept, "left_out": sorted(left_out)}


def _of_fsspec(store: FsspecStore) -> tuple[str, str, Mapping[str, Any]] | None:
    fs = store.fs.sync_fs if hasattr(store.fs, "sync_fs") else store.fs
    if inner_filesystem(fs) is not None:
        return None  # a cache, or a folder of another filesystem
    return "fsspec", fs.unstrip_protocol(store.path), fs.storage_options


def _of_obstore(store: Any) -> tuple[str, str, Mapping[str, Any]] | None:
    name, config = type(store).__name__, dict(getattr(store, "config", None) or {})
    client = dict(getattr(store, "client_options", None) or {})
    if name == "HTTPStore":
        return "obstore", str(store.url), {"client_options": client} if client else {}
    buckets = {config.pop(key, None) for key in ("bucket", "container_name")} - {None}
    bucket = next(iter(buckets), None)  # part of the URL, and refused beside it
    if name not in _OBSTORE or bucket is None:
        return None
    options = {**config, **({"client_options": client} if client else {})}
    return "obstore", f"{_OBSTORE[name]}://{bucket}/{store.prefix or ''}".rstrip("/"), options


def _without_credentials(options: Mapping[str, Any]) -> tuple[dict[str, Any], set[str]]:
    """Return the options that are saved, and the names of all others."""
    kept: dict[str, Any] = {}
    left_out: set[str] = set()
    for name, value in options.items():
        if name in _ZARRS_OWN:
            continue
        if _PREFIX.sub("", str(name)).lower() not in _KEPT:
            left_out.add(str(name))
        elif isinstance(value, Mapping):
            inner, without = _without_credentials(value)
            kept[name] = inner
            left_out |= without
        elif isinstance(value, str | int | float | None) and without_secrets(value) == str(value):
            kept[name] = value
        else:
            left_out.add(str(name))
    return kept, left_out


def _opened_store(saved: Mapping[str, Any], given: Mapping[str, Any]) -> Store:
    if "zip" in saved:
        return ZipStore(saved["zip"], mode="r")
    if "path" in saved:
        return resolve_store(saved["path"]).store
    options = dict(saved["options"])
    for name, value in given.items():
        both = isinstance(value, Mapping) and isinstance(options.get(name), Mapping)
        options[name] = {**options[name], **value} if both else value
    store = open_url(saved["url"], options, opener=saved["opener"])
    return making_folders(StorePath(store)).store

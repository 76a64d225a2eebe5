"""URLs: the store of fsspec or obstore that a URL and its storage options stand for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib import import_module
from typing import Any, Literal

from zarr.abc.store import Store
from zarr.storage import FsspecStore, ObjectStore

from rechunker.stores.secrets import without_secrets

__all__ = ["in_threads", "is_url", "open_url"]

# Options that obstore alone knows: arguments of obstore.store.from_url, and its names of settings.
# The names of fsspec's filesystems differ (s3fs 2026.9: key, secret, client_kwargs).
_FOR_OBSTORE = re.compile(
    r"client_options|retry_config|credential_provider|access_key_id|secret_access_key|"
    r"skip_signature|(aws|azure|google)_\w+",
    re.IGNORECASE,
)
# What obstore (0.12) can open, and the package with which fsspec can.
_PACKAGES = {
    **dict.fromkeys(["s3", "s3a"], "s3fs"),
    **dict.fromkeys(["gs", "gcs"], "gcsfs"),
    **dict.fromkeys(["abfs", "abfss", "adl", "az"], "adlfs"),
    **dict.fromkeys(["http", "https"], "aiohttp"),
}


def is_url(store_like: object) -> bool:
    """Return whether fsspec would take something for a URL, other than that of a file.

    Parameters
    ----------
    store_like
        Anything.

    Examples
    --------
    >>> is_url("s3://bucket/key"), is_url("simplecache::s3://bucket/key"), is_url("file:///a")
    (True, True, False)
    """
    # The rule of fsspec: "s3://...", and chained URLs such as "simplecache::s3://...".
    return (
        isinstance(store_like, str)
        and ("://" in store_like or "::" in store_like)
        and not store_like.startswith("file:")
    )


def open_url(
    url: str, options: Mapping[str, Any], *, opener: Literal["fsspec", "obstore"] | None = None
) -> Store:
    """Return the store of a URL, without asking for anything there.

    Parameters
    ----------
    url
        The URL.
    options
        Arguments of the filesystem of fsspec, or of `obstore.store.from_url`. obstore opens the URL
        if it alone knows one of them, or if what fsspec needs for it is not installed.
    opener
        Which of the two opens it; None to choose.

    Raises
    ------
    ImportError
        If a package is missing; the message says which.
    """
    if opener == "fsspec":
        return _open_with_fsspec(url, options)
    if opener == "obstore":
        return _open_with_obstore(url, options, "its store was one of obstore", None)
    if any(_FOR_OBSTORE.fullmatch(name) for name in options):
        return _open_with_obstore(url, options, "its options are those of obstore", None)
    try:
        return _open_with_fsspec(url, options)
    except ImportError as error:
        if url.partition("://")[0] not in _PACKAGES and error.name != "fsspec":
            raise
        return _open_with_obstore(url, options, str(error), error)


def _open_with_fsspec(url: str, options: Mapping[str, Any]) -> Store:
    try:
        from fsspec.core import url_to_fs
    except ImportError as error:
        if error.name != "fsspec":
            raise
        shown = without_secrets(url)
        raise ImportError(f"{shown!r} needs fsspec: pip install fsspec", name="fsspec") from error
    try:
        return FsspecStore.from_url(url, storage_options=dict(options))
    except ValueError:
        return in_threads(*url_to_fs(url, **options))


def in_threads(fs: Any, path: str) -> Store:
    """Return a store in a folder (``dir::...``) of a filesystem that is not asynchronous.

    Zarr (3.1.6 to 3.4.2) takes it for asynchronous, and asks for what fsspec (2026.9) refuses.

    Parameters
    ----------
    fs
        A filesystem of fsspec.
    path
        Folder in it.
    """
    from fsspec.implementations.asyn_wrapper import AsyncFileSystemWrapper

    return FsspecStore(AsyncFileSystemWrapper(fs, asynchronous=True), path=path)


def _open_with_obstore(
    url: str, options: Mapping[str, Any], why: str, missing: ImportError | None
) -> Store:
    """Return the store of obstore for a URL that fsspec cannot open, and say why if it fails."""
    protocol, shown = url.partition("://")[0], without_secrets(url)
    if protocol not in _PACKAGES:
        raise missing or ValueError(
            f"obstore cannot open {shown!r}, but {why}: give options of its fsspec filesystem"
        )
    try:
        store: Any = import_module("obstore.store")
        errors: Any = import_module("obstore.exceptions")
    except ImportError as error:
        other = f"pip install fsspec {_PACKAGES[protocol]}, or " if missing else ""
        raise ImportError(
            f"{shown!r} cannot be opened: {why}; {other}pip install obstore", name="obstore"
        ) from (missing or error)
    try:
        return ObjectStore(store.from_url(url, **options))
    except (errors.BaseError, TypeError, ValueError) as error:
        error.add_note(
            f"obstore opens {shown!r}: {why}; storage_options are arguments of "
            "obstore.store.from_url"
        )
        raise

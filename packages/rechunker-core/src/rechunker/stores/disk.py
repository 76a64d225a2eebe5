"""Folders on disk: which of them is one with another, and whether one can be written to."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from zarr.storage import FsspecStore, LocalStore, ObjectStore, StorePath, ZipStore

from rechunker.stores.filesystems import innermost, protocols
from rechunker.stores.wrappers import unwrap

__all__ = [
    "check_name_on_disk",
    "check_writable",
    "disk_path",
    "is_within",
    "make_folder",
    "physical_parts",
]

_MOUNTS = Path("/proc/self/mountinfo")  # Linux: proc_pid_mountinfo(5)


def disk_path(place: StorePath) -> Path | None:
    """Return where a place lies on disk; None if it does not, or if the store does not tell.

    Parameters
    ----------
    place
        Place in a store of any kind.
    """
    store, root = unwrap(place.store), None
    if isinstance(store, LocalStore):
        root = os.fspath(store.root)
    elif isinstance(store, ZipStore):
        root = getattr(store, "path", None)  # zarr 3.4 has archives without a path
    elif isinstance(store, FsspecStore):
        fs, path = innermost(store.fs, store.path)
        root = path if "file" in protocols(fs) else None
    elif isinstance(store, ObjectStore) and type(store.store).__name__ == "LocalStore":
        root = getattr(store.store, "prefix", None) or "/"
    return None if root is None else Path(root).joinpath(*place.path.split("/"))


def make_folder(place: StorePath) -> None:
    """Make the folder of a place, if it lies on disk and is no archive.

    Parameters
    ----------
    place
        Place in a store of any kind.
    """
    path = disk_path(place)
    if path is not None and not isinstance(unwrap(place.store), ZipStore):
        path.mkdir(parents=True, exist_ok=True)


def physical_parts(path: Path) -> tuple[str, ...]:
    """Return the names that lead to a path, the same wherever its filesystem is mounted.

    Parameters
    ----------
    path
        Absolute path, which need not exist. Links are followed.
    """
    resolved = path.resolve()
    device, root, point = "", Path(resolved.anchor), Path(resolved.anchor)
    for mounted_device, mounted_root, mounted_point in _mounts():
        if resolved.is_relative_to(mounted_point) and len(mounted_point.parts) >= len(point.parts):
            device, root, point = mounted_device, mounted_root, mounted_point
    parts = (root / resolved.relative_to(point)).parts
    return (device, *map(os.path.normcase, parts))


def _mounts() -> Iterator[tuple[str, Path, Path]]:
    """Yield device, folder in its filesystem, and mount point of all mounts, the newest last."""
    try:
        lines = os.fsdecode(_MOUNTS.read_bytes()).splitlines()
    except OSError:  # not Linux
        return
    for line in lines:
        device, root, point = line.split(" ")[2:5]
        yield device, Path(_unescape(root)), Path(_unescape(point))


def _unescape(text: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), text)


def is_within(inner: Path, outer: Path) -> bool:
    """Return whether a folder is another one, or lies in it, by device and inode.

    Parameters
    ----------
    inner, outer
        Absolute paths. Of what does not exist, the first parent that does is compared.
    """
    found = next(_existing(outer), None)
    return found is not None and any(
        there[:2] == found[:2] and there[2][: len(found[2])] == found[2]
        for there in _existing(inner)
    )


def _existing(path: Path) -> Iterator[tuple[int, int, tuple[str, ...]]]:
    """Yield device and inode of all that exists of a path, and the names that follow."""
    for folder in (path, *path.parents):
        try:
            status = folder.stat()
        except OSError:
            continue
        if status.st_ino:  # some filesystems have none
            yield status.st_dev, status.st_ino, path.relative_to(folder).parts


def check_name_on_disk(path: Path, what: str) -> None:
    """Check that the system accepts a path, whether or not there is anything.

    Parameters
    ----------
    path
        Path to look at.
    what
        What is to be written there, for the error.

    Raises
    ------
    ValueError
        If a name is too long, a link leads nowhere or to itself, or a file takes the place of a
        folder.
    """
    reason = _refusal(path)
    if reason is not None:
        raise ValueError(
            f"{what} cannot be written to {path}: {reason}; choose another place or name"
        )


def _refusal(path: Path) -> str | None:
    """Return why there can be nothing at a path; None if there can be."""
    try:
        path.stat()
    except FileNotFoundError:
        pass
    except OSError as error:
        return error.strerror or str(error)
    else:
        return None
    for folder in (path, *path.parents):
        if folder.exists():
            break
        if folder.is_symlink():
            return f"{folder} is a link to what does not exist"
    for name in path.relative_to(folder).parts:
        try:
            (folder / name).lstat()
        except FileNotFoundError:
            continue
        except OSError as error:
            return error.strerror or str(error)
    return None


def check_writable(path: Path, what: str) -> None:
    """Check that a folder can be written to, or can be made.

    Parameters
    ----------
    path
        Path of the folder.
    what
        Name of the argument, for the error.

    Raises
    ------
    ValueError
        If it cannot, because of permissions or as the filesystem is read-only.
    """
    check_name_on_disk(path, what)
    folder = next(folder for folder in (path, *path.parents) if folder.exists())
    if not folder.is_dir():
        raise ValueError(f"{what} {path}: {folder} is a file, not a folder; choose another place")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ValueError(
            f"{what} {path}: the folder {folder} cannot be written to, for lack of permission or "
            "as its filesystem is read-only; choose another place"
        )

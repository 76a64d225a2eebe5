"""Target chunks of many arrays: which entries of `target_chunks` hold for which array."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Any, NamedTuple

from rechunker.metadata import LEFT_OUT, Dimensions, axis_sizes, check_names, is_size

__all__ = ["ArrayChunks", "Members", "chunks_by_array", "is_pattern", "join"]


@dataclass(frozen=True)
class Members:
    """The arrays and groups of a source.

    Parameters
    ----------
    arrays, groups
        Paths of the arrays, and of the groups around them; "" is the root.
    dims_of
        Returns the dimension names of an array, with None for an axis without a name.
    kind
        What error messages call the source.
    has_dims
        Whether dimensions are known.
    in_one_chunk
        Returns whether an array is written in one chunk where sizes of dimensions, or the chunks
        of arrays next to it, are given, but no chunks of its own.
    selects
        Whether a dict without sizes of dimensions stands for the arrays that it names alone.
    """

    arrays: Collection[str]
    groups: Collection[str]
    dims_of: Callable[[str], Dimensions]
    kind: str
    has_dims: bool = True
    in_one_chunk: Callable[[str], bool] = field(default=lambda path: False)
    selects: bool = False

    @cached_property
    def dims(self) -> frozenset[str]:
        """Names of all dimensions."""
        found = (name for path in self.arrays for name in self.dims_of(path))
        return frozenset(name for name in found if name is not None)


class ArrayChunks(NamedTuple):
    """Chunks of one array, in a form that `normalize_chunks` takes.

    Parameters
    ----------
    chunks
        The chunks; None to keep those of the source.
    what
        Name of the chunks in error messages.
    """

    chunks: Any
    what: str


def chunks_by_array(
    chunks: Any, members: Members, what: str = "target_chunks"
) -> dict[str, ArrayChunks]:
    """Return the target chunks of all arrays that are copied.

    Parameters
    ----------
    chunks
        None or an empty dict keeps all chunks. "auto", a number of bytes or -1 stands for all
        axes. In a dict, a key is the path of an array, or a pattern of such paths, and its value
        the chunks of that array; or the path of a group, and its value is what may stand here, for
        the arrays right in it; or the name of a dimension, or ``...`` for all others, and its value
        a size. A name that is both is that of the dimension if its value is a single size. Other
        names are ignored if their value is None.
    members
        Arrays and groups of the source.
    what
        Name of `chunks` in error messages.

    Returns
    -------
    dict
        Chunks by path. Along each axis the size comes from the first of these that has one: the
        entry of the array, patterns (the last first), sizes of dimensions of its group, sizes of
        dimensions of the source; or else it stays the same.

    Raises
    ------
    TypeError, ValueError
        If `chunks` is no such dict, or an entry is not allowed.
    """
    entries = _Entries()
    _parse(entries, members, None, chunks, what)
    selected = _selected(entries, members, what)
    return {path: _chunks_of(entries, members, path, what) for path in selected}


def is_pattern(key: Any) -> bool:
    """Return whether a key stands for all arrays whose path matches it.

    Parameters
    ----------
    key
        Key of a dict by path.
    """
    return isinstance(key, str) and any(character in key for character in "*?[")


@dataclass(frozen=True)
class _Entries:
    """Entries by path of an array; patterns in their order; sizes by dimension, by path of a group.

    Sizes without a path are for all groups. They are None where all chunks are kept. `beside` are
    the groups that hold arrays with entries of their own.
    """

    arrays: dict[str, ArrayChunks] = field(default_factory=dict)
    patterns: list[tuple[str, ArrayChunks]] = field(default_factory=list)
    sizes: dict[str | None, dict[Any, Any] | None] = field(default_factory=dict)
    beside: set[str] = field(default_factory=set)
    ignored: list[Any] = field(default_factory=list)

    def own(self, path: str) -> list[ArrayChunks]:
        """Return the entries for an array by its path or a pattern, the strongest first."""
        found = [self.arrays[path]] if path in self.arrays else []
        matching = (e for pattern, e in reversed(self.patterns) if fnmatchcase(path, pattern))
        return [*found, *matching]

    def speaks_of(self, group: str | None) -> bool:
        """Return whether there is an entry for a group that holds for the arrays right in it."""
        sizes = self.sizes.get(group, {})
        return sizes is None or any(size is not None for size in sizes.values())


def _parse(entries: _Entries, members: Members, base: str | None, chunks: Any, what: str) -> None:
    """Sort the entries for a group by their kind."""
    if isinstance(chunks, str) or (is_size(chunks) and chunks == -1):
        chunks = {...: chunks}
    if chunks is not None and not isinstance(chunks, Mapping):
        raise TypeError(
            f"{what}={chunks!r}: the source is a {members.kind}; give a dict by name of its "
            "dimensions, or by name of its variables or path of its arrays, which are "
            f"{', '.join(sorted(members.arrays)) or 'none'}"
        )
    if base in entries.sizes:
        raise ValueError(f"{what}: there are two entries for the group {base!r}; give one")
    entries.sizes[base] = {} if chunks else None
    for key, value in (chunks or {}).items():
        _parse_entry(entries, members, base, (key, value), what)


def _parse_entry(
    entries: _Entries, members: Members, base: str | None, item: tuple[Any, Any], what: str
) -> None:
    key, value = item
    path = join(base, key) if isinstance(key, str) else None
    entry = ArrayChunks(value, f"{what}[{'...' if key is ... else repr(key)}]")
    one_size = value is None or is_size(value)
    is_array = path is not None and path in members.arrays
    is_group = path is not None and path in members.groups
    if key is ... or ((one_size or not (is_array or is_group)) and key in members.dims):
        if not one_size:
            raise TypeError(
                f"{entry.what} must be one size, or -1 for the whole dimension, got {value!r}"
            )
        axis_sizes((value,), 1, None, entry.what)
        entries.sizes[base] = {**(entries.sizes[base] or {}), key: value}
        is_array = is_array and value is None
    elif is_group:
        _parse(entries, members, str(path), value, entry.what)
    elif not is_array and is_pattern(key) and any(_matching(members, path)):
        _check_pattern(members, str(path), entry)
        entries.patterns.append((str(path), entry))
        entries.beside.update(map(_parent, _matching(members, path)))
    elif not is_array and value is None:
        entries.ignored.append(key)
    elif not is_array:
        _refuse(members, base, key, what)
    if is_array:
        entries.beside.add(_parent(str(path)))
        if entries.arrays.setdefault(str(path), entry) is not entry:
            raise ValueError(f"{what}: there are two entries for the array {path!r}; give one")


def join(base: str | None, key: str) -> str:
    """Return the path of what a key names in a group.

    Parameters
    ----------
    base
        Path of the group; None or "" for the source itself.
    key
        Path within the group; slashes around it do not matter.
    """
    return "/".join(part for part in (base, key.strip("/")) if part)


def _parent(path: str) -> str:
    return path.rpartition("/")[0]


def _matching(members: Members, pattern: str | None) -> Iterator[str]:
    return (path for path in members.arrays if fnmatchcase(path, str(pattern)))


def _refuse(members: Members, base: str | None, key: Any, what: str) -> None:
    paths = {*members.arrays, *members.groups}
    inside = {path.removeprefix(base or "").strip("/") for path in paths}
    check_names([key], {*members.dims, *(inside if base else paths)} - {"", key}, what)


def _check_pattern(members: Members, pattern: str, entry: ArrayChunks) -> None:
    """Check that each dimension in an entry belongs to an array that the pattern matches."""
    if isinstance(entry.chunks, Mapping):
        known = {name for path in _matching(members, pattern) for name in members.dims_of(path)}
        named = {name: size for name, size in entry.chunks.items() if name is not ...}
        check_names([name for name, size in named.items() if size is not None], known, entry.what)


def _selected(entries: _Entries, members: Members, what: str) -> list[str]:
    """Return the paths of the arrays that are copied."""
    everything = list(members.arrays)
    if not members.selects or entries.speaks_of(None):
        return everything
    groups = {group for group in entries.sizes if entries.speaks_of(group)}
    named = [path for path in everything if entries.own(path) or _parent(path) in groups]
    if not named and entries.ignored:
        _refuse(members, None, entries.ignored[0], what)
    if not named and len(entries.sizes) > 1:
        raise ValueError(
            f"{what}: there are no arrays right in {', '.join(map(repr, groups))}; for those in "
            "the groups below, give a pattern such as 'group/*'"
        )
    return named or everything


def _chunks_of(entries: _Entries, members: Members, path: str, what: str) -> ArrayChunks:
    """Return the chunks of one array, from all entries that hold for it."""
    own, group, dims = entries.own(path), _parent(path), members.dims_of(path)
    levels = [entries.sizes[place] for place in (group, None) if place in entries.sizes]
    label = own[0].what if own else f"{what} for {path!r}"
    beside = group in entries.beside or any(map(entries.speaks_of, (group, None)))
    if not own and levels[0] is not None and beside and members.in_one_chunk(path):
        return ArrayChunks(-1, label)
    if path in entries.arrays:
        _check_entry(entries.arrays[path], dims)
    layers = [_sizes_of(entry, dims) for entry in own] + [_by_name(sizes, dims) for sizes in levels]
    found: list[Any] = [LEFT_OUT] * len(dims)
    for sizes in layers:
        found = [new if old is LEFT_OUT else old for old, new in zip(found, sizes, strict=True)]
    kept = [None if size is LEFT_OUT else size for size in found]
    return ArrayChunks(None if all(size is None for size in kept) else tuple(kept), label)


def _keeps(chunks: Any) -> bool:
    return chunks is None or (isinstance(chunks, Mapping) and not chunks)


def _check_entry(entry: ArrayChunks, dims: Dimensions) -> None:
    """Check the entry of an array; a pattern may name dimensions that an array does not have."""
    if not _keeps(entry.chunks):
        axis_sizes(entry.chunks, len(dims), dims if any(dims) else None, entry.what)


def _sizes_of(entry: ArrayChunks, dims: Dimensions) -> list[Any]:
    """Return the sizes of all axes in the entry of an array or a pattern."""
    chunks, what = entry
    if _keeps(chunks) or isinstance(chunks, Mapping):
        return _by_name(chunks or None, dims)
    return axis_sizes(chunks, len(dims), None, what)


def _by_name(sizes: Mapping[Any, Any] | None, dims: Dimensions) -> list[Any]:
    """Return the sizes of all axes in sizes by dimension."""
    if sizes is None:
        return [None] * len(dims)
    rest = sizes.get(..., LEFT_OUT)
    return [rest if name is None else sizes.get(name, rest) for name in dims]

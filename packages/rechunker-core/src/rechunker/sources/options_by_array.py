"""Options of many arrays: which entries of `target_options` hold for which array."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from rechunker.metadata import check_names
from rechunker.sources.target_chunks import Members, is_pattern, join

__all__ = ["Given", "options_by_array"]

# Two names of one option.
_ALIASES = {"compressor": "compressors", "compressors": "compressor"}


class Given(NamedTuple):
    """Options of one array as the user gave them.

    Parameters
    ----------
    options
        Values by name.
    where
        Name of the options in error messages.
    """

    options: Mapping[str, Any]
    where: str


@dataclass(frozen=True)
class _Entries:
    """Entries in the order in which they are applied: those of patterns, then those of arrays."""

    patterns: list[tuple[str, Given]] = field(default_factory=list)
    arrays: dict[str, Given] = field(default_factory=dict)


def options_by_array(
    options: Mapping[Any, Any] | None, members: Members, what: str = "target_options"
) -> dict[str, Given]:
    """Return the options of all arrays that have some.

    Parameters
    ----------
    options
        Options by path of an array; by a pattern of such paths, or ``...`` for all arrays; or by
        path of a group, whose entry is such a dict for the arrays in it.
    members
        Arrays and groups of the source.
    what
        Name of `options` in error messages.

    Returns
    -------
    dict
        Options by path of an array. Those of its own entry replace those of patterns, of which the
        last has precedence.

    Raises
    ------
    TypeError, ValueError
        If an entry is no dict, or there is no such array.
    """
    entries = _Entries()
    _parse(entries, members, "", options or {}, what)
    merged: dict[str, Given] = {}
    for path in members.arrays:
        own = [entries.arrays[path]] if path in entries.arrays else []
        matching = [
            _of_array(given, members, path)
            for pattern, given in entries.patterns
            if fnmatchcase(path, pattern)
        ]
        for given in (*matching, *own):
            before = merged[path].options if path in merged else {}
            others = {k: v for k, v in before.items() if _ALIASES.get(k) not in given.options}
            merged[path] = Given({**others, **given.options}, given.where)
    return merged


def _parse(entries: _Entries, members: Members, base: str, options: Any, what: str) -> None:
    _check(options, f"{what} must be a dict by name of a variable, or by path of an array")
    for key, value in options.items():
        path = join(base, key) if isinstance(key, str) else None
        given = Given(value, f"{what}[{'...' if key is ... else repr(key)}]")
        if path in members.groups and path not in members.arrays:
            _parse(entries, members, str(path), value, given.where)
            continue
        every = key is ... or key == "*"
        pattern = join(base, "*") if every else str(path)
        matched = [name for name in members.arrays if fnmatchcase(name, pattern)]
        if path not in members.arrays and not every and not (is_pattern(key) and matched):
            prefix = f"{base}/" if base else ""
            paths = (p for p in (*members.arrays, *members.groups) if p.startswith(prefix))
            check_names([key], {p.removeprefix(prefix) for p in paths} - {"", key}, what)
        _check(value, f"{given.where} must be a dict of options by name")
        if path in members.arrays:
            entries.arrays[str(path)] = given
        else:
            _check_dimensions(members, matched, given)
            entries.patterns.append((pattern, given))


def _check(value: Any, message: str) -> None:
    if not isinstance(value, Mapping):
        raise TypeError(f"{message}, got {value!r}")


def _by_dimension(given: Given) -> Mapping[Any, Any]:
    """Return the shards in options, if they are sizes by dimension."""
    shards = given.options.get("shards")
    return shards if isinstance(shards, Mapping) and "shape" not in shards else {}


def _check_dimensions(members: Members, matched: list[str], given: Given) -> None:
    """Check that each dimension of the shards belongs to an array that the pattern matches."""
    named = [name for name in _by_dimension(given) if name is not ...]
    known = {name for path in matched for name in members.dims_of(path)}
    if named and members.has_dims:
        check_names(named, known, f"{given.where}['shards']")


def _of_array(given: Given, members: Members, path: str) -> Given:
    """Return the options of a pattern for one array, which may lack dimensions of the shards."""
    if "shards" not in given.options:
        return given
    dims, shards = members.dims_of(path), _by_dimension(given)
    options = dict(given.options)
    if not dims:
        del options["shards"]
    elif shards:
        options["shards"] = {k: v for k, v in shards.items() if k is ... or k in dims}
    return given._replace(options=options)

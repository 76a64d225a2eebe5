"""Chunk specifications as words of a command line: `time=-1,lat=10`, `100,100`, `auto`, JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rechunker.sizes import parse_bytes

__all__ = ["chunks_to_texts", "parse_chunks"]

# What a name must not have in it, or JSON is needed.
_NAME = re.compile(r"[^\s,=:{}\[\]\"'](?:[^,=:{}\[\]\"']*[^\s,=:{}\[\]\"'])?")
_OF_ARRAY = re.compile(rf"\s*({_NAME.pattern})\s*:(.+)", re.DOTALL)
_FORMS = "give time=100,lat=-1 or 100,100 or auto or 100MB, ARRAY:... for one array, or JSON"


def parse_chunks(texts: Sequence[str]) -> Any:
    """Return the chunks, as `rechunker.rechunk` takes them, that some texts stand for together.

    Parameters
    ----------
    texts
        Each is one of: sizes by name, ``"time=-1,...=100MB"``; one size for each axis,
        ``"100,100"``; a single size; one of these for one array, ``"air:time=10"``; or JSON. A size
        is a number of elements, -1, "auto", "none" to keep it, or a number of bytes.

    Raises
    ------
    ValueError
        If a text is none of these, or two of them contradict each other.

    Examples
    --------
    >>> parse_chunks(["time=-1,...=100MB", "air:10,20"])
    {'time': -1, Ellipsis: '100MB', 'air': (10, 20)}
    >>> parse_chunks(["100,100"])
    (100, 100)
    """
    parts = [_parse(text) for text in texts]
    if len(parts) < 2:
        return parts[0] if parts else None
    merged: dict[Any, Any] = {}
    for text, part in zip(texts, parts, strict=True):
        if isinstance(part, tuple):
            raise ValueError(
                f"chunks {text!r} are for a single array, and there are others; give "
                f"ARRAY:{text} for one of several arrays"
            )
        _merge(merged, part if isinstance(part, dict) else {...: part}, text)
    return merged


def chunks_to_texts(chunks: Any) -> list[str]:
    """Return texts that `parse_chunks` turns into the given chunks.

    Parameters
    ----------
    chunks
        `target_chunks` of `rechunker.rechunk`: None, a size, a tuple of sizes, or a dict.

    Examples
    --------
    >>> chunks_to_texts({"time": -1, ...: "100MB", "air": (10, 20)})
    ['time=-1,...=100MB', 'air:10,20']
    """
    if not isinstance(chunks, Mapping) or not chunks or not all(map(_is_plain, chunks)):
        return [_text_of(chunks)]
    texts: list[str] = []
    joinable = False
    for key, value in chunks.items():
        is_size = not isinstance(value, Mapping | tuple)
        name = "..." if key is ... else key
        if not is_size and key is ...:
            return [_to_json(chunks)]
        text = f"{name}={_size_text(value)}" if is_size else f"{name}:{_text_of(value)}"
        if is_size and joinable:
            texts[-1] += f",{text}"
        else:
            texts.append(text)
        joinable = is_size
    return texts


def _parse(text: str) -> Any:
    stripped = text.strip()
    if stripped[:1] in ("{", "["):
        return _from_json(stripped)
    of_array = _OF_ARRAY.fullmatch(stripped)
    if of_array is not None:
        rest = of_array[2].strip()
        return {of_array[1]: _from_json(rest) if rest[:1] in ("{", "[") else _sizes(rest)}
    return _sizes(stripped)


def _sizes(text: str) -> Any:
    """Return a size, a tuple of sizes, or a dict of sizes by name."""
    items = [item.strip() for item in text.split(",")]
    if not any("=" in item for item in items):
        sizes = tuple(_size(item, text) for item in items)
        return sizes if len(sizes) > 1 else sizes[0]
    named: dict[Any, Any] = {}
    for item in items:
        name, _, size = (part.strip() for part in item.partition("="))
        if not size or not _NAME.fullmatch(name):
            raise ValueError(f"chunks {text!r}: {item!r} is not NAME=SIZE; {_FORMS}")
        _merge(named, {... if name == "..." else name: _size(size, text)}, text)
    return named


def _size(word: str, text: str) -> int | str | None:
    if word.lower() in ("auto", "none"):
        return "auto" if word.lower() == "auto" else None
    if re.fullmatch(r"[+-]?[0-9]+", word):
        return int(word)
    try:
        if not word[-1:].isalpha():
            raise ValueError
        parse_bytes(word)
    except ValueError:
        raise ValueError(
            f"chunks {text!r}: {word!r} is not a size; a size is a number of elements, -1, auto, "
            f"none, or bytes such as 100MB. {_FORMS[0].upper()}{_FORMS[1:]}"
        ) from None
    return word


def _merge(into: dict[Any, Any], part: Mapping[Any, Any], text: str) -> None:
    for key, value in part.items():
        known = into.get(key)
        if key not in into:
            into[key] = dict(value) if isinstance(value, dict) else value
        elif isinstance(known, dict) and isinstance(value, dict):
            _merge(known, value, text)
        else:
            name = "..." if key is ... else key
            raise ValueError(f"chunks {text!r}: {name!r} is given twice")


def _from_json(text: str) -> Any:
    def pairs(items: Iterable[tuple[str, Any]]) -> dict[Any, Any]:
        found: dict[Any, Any] = {}
        for key, value in items:
            _merge(found, {... if key == "..." else key: value}, text)
        return found

    try:
        return _tuples(json.loads(text, object_pairs_hook=pairs))
    except json.JSONDecodeError as error:
        raise ValueError(f"chunks {text!r} are not JSON: {error}") from None


def _tuples(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(map(_tuples, value))
    if isinstance(value, dict):
        return {key: _tuples(inner) for key, inner in value.items()}
    return value


def _is_plain(key: Any) -> bool:
    return key is ... or (key != "..." and _NAME.fullmatch(key) is not None)


def _size_text(size: Any) -> str:
    return "none" if size is None else str(size)


def _text_of(chunks: Any) -> str:
    """Return a single text for chunks, which is JSON if nothing else will do."""
    if isinstance(chunks, tuple):
        return ",".join(map(_size_text, chunks)) if len(chunks) > 1 else _to_json(chunks)
    if isinstance(chunks, Mapping):
        texts = chunks_to_texts(chunks) if chunks and all(map(_is_plain, chunks)) else []
        return texts[0] if len(texts) == 1 and ":" not in texts[0] else _to_json(chunks)
    return _size_text(chunks)


def _to_json(chunks: Any) -> str:
    def named(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {"..." if k is ... else k: named(inner) for k, inner in value.items()}
        return [named(inner) for inner in value] if isinstance(value, tuple) else value

    return json.dumps(named(chunks))

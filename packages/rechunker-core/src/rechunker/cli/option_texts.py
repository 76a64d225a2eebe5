"""Options as words of a command line: codecs, options by name, and JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from numcodecs.registry import codec_registry
from zarr.errors import UnknownCodecError
from zarr.registry import get_codec_class

from rechunker.stores import without_secrets

__all__ = ["parse_codecs", "parse_object", "parse_settings", "secrets_of"]

# Values of these names are texts, and shown nowhere, whatever they look like. (Other names of
# secrets are known to `without_secrets`.)
_SECRET = frozenset({"key", "pwd", "auth", "sig", "sas", "user", "username"})


def parse_codecs(texts: Sequence[str]) -> Any:
    """Return what the option ``compressors`` takes, for codecs given as texts.

    Parameters
    ----------
    texts
        Each is ``"NAME"`` or ``"NAME:key=value,key=value"``, where the name is that of a codec of
        Zarr format 3 or of numcodecs; or JSON, which is metadata of a codec. A single text may also
        be "none" or "auto".

    Raises
    ------
    ValueError
        If a text is none of these.

    Examples
    --------
    >>> parse_codecs(["zstd:level=3"])
    ({'name': 'zstd', 'configuration': {'level': 3}},)
    >>> parse_codecs(["zlib:level=3"]), parse_codecs(["none"])
    (({'id': 'zlib', 'level': 3},), None)
    """
    if len(texts) == 1 and texts[0].strip().lower() in ("none", "auto"):
        return None if texts[0].strip().lower() == "none" else "auto"
    return tuple(map(_codec, texts))


def _codec(text: str) -> Mapping[str, Any]:
    if text.strip().startswith("{"):
        return parse_object(text, "codec")
    name, _, rest = text.strip().partition(":")
    named = {}
    for item in filter(None, rest.split(",")):
        key, equals, value = (part.strip() for part in item.partition("="))
        if not key or not equals:
            raise ValueError(
                f"codec {text!r}: {item!r} is not key=value; give zstd, zstd:level=3, none, auto, "
                "or JSON"
            )
        named[key] = _value(value)
    if not name or name.lower() in ("none", "auto"):
        raise ValueError(f"codec {text!r} has no name, or none and auto stand next to others")
    if _is_of_zarr(name):
        return {"name": name, "configuration": named}
    if name not in codec_registry:
        raise ValueError(f"codec {text!r}: neither zarr nor numcodecs has a codec named {name!r}")
    return {"id": name, **named}


def _is_of_zarr(name: str) -> bool:
    try:
        get_codec_class(name)
    except (KeyError, UnknownCodecError):  # zarr 3.1.6 raises the former
        return False
    return True


def parse_object(text: str, what: str) -> dict[str, Any]:
    """Return the object in a text, which is JSON.

    Parameters
    ----------
    text
        The text.
    what
        What error messages call it.

    Raises
    ------
    ValueError
        If the text is something else. The message does not show the text.
    """
    try:
        found = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"{what}: not JSON, {error}") from None
    if not isinstance(found, dict):
        raise ValueError(f"{what}: the JSON must be an object, as in '{{\"name\": ...}}'")
    return found


def parse_settings(texts: Sequence[str], what: str = "storage options") -> dict[str, Any] | None:
    """Return the options by name that some texts stand for together; None if there are none.

    Parameters
    ----------
    texts
        Each is ``"name=value"``, where dots in the name lead into a dict; or a JSON object.
    what
        What error messages call them.

    Raises
    ------
    ValueError
        If a text is something else. The message does not show it.

    Examples
    --------
    >>> parse_settings(["anon=true", "client_kwargs.endpoint_url=http://localhost:9000"])
    {'anon': True, 'client_kwargs': {'endpoint_url': 'http://localhost:9000'}}
    """
    options: dict[str, Any] = {}
    for text in texts:
        if text.strip().startswith("{"):
            part = parse_object(text, what)
        else:
            name, equals, value = text.partition("=")
            if not name.strip() or not equals:
                raise ValueError(f"{what}: give name=value, or a JSON object")
            *around, last = name.strip().split(".")
            part = {last: value if _is_secret(last) else _value(value)}
            for outer in reversed(around):
                part = {outer: part}
        _update(options, part)
    return options or None


def secrets_of(options: Mapping[str, Any] | None) -> frozenset[str]:
    """Return the values among options that nobody is to see.

    Parameters
    ----------
    options
        Options by name, of a store or of an executor.
    """
    found: set[str] = set()
    for name, value in (options or {}).items():
        if isinstance(value, Mapping):
            found |= secrets_of(value)
        elif isinstance(value, str):
            found |= {value} if _is_secret(str(name)) else _passwords(value)
    return frozenset(found)


def _passwords(text: str) -> set[str]:
    """Return the password of a text that is a URL with one."""
    try:
        password = urlsplit(text).password
    except ValueError:
        return set()
    return {password} if password else set()


def _is_secret(name: str) -> bool:
    return name.lower() in _SECRET or without_secrets(f"{name}=hidden") != f"{name}=hidden"


def _value(text: str) -> Any:
    """Return a number, true, false, null or a list as JSON has it; anything else is a text."""
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def _update(options: dict[str, Any], part: Mapping[str, Any]) -> None:
    for name, value in part.items():
        known = options.get(name)
        if isinstance(known, dict) and isinstance(value, dict):
            _update(known, value)
        else:
            options[name] = value

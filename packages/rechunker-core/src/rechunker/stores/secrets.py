"""Secrets: texts and errors are shown without the credentials that a URL or an option may hold."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["hide_secrets", "secrets_hidden", "without_secrets"]

# Name of a parameter, an option, a header or an element that holds a secret. An access key without
# its secret cannot be used, but nobody wants to see it in a log either. Names have a limit, so that
# long texts are searched in one go.
_NAME = (
    r"[\w.-]{0,40}(?:secret|password|passwd|signature|credential|token(?!i)|access_?key|account_?key|"
    r"api_?key|private_?key|sas_?key)[\w.-]{0,40}"
)
# Names of parameters that mean something else outside a query string.
_SHORT = r"(?:sig|key|auth|pwd)"
_HIDDEN = "***"
_PATTERNS = (
    # https://user:password@host; but abfs://container@account
    (re.compile(r"(?<!abfs://)(?<!abfss://)(?<=://)[^/\s\"'<>]*@"), ""),
    # ?X-Amz-Signature=..., &sig=...
    (
        re.compile(rf"((?:[?&;]{_NAME}|[?&]{_SHORT})=)[^&#;\s\"'<>()\[\]{{}},]*", re.IGNORECASE),
        rf"\1{_HIDDEN}",
    ),
    # Authorization: AWS4-HMAC-SHA256 Credential=..., Signature=...
    (re.compile(r"\b(Credential|Signature)=[^\s,&\"'<>]+"), rf"\1={_HIDDEN}"),
    # Authorization: Bearer ...
    (
        re.compile(r"(authorization[\"']?\s*[:=]\s*[\"']?(?:Bearer|Basic)) +[\w.~+/=-]+", re.I),
        rf"\1 {_HIDDEN}",
    ),
    # AWS_SECRET_ACCESS_KEY=..., secret=...
    (
        re.compile(rf"((?<![\w.-]){_NAME}=)(?![\"'\s*])[^\s,;&#\"'<>()\[\]{{}}]+", re.IGNORECASE),
        rf"\1{_HIDDEN}",
    ),
    # 'secret': '...', secret="...", password: Some("...")
    (
        re.compile(
            rf"((?<![\w.-]){_NAME}[\"']?\s*[:=]\s*(?:Some\(\s*)?b?)(?:\"[^\"]*\"|'[^']*')",
            re.IGNORECASE,
        ),
        rf"\1'{_HIDDEN}'",
    ),
    # <AWSAccessKeyId>...</AWSAccessKeyId>
    (re.compile(rf"(<{_NAME}>)[^<]*(?=</)", re.IGNORECASE), rf"\1{_HIDDEN}"),
)


def without_secrets(text: object) -> str:
    """Return a text, such as that of a place or of an error, without the credentials in it.

    Names and passwords before the host of a URL are left out. Instead of the values of parameters,
    options, headers and elements whose names speak of secrets there are three stars.

    Parameters
    ----------
    text
        A text, or what has one.

    Examples
    --------
    >>> without_secrets("https://user:secret@host/a.zarr?X-Amz-Signature=1234&versionId=5")
    'https://host/a.zarr?X-Amz-Signature=***&versionId=5'
    >>> without_secrets({"secret": "1234", "anon": False})
    "{'secret': '***', 'anon': False}"
    """
    shown = str(text)
    for pattern, instead in _PATTERNS:
        shown = pattern.sub(instead, shown)
    return shown


def hide_secrets(error: BaseException) -> bool:
    """Take the credentials out of the texts of an error, its notes, its cause and its context.

    Parameters
    ----------
    error
        The error, which is changed.

    Returns
    -------
    bool
        Whether its text, and that of all behind it, is now free of them. Some errors make their
        text of other things than their arguments.
    """
    free = True
    for each in _behind(error):
        if without_secrets(each) != str(each) or without_secrets(repr(each)) != repr(each):
            each.args = tuple(map(_hidden, each.args))
            if isinstance(each, OSError):  # it keeps what it was made of
                each.strerror, each.filename = _hidden(each.strerror), _hidden(each.filename)
            free = free and without_secrets(each) == str(each)
        notes = getattr(each, "__notes__", None)
        if notes:
            notes[:] = map(without_secrets, notes)
    return free


@contextmanager
def secrets_hidden() -> Iterator[None]:
    """Take the credentials out of errors that leave the context."""
    try:
        yield
    except Exception as error:
        if not hide_secrets(error):
            raise RuntimeError(without_secrets(f"{type(error).__name__}: {error}")) from None
        raise


def _hidden(value: Any) -> Any:
    return without_secrets(value) if isinstance(value, str) else value


def _behind(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and those that led to it, each once."""
    waiting, seen = [error], set[int]()
    while waiting:
        each = waiting.pop()
        if id(each) not in seen:
            seen.add(id(each))
            yield each
            waiting += [e for e in (each.__cause__, each.__context__) if e is not None]
            waiting += each.exceptions if isinstance(each, BaseExceptionGroup) else ()

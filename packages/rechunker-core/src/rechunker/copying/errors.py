"""Errors of tasks: their message says which stage, which object and which chunk they are about."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType

from rechunker.stores import hide_secrets, without_secrets

__all__ = ["CopyError", "error_at"]


class CopyError(RuntimeError):
    """A task could not read, decode, encode or write an object.

    The message names the stage (and in it the array), the chunk and its key in the store, and
    holds what was raised, which is the cause of this error: some engines hand on neither causes
    nor notes. Credentials are left out; a cause that cannot be shown without them is no cause.
    """


class error_at:  # noqa: N801 - a context, and a class because every chunk enters two of them
    """Raise a `CopyError` that says where it happened for any error within the context.

    Contexts may be nested: the message names the outer place first.

    Parameters
    ----------
    where
        Returns the description of a place.
    """

    def __init__(self, where: Callable[[], str]) -> None:
        self._where = where

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: object, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, CopyError):
            raise CopyError(without_secrets(f"{self._where()}, {error}")) from error.__cause__
        if isinstance(error, Exception):
            text = without_secrets(f"{self._where()}: {type(error).__name__}: {error}")
            if hide_secrets(error):
                raise CopyError(text) from error
            raise CopyError(text) from None

"""Errors of tasks: their message says which stage, which object and which chunk they are about."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rechunker.stores import hide_secrets, without_secrets

__all__ = ["CopyError", "error_at"]


class CopyError(RuntimeError):
    """A task could not read, decode, encode or write an object.

    The message names the stage (and in it the array), the chunk and its key in the store, and
    holds what was raised, which is the cause of this error: some engines hand on neither causes
    nor notes. Credentials are left out; a cause that cannot be shown without them is no cause.
    """


@contextmanager
def error_at(where: Callable[[], str]) -> Iterator[None]:
    """Raise a `CopyError` that says where it happened for any error within the context.

    Contexts may be nested: the message names the outer place first.

    Parameters
    ----------
    where
        Returns the description of a place.
    """
    try:
        yield
    except CopyError as error:
        raise CopyError(without_secrets(f"{where()}, {error}")) from error.__cause__
    except Exception as error:
        text = without_secrets(f"{where()}: {type(error).__name__}: {error}")
        if hide_secrets(error):
            raise CopyError(text) from error
        raise CopyError(text) from None

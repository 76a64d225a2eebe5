"""Wording: parts of the error and warning messages of several modules."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Collection, Iterable
from difflib import get_close_matches

__all__ = ["REFUSALS", "check_names", "did_you_mean", "refusal", "warn_user"]

# Errors that Zarr and codecs raise for bad arguments; only Exception is a base class of all.
REFUSALS = (TypeError, ValueError, LookupError, AttributeError, ArithmeticError, RuntimeError)


def did_you_mean(name: object, known: Iterable[str]) -> str:
    """Return the end of a sentence about an unknown name: a suggestion, or a full stop.

    Parameters
    ----------
    name
        The unknown name.
    known
        Names to suggest.

    Examples
    --------
    >>> print("there is no 'shard'" + did_you_mean("shard", ["order", "shards"]))
    there is no 'shard'; did you mean 'shards'?
    >>> print("there is no 'x'" + did_you_mean("x", ["order", "shards"]))
    there is no 'x'.
    """
    close = get_close_matches(str(name), list(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else "."


def check_names(names: Iterable[object], known: Collection[object], argument: str) -> None:
    """Check that an argument names only arrays, variables or dimensions of the source.

    Parameters
    ----------
    names
        Names in the argument.
    known
        Names in the source.
    argument
        Name of the argument in error messages.

    Raises
    ------
    ValueError
        If the source has no such name.
    """
    available = sorted(map(str, known))
    for name in names:
        if name not in known:
            raise ValueError(
                f"{argument}: the source has no {name!r}{did_you_mean(name, available)} "
                f"It has {', '.join(available) or 'none'}"
            )


def refusal(what: str, error: Exception) -> TypeError | ValueError:
    """Return an error that says what Zarr or a codec rejects, and why.

    Parameters
    ----------
    what
        Text before the reason.
    error
        Error of one of the classes `REFUSALS`, whose message is the reason.

    Returns
    -------
    TypeError or ValueError
        TypeError if `error` is one, otherwise ValueError.
    """
    kind = TypeError if isinstance(error, TypeError) else ValueError
    return kind(f"{what}: {str(error) or repr(error)}")


def warn_user(message: str, category: type[Warning]) -> None:
    """Issue a warning that points at the line outside Rechunker that called it.

    Parameters
    ----------
    message
        Text of the warning.
    category
        Class of the warning.
    """
    # Python 3.12 has warnings.warn(skip_file_prefixes=...).
    level, frame = 1, sys._getframe()
    while frame.f_back is not None and _is_ours(frame.f_globals.get("__name__", "")):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)


def _is_ours(module: str) -> bool:
    return module.split(".")[0] == "rechunker"

"""Words of errors that several modules raise."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

__all__ = ["did_you_mean"]


def did_you_mean(word: object, known: Iterable[str]) -> str:
    """Return the end of a sentence that says that a word is not known.

    Parameters
    ----------
    word
        What was given.
    known
        What there is.

    Examples
    --------
    >>> print("there is no 'shard'" + did_you_mean("shard", ["order", "shards"]))
    there is no 'shard'; did you mean 'shards'?
    >>> print("there is no 'x'" + did_you_mean("x", ["order", "shards"]))
    there is no 'x'.
    """
    close = get_close_matches(str(word), list(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else "."

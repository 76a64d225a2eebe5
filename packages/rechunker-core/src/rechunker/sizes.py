"""Sizes of memory as people write them."""

from __future__ import annotations

import operator
import re
from decimal import Decimal
from typing import SupportsIndex

__all__ = ["format_bytes", "parse_bytes"]

PREFIXES = ("", "k", "M", "G", "T", "P", "E")
SIZE = re.compile(
    r"(?P<number>(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[+-]?[0-9]{1,2})?)"
    r"\s*(?:(?P<prefix>[kmgtpe])(?P<binary>i?))?b?",
    re.IGNORECASE,
)


def parse_bytes(value: SupportsIndex | float | str) -> int:
    """Return a size of memory as a number of bytes.

    Parameters
    ----------
    value
        A positive whole number of bytes, or a string: a decimal number and a unit, with or without
        a blank between them, in capitals or not. Units are ``B`` (also where there is none),
        ``kB``, ``MB``, ``GB``, ``TB``, ``PB``, ``EB`` (powers of 1000) and ``KiB``, ``MiB`` ...
        ``EiB`` (powers of 1024); their ``B`` can be left out.

    Returns
    -------
    int
        Whole bytes, at least one; a fraction of a byte is dropped.

    Raises
    ------
    TypeError
        If it is neither a number of bytes nor a string.
    ValueError
        If the string is not a size, or the size is less than one byte.

    Examples
    --------
    >>> parse_bytes("500MB"), parse_bytes("1 GiB"), parse_bytes(".5gb"), parse_bytes("1e6")
    (500000000, 1073741824, 500000000, 1000000)
    """
    size = _from_string(value) if isinstance(value, str) else _from_number(value)
    if size < 1:
        raise ValueError(f"memory must be at least one byte, got {value!r}")
    return size


def format_bytes(size: int) -> str:
    """Return a number of bytes for people, to two decimals in powers of 1000.

    Examples
    --------
    >>> format_bytes(500_000_000), format_bytes(1_234_567), format_bytes(999_999), format_bytes(7)
    ('500 MB', '1.23 MB', '1 MB', '7 B')
    """
    amount, prefixes = Decimal(int(size)), iter(PREFIXES)
    prefix = next(prefixes)
    while abs(round(amount, 2)) >= 1000 and prefix != PREFIXES[-1]:
        amount, prefix = amount / 1000, next(prefixes)
    number = f"{amount:.2f}".rstrip("0").rstrip(".")
    return f"{number} {prefix}B"


def _from_string(text: str) -> int:
    match = SIZE.fullmatch(text.strip())
    if match is None:
        raise ValueError(
            f"{text!r} is not a size of memory: write a number of bytes, "
            "or a number and a unit such as '500MB' or '1.5GiB'"
        )
    power = [p.lower() for p in PREFIXES].index((match["prefix"] or "").lower())
    return int(Decimal(match["number"]) * (1024 if match["binary"] else 1000) ** power)


def _from_number(value: SupportsIndex | float) -> int:
    if not isinstance(value, bool):
        if isinstance(value, float) and value.is_integer():  # 1e9 is how many write a gigabyte
            return int(value)
        if isinstance(value, SupportsIndex):
            return operator.index(value)
    raise TypeError(
        f"memory must be a whole number of bytes or a string such as '500MB', got {value!r}"
    )

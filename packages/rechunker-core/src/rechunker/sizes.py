"""Memory sizes: parse strings such as "500MB" into bytes, and format bytes as such strings."""

from __future__ import annotations

import operator
import re
from decimal import Decimal, localcontext
from typing import SupportsIndex

__all__ = ["format_bytes", "parse_bytes"]

PREFIXES = ("", "k", "M", "G", "T", "P", "E")
SIZE_PATTERN = re.compile(
    r"(?P<number>(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[+-]?[0-9]{1,2})?)"
    r"\s*(?:(?P<prefix>[kmgtpe])(?P<binary>i?))?b?",
    re.IGNORECASE,
)


def parse_bytes(value: SupportsIndex | float | str) -> int:
    """Return a memory size as an integer number of bytes.

    Parameters
    ----------
    value
        A positive integer number of bytes, or a string with a decimal number and a unit, such as
        ``"500MB"`` or ``"1.5 GiB"``. Units are ``B`` (the default), ``kB``, ``MB``, ``GB``,
        ``TB``, ``PB`` and ``EB`` (powers of 1000), and ``KiB``, ``MiB``, ``GiB``, ``TiB``,
        ``PiB`` and ``EiB`` (powers of 1024). The ``B`` may be omitted and case does not matter.

    Returns
    -------
    int
        Bytes, 1 or more; a fraction of a byte is dropped.

    Raises
    ------
    TypeError
        If `value` is neither a string nor an integer (a float with an integral value is accepted).
    ValueError
        If the string is not a memory size, or the size is less than one byte.

    Examples
    --------
    >>> parse_bytes("500MB"), parse_bytes("1 GiB"), parse_bytes(".5gb"), parse_bytes("1e6")
    (500000000, 1073741824, 500000000, 1000000)
    """
    size = _from_string(value) if isinstance(value, str) else _from_number(value)
    if size < 1:
        raise ValueError(f"a memory size must be 1 byte or more, got {value!r}")
    return size


def format_bytes(size: int) -> str:
    """Format a number of bytes with a decimal unit, rounded to at most two decimals.

    Parameters
    ----------
    size
        Number of bytes.

    Returns
    -------
    str
        Number and unit: ``B``, ``kB``, ``MB``, ``GB``, ``TB``, ``PB`` or ``EB`` (powers of 1000).

    Examples
    --------
    >>> format_bytes(500_000_000), format_bytes(1_234_567), format_bytes(999_999), format_bytes(7)
    ('500 MB', '1.23 MB', '1 MB', '7 B')
    """
    prefixes = iter(PREFIXES)
    prefix = next(prefixes)
    with localcontext() as context:
        context.prec += int(size).bit_length()  # or else large sizes cannot be rounded
        amount = Decimal(int(size))
        while abs(round(amount, 2)) >= 1000 and prefix != PREFIXES[-1]:
            amount, prefix = amount / 1000, next(prefixes)
        number = f"{amount:.2f}".rstrip("0").rstrip(".")
    return f"{number} {prefix}B"


def _from_string(text: str) -> int:
    match = SIZE_PATTERN.fullmatch(text.strip())
    if match is None:
        raise ValueError(
            "a memory size must be a number of bytes or a number with a unit such as '500MB' or "
            f"'1.5GiB', got {text!r}"
        )
    power = [p.lower() for p in PREFIXES].index((match["prefix"] or "").lower())
    return int(Decimal(match["number"]) * (1024 if match["binary"] else 1000) ** power)


def _from_number(value: SupportsIndex | float) -> int:
    if not isinstance(value, bool):
        if isinstance(value, float) and value.is_integer():  # many people write 1e9 for a gigabyte
            return int(value)
        if isinstance(value, SupportsIndex):
            return operator.index(value)
    raise TypeError(
        f"a memory size must be an integer number of bytes or a string such as '500MB', "
        f"got {value!r}"
    )

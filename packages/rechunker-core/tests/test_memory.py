from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rechunker.sizes import format_bytes, parse_bytes


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("1", 1),
        ("1B", 1),
        ("256000", 256_000),
        ("500MB", 500_000_000),
        ("500 mb", 500_000_000),
        ("  1 MB ", 1_000_000),
        ("5kB", 5_000),
        ("5 KB", 5_000),
        ("5k", 5_000),
        ("1GiB", 2**30),
        ("1.5Gi", 3 * 2**29),
        ("1e6", 1_000_000),
        ("1e3 kB", 1_000_000),
        ("5e-1MB", 500_000),
        (".5GB", 500_000_000),
        ("5.GB", 5_000_000_000),
        ("0.3GB", 300_000_000),
        ("2TB", 2 * 10**12),
        ("2PiB", 2**51),
        ("1EiB", 2**60),
    ],
)
def test_a_size_in_words(text: str, size: int) -> None:
    assert parse_bytes(text) == size


@pytest.mark.parametrize("number", [1000, np.int64(1000), 1e3, np.float64(1e3)])
def test_a_size_in_numbers(number: float) -> None:
    assert parse_bytes(number) == 1000
    assert type(parse_bytes(number)) is int


def test_a_fraction_of_a_byte_is_dropped() -> None:
    assert parse_bytes("1.0019kB") == 1001


@pytest.mark.parametrize(
    "text",
    ["", " ", "MB", "a lot", "1 MB of memory", "1XB", "1,000", "1_000", "-1MB", "+1MB", "0x10"]
    + ["1..5MB", ".", ".MB", "nan", "inf", "1e999", "1 M B", "1iB", "٣MB"],
)
def test_what_is_not_a_size_is_shown(text: str) -> None:
    with pytest.raises(ValueError, match="number of bytes or a number with a unit") as caught:
        parse_bytes(text)
    assert repr(text) in str(caught.value)


@pytest.mark.parametrize("size", [0, -1, -1e9, "0", "0MB", "0.4", "1e-10GB"])
def test_less_than_a_byte_is_refused(size: float | str) -> None:
    with pytest.raises(ValueError, match="must be 1 byte or more"):
        parse_bytes(size)


@pytest.mark.parametrize("value", [True, None, 1.5, float("nan"), float("inf"), b"1MB", [1], 1j])
def test_other_types_are_refused(value: object) -> None:
    with pytest.raises(TypeError, match="must be an integer number of bytes or a string"):
        parse_bytes(value)  # type: ignore[arg-type]


@given(st.integers(1, 10**18))
def test_a_formatted_size_is_read_back_to_its_rounding(size: int) -> None:
    assert abs(Fraction(parse_bytes(format_bytes(size)), size) - 1) <= Fraction(1, 200)


@given(st.integers(1, 10**24), st.integers(0, 10**6))
def test_a_bigger_size_is_not_formatted_smaller(size: int, more: int) -> None:
    assert parse_bytes(format_bytes(size)) <= parse_bytes(format_bytes(size + more))


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1 kB"), (1_500_000, "1.5 MB"), (999_994_999, "999.99 MB")]
    + [(999_995_001, "1 GB"), (-2500, "-2.5 kB"), (10**21, "1000 EB")],
)
def test_a_size_is_formatted_with_at_most_two_decimals(size: int, text: str) -> None:
    assert format_bytes(size) == text

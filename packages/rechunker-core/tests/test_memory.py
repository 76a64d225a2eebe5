from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from cases import about
from hypothesis import given
from hypothesis import strategies as st

from rechunker.sizes import format_bytes, parse_bytes


def test_a_size_in_words() -> None:
    sizes = [
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
    ]
    assert [(text, parse_bytes(text)) for text, _ in sizes] == sizes


def test_a_size_in_numbers() -> None:
    for number in (1000, np.int64(1000), 1e3, np.float64(1e3)):
        with about(repr(number)):
            assert parse_bytes(number) == 1000
            assert type(parse_bytes(number)) is int


def test_a_fraction_of_a_byte_is_dropped() -> None:
    assert parse_bytes("1.0019kB") == 1001


NO_SIZES = [
    *("", " ", "MB", "a lot", "1 MB of memory", "1XB", "1,000", "1_000", "-1MB", "+1MB", "0x10"),
    *("1..5MB", ".", ".MB", "nan", "inf", "1e999", "1 M B", "1iB", "٣MB"),
]


def test_what_is_not_a_size_is_shown() -> None:
    for text in NO_SIZES:
        with about(repr(text)):
            with pytest.raises(ValueError, match="a number with a unit such as") as caught:
                parse_bytes(text)
            assert repr(text) in str(caught.value)


def test_less_than_a_byte_is_refused() -> None:
    for size in (0, -1, -1e9, "0", "0MB", "0.4", "1e-10GB"):
        with about(repr(size)), pytest.raises(ValueError, match="must be 1 byte or more"):
            parse_bytes(size)


def test_other_types_are_refused() -> None:
    message = "must be an integer number of bytes or a string"
    wrong: list[Any] = [True, None, 1.5, float("nan"), float("inf"), b"1MB", [1], 1j]
    for value in wrong:
        with about(repr(value)), pytest.raises(TypeError, match=message):
            parse_bytes(value)


@given(st.integers(1, 10**18))
def test_a_formatted_size_is_read_back_to_its_rounding(size: int) -> None:
    assert abs(Fraction(parse_bytes(format_bytes(size)), size) - 1) <= Fraction(1, 200)


@given(st.integers(1, 10**24), st.integers(0, 10**6))
def test_a_bigger_size_is_not_formatted_smaller(size: int, more: int) -> None:
    assert parse_bytes(format_bytes(size)) <= parse_bytes(format_bytes(size + more))


def test_a_size_is_formatted_with_at_most_two_decimals() -> None:
    texts = [
        *[(0, "0 B"), (999, "999 B"), (1000, "1 kB"), (1_500_000, "1.5 MB")],
        *[(999_994_999, "999.99 MB"), (999_995_001, "1 GB"), (-2500, "-2.5 kB")],
        (10**21, "1000 EB"),
    ]
    assert [(size, format_bytes(size)) for size, _ in texts] == texts

"""Sums: two numbers that tell the values of an array, however it is cut into parts.

Each element is one or more words of 32 bits. A sum adds up all words, each times a key for its
position, modulo 2**64. The key of a position is the product of one key for each axis, so that the
sum of a box takes little more than one multiplication for each word. ``docs/verifying.md`` has the
definition. A multiply-add hash of this kind finds any difference with a probability of at least
1 - 2**-32 (D. Lemire, O. Kaser, Strongly universal string hashing is fast, Computer Journal 57,
2014), and a difference in a single element always, as its key is odd; two of them are independent.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence
from functools import lru_cache
from math import prod
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = ["NOTHING", "Sums", "add", "digest_of_sums", "sums_of", "words_of"]

Sums: TypeAlias = tuple[int, int]
"""Two sums modulo 2**64."""

NOTHING: Sums = (0, 0)

Words = npt.NDArray[np.uint32]
Keys = npt.NDArray[np.uint64]

# Words that are multiplied at a time: they stay in the processor's cache. And those of a row, whose
# keys are kept.
_BLOCK = 1 << 16
_ROW = 1 << 14
# Positions on an axis are told apart by their quotient and their remainder by this number.
_LOW = 1024
# Constants of splitmix64 (G. Steele, D. Lea, C. Flood, Fast splittable pseudorandom number
# generators, OOPSLA 2014).
_STEP, _FIRST, _SECOND = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB


def add(a: Sums, b: Sums) -> Sums:
    """Return the sums of two parts of an array together."""
    return (a[0] + b[0]) % 2**64, (a[1] + b[1]) % 2**64


def digest_of_sums(dtype: np.dtype[Any], shape: Sequence[int], sums: Sums) -> str:
    """Return the digest of an array, 32 hexadecimal digits.

    Parameters
    ----------
    dtype, shape
        Of the array; the byte order does not count.
    sums
        Sums over all its elements.
    """
    size = ",".join(map(str, shape))
    text = f"rechunker-digest-1 {_name_of(dtype)} {size} {sums[0]:016x} {sums[1]:016x}"
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _name_of(dtype: np.dtype[Any]) -> str:
    if dtype.hasobject or dtype.kind == "T":
        return "object"
    if dtype.names is not None:
        fields = ((name, dtype[name]) for name in dtype.names)
        return "{" + ",".join(f"{name}:{_name_of(field)}" for name, field in fields) + "}"
    if dtype.subdtype is not None:
        base, shape = dtype.subdtype
        return f"{_name_of(base)}({','.join(map(str, shape))})"
    return dtype.str[1:]


def sums_of(values: npt.NDArray[Any], start: Sequence[int]) -> Sums:
    """Return the sums of a part of an array.

    Parameters
    ----------
    values
        Elements of a box.
    start
        Position of the first of them in the array.

    Examples
    --------
    >>> part = np.arange(6.0).reshape(2, 3)
    >>> add(sums_of(part[:, :1], (0, 0)), sums_of(part[:, 1:], (0, 1))) == sums_of(part, (0, 0))
    True
    """
    if not values.size:
        return NOTHING
    is_constant = values.size > 1 and not any(values.strides)
    word = words_of(values[(slice(0, 1),) * values.ndim])
    shape, first = (*values.shape, word.shape[-1]), (*map(int, start), 0)
    if is_constant:
        return _of_constant(word, first, shape)
    return _of_words(values, first, shape)


def _mix(numbers: Keys) -> Keys:
    """Return the finalizer of splitmix64."""
    z = numbers + np.uint64(_STEP)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(_FIRST)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(_SECOND)
    return z ^ (z >> np.uint64(31))


@lru_cache(maxsize=256)
def _numbers(lane: int, table: int, start: int, count: int) -> Keys:
    """Return some random odd numbers of a table."""
    seed = _mix(np.array([2 * table + lane], np.uint64))
    numbers: Keys = np.arange(start, start + count, dtype=np.uint64)
    return _mix(seed + numbers) | np.uint64(1)


def _keys(lane: int, axis: int, start: int, count: int) -> Keys:
    """Return the keys of some positions on an axis: the products of two numbers each."""
    high, low = start // _LOW, start % _LOW
    highs = _numbers(lane, 2 * axis, high, (low + count - 1) // _LOW + 1)
    lows = _numbers(lane, 2 * axis + 1, 0, _LOW)
    return np.multiply.outer(highs, lows).reshape(-1)[low : low + count]


@lru_cache(maxsize=32)
def _products(lane: int, axis: int, start: tuple[int, ...], shape: tuple[int, ...]) -> Keys:
    """Return the keys of all positions on several axes from `axis` on, in C order."""
    total = np.ones(1, np.uint64)
    for number, (first, count) in enumerate(zip(start, shape, strict=True), axis):
        total = np.multiply.outer(total, _keys(lane, number, first, count)).reshape(-1)
    return total


def words_of(values: npt.NDArray[Any]) -> Words:
    """Return the words of each element along a new last axis.

    They are the bytes of the element in little-endian order, filled up with zeros; of a string, the
    first 8 bytes of the SHA-256 of its UTF-8.
    """
    if values.dtype.hasobject or values.dtype.kind == "T":
        texts = [
            hashlib.sha256(_bytes_of(item)).digest()[:8] for item in values.reshape(-1).tolist()
        ]
        return np.frombuffer(b"".join(texts), "<u4").reshape(*values.shape, 2)
    dtype = values.dtype
    little = np.ascontiguousarray(values.astype(dtype.newbyteorder("<"), copy=False))
    raw = little.reshape(-1).view(np.uint8).reshape(*values.shape, dtype.itemsize)
    if dtype.itemsize == 1:
        return raw.astype(np.uint32)
    if dtype.itemsize == 2:
        return raw.view("<u2").astype(np.uint32)
    missing = -dtype.itemsize % 4
    if missing:
        raw = np.concatenate([raw, np.zeros((*values.shape, missing), np.uint8)], axis=-1)
    return raw.view("<u4")


def _bytes_of(item: object) -> bytes:
    if isinstance(item, str):
        return item.encode("utf-8", "surrogatepass")
    if isinstance(item, bytes):
        return item
    if isinstance(item, np.ndarray) and not item.dtype.hasobject:
        return item.astype(item.dtype.newbyteorder("<")).tobytes()
    raise TypeError(
        f"an object of type {type(item).__name__} has no digest; only numbers, strings, bytes and "
        "arrays of numbers do"
    )


def _of_constant(word: Words, start: Sequence[int], shape: Sequence[int]) -> Sums:
    """Return the sums of an element that is repeated in a box."""
    totals = []
    for lane in (0, 1):
        *axes, last = (
            _keys(lane, axis, *at) for axis, at in enumerate(zip(start, shape, strict=True))
        )
        total = int((word.reshape(-1).astype(np.uint64) * last).sum(dtype=np.uint64))
        for axis in axes:
            total = total * int(axis.sum(dtype=np.uint64)) % 2**64
        totals.append(total)
    return totals[0], totals[1]


def _of_words(values: npt.NDArray[Any], start: tuple[int, ...], shape: tuple[int, ...]) -> Sums:
    """Return the sums of elements, whose words are those of `shape` without its last axis."""
    if values.ndim == 0:
        words = words_of(values).astype(np.uint64)
        one, other = (_keys(lane, 0, 0, shape[0]) for lane in (0, 1))
        return int((words * one).sum(dtype=np.uint64)), int((words * other).sum(dtype=np.uint64))
    axis = next((a for a in range(values.ndim) if prod(shape[a + 1 :]) <= _ROW), values.ndim - 1)
    tails = [_products(lane, axis + 1, start[axis + 1 :], shape[axis + 1 :]) for lane in (0, 1)]
    heads = [_keys(lane, axis, start[axis], shape[axis]) for lane in (0, 1)]
    leads = [[_keys(lane, a, start[a], shape[a]).tolist() for a in range(axis)] for lane in (0, 1)]
    totals = NOTHING
    for index in np.ndindex(*shape[:axis]):
        sums = _of_slab(values[index], heads, tails)
        factors = [prod(keys[i] for keys, i in zip(lane, index, strict=True)) for lane in leads]
        totals = add(totals, (factors[0] * sums[0], factors[1] * sums[1]))
    return totals


def _of_slab(slab: npt.NDArray[Any], heads: Sequence[Keys], tails: Sequence[Keys]) -> Sums:
    """Return the sums of a slab, some rows of its first axis at a time."""
    totals = NOTHING
    step = max(1, _BLOCK // tails[0].size)
    for first in range(0, len(slab), step):
        part = slab[first : first + step]
        words = _widened(words_of(part).reshape(len(part), -1))
        one, other = (
            _of_block(words, head[first : first + step], tail)
            for head, tail in zip(heads, tails, strict=True)
        )
        totals = add(totals, (one, other))
    return totals


class _Memory(threading.local):
    """Memory of each thread that is used again: fresh one takes more time than multiplying it."""

    def __init__(self) -> None:
        self.block = np.empty(_BLOCK, np.uint64)


_memory = _Memory()


def _widened(words: Words) -> Keys:
    """Return words as integers of 64 bits; valid until the next call in this thread."""
    if words.size > _memory.block.size:
        return words.astype(np.uint64)
    wide: Keys = _memory.block[: words.size].reshape(words.shape)
    np.copyto(wide, words)
    return wide


def _of_block(words: Keys, head: Keys, tail: Keys) -> int:
    if words.shape[0] < words.shape[1]:
        return int((np.einsum("ij,j->i", words, tail) * head).sum(dtype=np.uint64))
    return int((np.einsum("ij,i->j", words, head) * tail).sum(dtype=np.uint64))

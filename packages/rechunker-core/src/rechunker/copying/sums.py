"""Sums: a number that tells the values of an array, however it is cut into parts.

Each element is one or more words of 64 bits. The sum adds up all words, each times a key for its
position, modulo 2**64. The key of a position is the product of one key for each axis, so that the
sum of a box takes little more than one multiplication for each word. ``docs/verifying.md`` has the
definition, and says what it finds (D. Lemire, O. Kaser, Strongly universal string hashing is fast,
Computer Journal 57, 2014). All keys are odd, so a single word that differs always shows.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence
from functools import lru_cache
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["digest_of_sum", "name_of_dtype", "sum_of", "words_of"]

Words = npt.NDArray[np.unsignedinteger[Any]]
Keys = npt.NDArray[np.uint64]

# Words that are multiplied at a time: they stay in the processor's cache. And those of a row, whose
# keys are kept.
_BLOCK = 1 << 16
_ROW = 1 << 15
# Words that are multiplied at a time where nothing is kept of them.
_WIDENED = 1 << 20
_NO_KEYS: Keys = np.zeros(0, np.uint64)
# Positions on an axis are told apart by their quotient and their remainder by this number.
_LOW = 1024
# Constants of splitmix64 (G. Steele, D. Lea, C. Flood, Fast splittable pseudorandom number
# generators, OOPSLA 2014).
_STEP, _FIRST, _SECOND = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB


def digest_of_sum(dtype: np.dtype[Any], shape: Sequence[int], total: int) -> str:
    """Return the digest of an array, 32 hexadecimal digits.

    Parameters
    ----------
    dtype, shape
        Of the array; the byte order does not count.
    total
        Sum over all its elements.
    """
    text = f"rechunker-digest-1 {name_of_dtype(dtype)} {','.join(map(str, shape))} {total:016x}"
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def name_of_dtype(dtype: np.dtype[Any]) -> str:
    """Return the name of a dtype in a digest, without its byte order."""
    if dtype.hasobject or dtype.kind == "T":
        return "object"
    if dtype.names is not None:
        fields = ((name, dtype[name]) for name in dtype.names)
        return "{" + ",".join(f"{name}:{name_of_dtype(field)}" for name, field in fields) + "}"
    if dtype.subdtype is not None:
        base, shape = dtype.subdtype
        return f"{name_of_dtype(base)}({','.join(map(str, shape))})"
    return dtype.str[1:]


def sum_of(values: npt.NDArray[Any], start: Sequence[int]) -> int:
    """Return the sum of a part of an array, modulo 2**64.

    Parameters
    ----------
    values
        Elements of a box.
    start
        Position of the first of them in the array.

    Examples
    --------
    >>> part = np.arange(6.0).reshape(2, 3)
    >>> left, right = sum_of(part[:, :1], (0, 0)), sum_of(part[:, 1:], (0, 1))
    >>> (left + right) % 2**64 == sum_of(part, (0, 0))
    True
    """
    if not values.size:
        return 0
    is_constant = values.size > 1 and not any(values.strides)
    first_element: Any = (*(slice(0, 1),) * values.ndim, ...)
    word = words_of(values[first_element])
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
def _numbers(table: int, start: int, count: int) -> Keys:
    """Return some random odd numbers of a table."""
    seed = _mix(np.array([table], np.uint64))
    numbers: Keys = np.arange(start, start + count, dtype=np.uint64)
    return _mix(seed + numbers) | np.uint64(1)


def _keys(axis: int, start: int, count: int) -> Keys:
    """Return the keys of some positions on an axis: the products of two numbers each."""
    high, low = start // _LOW, start % _LOW
    highs = _numbers(2 * axis, high, (low + count - 1) // _LOW + 1)
    lows = _numbers(2 * axis + 1, 0, _LOW)
    return np.multiply.outer(highs, lows).reshape(-1)[low : low + count]


@lru_cache(maxsize=16)
def _products(axis: int, start: tuple[int, ...], shape: tuple[int, ...]) -> Keys:
    """Return the keys of all positions on several axes from `axis` on, in C order."""
    total = np.ones(1, np.uint64)
    for number, (first, count) in enumerate(zip(start, shape, strict=True), axis):
        total = np.multiply.outer(total, _keys(number, first, count)).reshape(-1)
    return total


def words_of(values: npt.NDArray[Any]) -> Words:
    """Return the words of each element along a new last axis, before they are folded.

    They are the bytes of the element in little-endian order, filled up with zeros: one integer of
    1, 2, 4 or 8 bytes, or several of 8 bytes. Of a string, the first 8 bytes of the SHA-256 of its
    UTF-8.
    """
    if values.dtype.hasobject or values.dtype.kind == "T":
        items = values.reshape(-1).tolist()
        texts = [hashlib.sha256(_bytes_of(item)).digest()[:8] for item in items]
        return np.frombuffer(b"".join(texts), "<u8").reshape(*values.shape, 1)
    dtype = values.dtype
    if dtype.kind in "biufmM" and dtype.itemsize in (1, 2, 4, 8):  # wherever they lie
        return values.view(np.dtype(f"u{dtype.itemsize}").newbyteorder(dtype.byteorder))[..., None]
    little = np.ascontiguousarray(values.astype(dtype.newbyteorder("<"), copy=False))
    raw = little.reshape(-1).view(np.uint8).reshape(*values.shape, dtype.itemsize)
    if dtype.itemsize in (1, 2, 4):
        return raw.view(f"<u{dtype.itemsize}")
    missing = -dtype.itemsize % 8
    if missing:
        raw = np.concatenate([raw, np.zeros((*values.shape, missing), np.uint8)], axis=-1)
    return raw.view("<u8")


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


def _of_constant(word: Words, start: Sequence[int], shape: Sequence[int]) -> int:
    """Return the sum of an element that is repeated in a box."""
    bounds = enumerate(zip(start, shape, strict=True))
    axes = [_sum_of_keys(axis, first, count) for axis, (first, count) in [*bounds][:-1]]
    last = _keys(len(axes), start[-1], shape[-1])
    total = int((_folded(word.reshape(-1)) * last).sum(dtype=np.uint64))
    for factor in axes:
        total = total * factor % 2**64
    return total


def _sum_of_keys(axis: int, start: int, count: int) -> int:
    """Return the sum of the keys of some positions on an axis, a block at a time."""
    blocks = range(start, start + count, _BLOCK)
    parts = (_keys(axis, first, min(_BLOCK, start + count - first)) for first in blocks)
    return sum(int(part.sum(dtype=np.uint64)) for part in parts) % 2**64


def _of_words(values: npt.NDArray[Any], start: tuple[int, ...], shape: tuple[int, ...]) -> int:
    """Return the sum of elements, whose words are those of `shape` without its last axis."""
    if values.ndim == 0:
        keys = _keys(0, 0, shape[0])
        return int((_folded(words_of(values)) * keys).sum(dtype=np.uint64))
    axis = next((a for a in range(values.ndim) if prod(shape[a + 1 :]) <= _ROW), values.ndim - 1)
    tail = _products(axis + 1, start[axis + 1 :], shape[axis + 1 :])
    leads = [_keys(a, start[a], shape[a]).tolist() for a in range(axis)]
    total = 0
    for index in np.ndindex(*shape[:axis]):
        factor = prod(keys[i] for keys, i in zip(leads, index, strict=True))
        total += factor * _of_slab(values[index], axis, start[axis], tail)
    return total % 2**64


def _of_slab(slab: npt.NDArray[Any], axis: int, start: int, tail: Keys) -> int:
    """Return the sum of a slab, some rows of its first axis at a time."""
    total, words = 0, words_of(slab[:1])
    # Where the words need no fold, einsum widens them as it goes, a few kilobytes at a time.
    is_plain = words.dtype.itemsize < 8 and slab.flags.c_contiguous
    step = max(1, min(_BLOCK, (_WIDENED if is_plain else _BLOCK) // tail.size))
    few = len(slab) <= _BLOCK
    keys = _keys(axis, start, len(slab)) if few else _NO_KEYS
    for first in range(0, len(slab), step):
        part = words_of(slab[first : first + step])
        words = (part if is_plain else _folded(part)).reshape(len(part), -1)
        some = keys[first : first + step] if few else _keys(axis, start + first, len(part))
        total += _sum_of_products(words, some, tail)
    return total


def _sum_of_products(words: Words, rows: Keys, columns: Keys) -> int:
    """Return the sum of all words, each times the keys of its row and of its column."""
    if words.shape[0] < words.shape[1]:
        sums, keys = np.einsum("ij,j->i", words, columns, dtype=np.uint64, casting="safe"), rows
    else:
        sums, keys = np.einsum("ij,i->j", words, rows, dtype=np.uint64, casting="safe"), columns
    return int((sums * keys).sum(dtype=np.uint64))


class _Memory(threading.local):
    """Memory of each thread that is used again: fresh one takes more time than multiplying it."""

    def __init__(self) -> None:
        self.block = np.empty(_BLOCK, np.uint64)


_memory = _Memory()


def _folded(words: Words) -> Keys:
    """Return words of 64 bits whose upper halves show in the lower ones; multiples keep these.

    The result is valid until the next call in this thread.
    """
    is_small = words.size <= _memory.block.size
    block = _memory.block[: words.size] if is_small else np.empty(words.size, np.uint64)
    folded: Keys = block.reshape(words.shape)
    if words.dtype.itemsize == 8:
        np.right_shift(words, np.uint64(32), out=folded)
        np.bitwise_xor(folded, words, out=folded)
    else:
        np.copyto(folded, words)
    return folded

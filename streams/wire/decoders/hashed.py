"""Stretches of bytes by what they hash to: two lanes of a keyed polynomial, and an open table to numbers."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any, cast

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from streams.wire.decoders.scan import compiled, fixed64

PRIME = (1 << 61) - 1
KEY_BITS = 60
"""Of a lane's key; with them a lane stays below 2⁶² + 2⁶¹, so that a word can be added to it."""
EMPTY = np.uint64(1)
"""What both lanes of nothing are: not 0, so that words of 0 in front count."""
_WORD_BYTES = 7
_WORD_MASK = (1 << 8 * _WORD_BYTES) - 1


def _wide_product(typing: Any, a: Any, b: Any) -> Any:
    """Multiply 64 bits by 64 to the upper and the lower half: an instruction that numba has no name for."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        wide = ir.IntType(128)
        product = builder.mul(*(builder.zext(each, wide) for each in arguments))
        upper = builder.lshr(product, ir.Constant(wide, 64))
        halves = [builder.trunc(each, ir.IntType(64)) for each in (upper, product)]
        return context.make_tuple(builder, signature.return_type, halves)

    return types.UniTuple(types.uint64, 2)(types.uint64, types.uint64), generate


_product = cast(Callable[[np.uint64, np.uint64], tuple[np.uint64, np.uint64]], intrinsic(_wide_product))


def drawn_secret() -> NDArray[np.uint64]:
    """Draw the secret of both lanes: eight times a number from 1 to 2⁶⁰ - 1 for each."""
    return np.array([8 * (1 + secrets.randbelow((1 << KEY_BITS) - 1)) for _ in range(2)], dtype=np.uint64)


@compiled
def _step(lane: np.uint64, word: np.uint64, key: np.uint64) -> np.uint64:
    # The key is 8k, so the halves are those of (lane + word)·k at bit 61; and 2⁶¹ is 1 modulo 2⁶¹ - 1.
    upper, lower = _product(lane + word, key)
    return upper + (lower >> np.uint64(3))


@compiled
def mix(
    low: np.uint64, high: np.uint64, word: np.uint64, secret: NDArray[np.uint64]
) -> tuple[np.uint64, np.uint64]:
    """Fold a word below 2⁶⁰ into a hash of two lanes.

    A lane is, modulo the prime 2⁶¹ - 1, the polynomial Σ wᵢ·kⁿ⁺¹⁻ⁱ of its words at its key, with a 1 added to
    the first word. Two different sequences of at most n words are two polynomials whose difference is not 0
    and has n - 1 roots at most besides 0. So for *any* two that were chosen without knowing the keys, a lane
    is the same with a chance of at most (n - 1)/(2⁶⁰ - 1), and both are with the square of it (J. L. Carter
    and M. N. Wegman, Universal classes of hash functions, 1979).
    """
    return _step(low, word, secret[0]), _step(high, word, secret[1])


@compiled
def fold(
    buf: NDArray[np.uint8],
    start: np.uint64,
    end: np.uint64,
    low: np.uint64,
    high: np.uint64,
    secret: NDArray[np.uint64],
) -> tuple[np.uint64, np.uint64]:
    """Fold a stretch of bytes into a hash of two lanes: its length, then its bytes by sevens.

    The length says how many words follow, so no two sequences of stretches are the same words.
    """
    low, high = mix(low, high, end - start, secret)
    at = start
    while at + np.uint64(8) <= end:
        low, high = mix(low, high, fixed64(buf, at) & np.uint64(_WORD_MASK), secret)
        at += np.uint64(_WORD_BYTES)
    if end - start >= np.uint64(8):
        # The last seven bytes, some of them once more.
        return mix(low, high, fixed64(buf, end - np.uint64(8)) >> np.uint64(8), secret)
    word = np.uint64(0)
    shift = np.uint64(0)
    while at < end:
        word |= np.uint64(buf[at]) << shift
        shift += np.uint64(8)
        at += np.uint64(1)
    return mix(low, high, word, secret)


@compiled
def find(keys: NDArray[np.uint64], values: NDArray[np.int64], low: np.uint64, high: np.uint64) -> np.int64:
    """The value under a hash, -1 if there is none. `keys` is (capacity, 2), capacity a power of two."""
    mask = np.uint64(len(values) - 1)
    slot = (low ^ (high >> np.uint64(7))) & mask
    while values[slot] != -1:
        if keys[slot, 0] == low and keys[slot, 1] == high:
            return np.int64(values[slot])
        slot = (slot + np.uint64(1)) & mask
    return np.int64(-1)


@compiled
def put(
    keys: NDArray[np.uint64], values: NDArray[np.int64], low: np.uint64, high: np.uint64, value: np.int64
) -> None:
    """Set the value under a hash; there must be room."""
    mask = np.uint64(len(values) - 1)
    slot = (low ^ (high >> np.uint64(7))) & mask
    while values[slot] != -1 and not (keys[slot, 0] == low and keys[slot, 1] == high):
        slot = (slot + np.uint64(1)) & mask
    keys[slot, 0] = low
    keys[slot, 1] = high
    values[slot] = value


@compiled
def rehash(
    keys: NDArray[np.uint64],
    values: NDArray[np.int64],
    new_keys: NDArray[np.uint64],
    new_values: NDArray[np.int64],
) -> None:
    """Move all entries into a larger table."""
    for slot in range(len(values)):
        if values[slot] != -1:
            put(new_keys, new_values, keys[slot, 0], keys[slot, 1], values[slot])

"""Stretches of bytes by what they hash to: two lanes of 64 bits, and an open table from them to numbers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streams.wire.decoders.scan import compiled, fixed64

# Odd constants with well-mixed bits (splitmix64's and xxHash's); the lanes must differ in all they do.
_P1, _P2, _P3 = 0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0xFF51AFD7ED558CCD


@compiled
def mix(low: np.uint64, high: np.uint64, word: np.uint64) -> tuple[np.uint64, np.uint64]:
    """Fold a word into a hash of two lanes."""
    low = (low ^ word) * np.uint64(_P1)
    low ^= low >> np.uint64(29)
    high = (high + word) * np.uint64(_P2)
    high ^= high >> np.uint64(32)
    return low, high


@compiled
def fold(
    buf: NDArray[np.uint8], start: np.uint64, end: np.uint64, low: np.uint64, high: np.uint64
) -> tuple[np.uint64, np.uint64]:
    """Fold a stretch of bytes, and its length, into a hash of two lanes of 64 bits."""
    low, high = mix(low, high, (end - start) * np.uint64(_P3))
    at = start
    while at + np.uint64(8) <= end:
        low, high = mix(low, high, fixed64(buf, at))
        at += np.uint64(8)
    if end - start >= np.uint64(8):
        # The last eight bytes, some of them once more: the length is in the hash already.
        return mix(low, high, fixed64(buf, end - np.uint64(8)))
    word = np.uint64(0)
    shift = np.uint64(0)
    while at < end:
        word |= np.uint64(buf[at]) << shift
        shift += np.uint64(8)
        at += np.uint64(1)
    return mix(low, high, word)


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

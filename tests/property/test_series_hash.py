"""Two series are told apart, whoever chose their names: the hash is the polynomial that the bound is for."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from streams.wire.decoders.hashed import EMPTY, KEY_BITS, PRIME, drawn_secret, fold, mix
from streams.wire.decoders.series_table import SeriesTable

KEYS = st.integers(1, (1 << KEY_BITS) - 1)
STRETCHES = st.lists(st.binary(max_size=40), max_size=5)
LARGEST = (1 << KEY_BITS) - 1


def secret_of(low: int, high: int) -> np.ndarray:
    return np.array([8 * low, 8 * high], np.uint64)


def hash_of(stretches: list[bytes], secret: np.ndarray) -> tuple[int, int]:
    low = high = EMPTY
    for stretch in stretches:
        buffer = np.frombuffer(b"<" + stretch + b">", np.uint8)
        low, high = fold(buffer, np.uint64(1), np.uint64(1 + len(stretch)), low, high, secret)
    return int(low), int(high)


def words_of(stretch: bytes) -> list[int]:
    """The length, and the bytes by sevens; of eight or more the last seven come whole."""
    cuts = [stretch[at : at + 7] for at in range(0, max(0, len(stretch) - 7), 7)]
    return [len(stretch), *(int.from_bytes(each, "little") for each in [*cuts, stretch[-7:]])]


def stretches_of(words: list[int]) -> list[bytes]:
    """Undo `words_of` for stretches in a row."""
    found, at = [], 0
    while at < len(words):
        length, at = words[at], at + 1
        count = max(1, -(-length // 7))
        *cuts, last = words[at : at + count]
        at += count
        head = b"".join(each.to_bytes(7, "little") for each in cuts)
        tail = last.to_bytes(7, "little")[: min(7, length)]
        found.append(head + tail[len(head) + len(tail) - length :])
    return found


def polynomial(words: list[int], key: int) -> int:
    value = 1
    for word in words:
        value = (value + word) * key % PRIME
    return value


@settings(max_examples=300, deadline=None)
@given(STRETCHES, KEYS, KEYS)
@example([b"\xff" * 4_000] * 5, LARGEST, 1)
@example([b"\xff" * 7] * 500, LARGEST, LARGEST - 1)
@example([b"", b"\x00", b"\x00" * 7, b"\x00" * 8, b"\x00" * 15], 2, 3)
def test_a_lane_is_the_polynomial_of_its_words_at_its_key(stretches, low_key, high_key):
    words = [word for stretch in stretches for word in words_of(stretch)]
    low, high = hash_of(stretches, secret_of(low_key, high_key))
    assert (low % PRIME, high % PRIME) == (polynomial(words, low_key), polynomial(words, high_key))


@given(st.integers(0, (1 << 60) - 1), st.integers(0, (1 << 62) + (1 << 61) - 1), KEYS)
@example((1 << 60) - 1, (1 << 62) + (1 << 61) - 1, LARGEST)
def test_no_word_and_no_lane_is_so_large_that_a_bit_is_lost(word, lane, key):
    found, _ = mix(np.uint64(lane), EMPTY, np.uint64(word), secret_of(key, 1))
    assert int(found) % PRIME == (lane + word) * key % PRIME
    assert int(found) < (1 << 62) + (1 << 61)


@given(STRETCHES)
@example([b"", b"\x00"])
@example([b"\x00", b""])
@example([b"1234567", b"12345678", b"123456789abcde", b"123456789abcdef"])
def test_no_two_lists_of_stretches_are_the_same_words(stretches):
    assert stretches_of([word for stretch in stretches for word in words_of(stretch)]) == stretches


def words(*each: int) -> list[bytes]:
    return [b"".join(word.to_bytes(8, "little") for word in each)]


ALIKE = {
    "differences that cancelled in a lane of multiply and shift, whatever its seed": (
        words(5, 6),
        words(5 ^ 1 << 63, 6 ^ 1 << 63 ^ 1 << 34),
    ),
    "the same in the other lane, for every second seed": (
        words(5, 6),
        words(5 ^ 1 << 63, 6 + (1 << 63) - (1 << 31)),
    ),
    "zeros in front": ([b"\x00" * 7], [b"\x00" * 14]),
    "the same bytes cut elsewhere": ([b"shop", b"cart"], [b"shopc", b"art"]),
    "an empty stretch more": ([b"cart"], [b"cart", b""]),
    "words swapped": ([b"serviceservic2"], [b"servic2service"]),
    "one bit": ([b"service-1-cpu"], [b"service-1-cpt"]),
}


def old_lane(seed: int, stretch: bytes) -> int:
    """The first lane as it was until decision 021."""
    lane = seed
    for at in range(0, len(stretch), 8):
        lane = ((lane ^ int.from_bytes(stretch[at : at + 8], "little")) * 0x9E3779B97F4A7C15) % (1 << 64)
        lane ^= lane >> 29
    return lane


def test_the_hash_of_before_could_be_aimed_at_without_knowing_its_seed():
    one, other = next(iter(ALIKE.values()))
    for seed in range(0, 1 << 64, 1 << 57):
        assert old_lane(seed, one[0]) == old_lane(seed, other[0])


@pytest.mark.parametrize("alike", ALIKE)
def test_what_is_alike_differs_in_both_lanes_like_numbers_that_were_drawn(alike):
    """Over 4,096 secrets no difference is 0, all are as frequent, and one lane does not tell the other."""
    rng = np.random.default_rng(61)
    one, other = ALIKE[alike]
    found = np.empty((4_096, 2), np.int64)
    for row in found:
        secret = secret_of(*(int(key) for key in rng.integers(1, LARGEST, 2)))
        pairs = zip(hash_of(one, secret), hash_of(other, secret), strict=True)
        row[:] = [(a - b) % PRIME for a, b in pairs]
    assert (found != 0).all()
    lows, highs = (found & 7).T
    squares = (np.bincount(8 * lows + highs, minlength=64) - 64.0) ** 2 / 64
    # χ² with 63 degrees of freedom; 113 is passed once in 10,000 times.
    assert squares.sum() < 113
    for column in found.T:
        assert ((np.bincount(column >> 55, minlength=64) - 64.0) ** 2 / 64).sum() < 113


def test_each_table_draws_a_secret_of_its_own():
    drawn = np.array([SeriesTable().secret for _ in range(64)])
    assert len(np.unique(drawn)) == drawn.size
    assert (drawn % 8 == 0).all()
    keys = drawn // 8
    assert (keys > 0).all()
    assert (keys < 1 << KEY_BITS).all()
    assert (keys > 1 << KEY_BITS - 1).any(), "all bits are drawn"
    assert drawn_secret().dtype == np.uint64

"""Novelty: values, and sequences of two and three, that the series has never shown.

Values become words on a grid whose cells are powers of two of the series' range, so that the grid stays put
while the range creeps. Sets of seen words are bitmaps; how surprising a new one is follows from how often
new ones came lately.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from detectors.codes import halved
from detectors.compiled import compiled, double, inlined, signed
from detectors.suite.ahead import ask_for
from detectors.suite.block import BLOCK, COUNT, FRESH, LAST_RATE, NEW, RATE, WORD
from detectors.suite.record import GRIDS, PAIRS, TRIPLES, WORDS, Record
from detectors.suite.tuning import Tuning

RARE = 1e-4
"""Rate below which a new word is not more surprising: a few weeks of five minutes hold no rarer."""
HASH = 2654435761
"""Knuth's multiplicative hash, the golden ratio of 2³²."""
FAR = 3e4
"""Words are kept in 16 bits."""
_THIRD, _TWO_THIRDS = 2.0 ** (1 / GRIDS), 2.0 ** (2 / GRIDS)
"""Of an octave."""
_WHOLE = 1.5 * 2.0**52
"""A double of this size has no room behind the point."""
_LOG10 = math.log(10.0)


@inlined
def words_of(x: float, extent: float, p: Tuning) -> tuple[float, float, float]:
    """Return the cell of a value on each of the grids, which are a third of a cell and of an octave apart.

    A grid's cell is the power of two at or below a share of the extent, times its part of an octave.
    """
    power, share = halved(extent / p.cells)
    scale: Any = np.int64((1023 - power) << 52)
    per_cell = scale.view(np.float64) if extent > 0.0 else 0.0
    apart = 1.0 / GRIDS if extent > 0.0 else 0.0
    return (
        _cell_of(x * per_cell),
        _cell_of(x * (0.5 * per_cell if share >= _TWO_THIRDS else per_cell) + apart),
        _cell_of(x * (0.5 * per_cell if share >= _THIRD else per_cell) + 2.0 * apart),
    )


@inlined
def _cell_of(place: float) -> float:
    near = min(max(place, -FAR), FAR)
    whole = (near + _WHOLE) - _WHOLE
    return whole - 1.0 if whole > near else whole


@inlined
def _note(bits: np.ndarray, at: int) -> int:
    """Take something as seen; return 1 if it was not."""
    byte, bit = signed(bits[at >> 3]), at & 7
    bits[at >> 3] = byte | (1 << bit)
    return ~(byte >> bit) & 1


@inlined
def note_words(row: Record, first: int, second: int, third: int) -> int:
    """Take words as seen, with the pairs and triples that they complete; return a bit for each new one."""
    fresh = 0
    for grid in range(GRIDS):
        word = first if grid == 0 else second if grid == 1 else third
        before = signed(row.q1[grid])
        pair = word * 31 + before
        triple = word * 961 + before * 31 + signed(row.q2[grid])
        fresh |= _note(row.words[grid], (word * HASH >> 4) & (WORDS - 1)) << 3 * grid
        fresh |= _note(row.pairs[grid], (pair * HASH >> 8) & (PAIRS - 1)) << 3 * grid + 1
        fresh |= _note(row.triples[grid], (triple * HASH >> 8) & (TRIPLES - 1)) << 3 * grid + 2
        row.q2[grid] = before
        row.q1[grid] = word
    return fresh


@compiled
def note_all_words(
    rows: np.ndarray, number: np.ndarray, begin: int, count: int, state: np.ndarray, reals: np.ndarray
) -> None:
    """Look words up in what each series has shown, and add them."""
    for k in range(count):
        ask_for(rows, number, begin + k + BLOCK, 1)
        row = rows[number[begin + k]]
        first, second, third = reals[WORD + k], reals[WORD + BLOCK + k], reals[WORD + 2 * BLOCK + k]
        bits: Any = np.int64(note_words(row, int(first), int(second), int(third)))
        reals[FRESH + k] = bits.view(np.float64)
        state[LAST_RATE + k] = row.rate[GRIDS - 1, 2]


@inlined
def _met(state: np.ndarray, at: int, fresh: bool, share: float) -> float:
    """Learn how often something is new; return how rare that was if it is, else 1."""
    rate = double(state[at])
    state[at] = rate + share * ((1.0 if fresh else 0.0) - rate)
    return rate + RARE if fresh else 1.0


@inlined
def learn_novelty(state: np.ndarray, reals: np.ndarray, upto: int, p: Tuning) -> None:
    """Learn how often words are new, and measure how rare that was, multiplied over the grids."""
    for k in range(upto):
        share = max(p.novelty, 1.0 / (reals[COUNT + k] + 2.0))
        bits: Any = np.float64(reals[FRESH + k]).view(np.int64)
        one = _met(state, RATE + k, bits & 1 != 0, share)
        two = _met(state, RATE + BLOCK + k, bits & 2 != 0, share)
        three = _met(state, RATE + 2 * BLOCK + k, bits & 4 != 0, share)
        one *= _met(state, RATE + 3 * BLOCK + k, bits & 8 != 0, share)
        two *= _met(state, RATE + 4 * BLOCK + k, bits & 16 != 0, share)
        three *= _met(state, RATE + 5 * BLOCK + k, bits & 32 != 0, share)
        one *= _met(state, RATE + 6 * BLOCK + k, bits & 64 != 0, share)
        two *= _met(state, RATE + 7 * BLOCK + k, bits & 128 != 0, share)
        three *= _met(state, RATE + 8 * BLOCK + k, bits & 256 != 0, share)
        reals[NEW + k] = one
        reals[NEW + BLOCK + k] = two
        reals[NEW + 2 * BLOCK + k] = three


@inlined
def novelty_of(reals: np.ndarray, k: int, p: Tuning) -> float:
    """Return the surprise of new words, pairs and triples, averaged over the grids."""
    one, two, three = reals[NEW + k], reals[NEW + BLOCK + k], reals[NEW + 2 * BLOCK + k]
    return float((p.w_one * one + p.w_two * two + p.w_three * three) * (-1.0 / (GRIDS * _LOG10)))

"""Novelty: values, and sequences of two and three, that the series has never shown.

Values become words on a grid whose cells are powers of two of the series' range, so that the grid stays put
while the range creeps. Sets of seen words are bitmaps; how surprising a new one is follows from how often
new ones came lately.
"""

from __future__ import annotations

import math

import numpy as np

from detectors.compiled import compiled
from detectors.suite.record import GRIDS, PAIRS, TRIPLES, WORDS, Record
from detectors.suite.tuning import Tuning

RARE = 1e-4
"""Rate below which a new word is not more surprising: a few weeks of five minutes hold no rarer."""
HASH = 2654435761
"""Knuth's multiplicative hash, the golden ratio of 2³²."""
FAR = 3e4
"""Words are kept in 16 bits."""


@compiled
def words_of(x: float, extent: float, p: Tuning) -> tuple[int, int, int]:
    """Return the cell of a value on each of the grids, which are a third of a cell and of an octave apart."""
    if extent <= 0.0:
        return 0, 0, 0
    octave = math.log2(extent / p.cells)
    return _word(x, octave, 0.0), _word(x, octave, 1.0 / GRIDS), _word(x, octave, 2.0 / GRIDS)


@compiled
def _word(x: float, octave: float, apart: float) -> int:
    cell = math.ldexp(1.0, math.floor(octave + apart))
    return int(min(max(math.floor(x / cell + apart), -FAR), FAR))


@compiled
def _seen(bits: np.ndarray, at: int) -> bool:
    return bool(bits[at >> 3] & (1 << (at & 7)))


@compiled
def _places(row: Record, grid: int, word: int) -> tuple[int, int, int]:
    """Return bit positions of the word, the pair and the triple that it completes."""
    pair = word * 31 + row.q1[grid]
    triple = word * 961 + row.q1[grid] * 31 + row.q2[grid]
    return (word * HASH >> 4) % WORDS, (pair * HASH >> 8) % PAIRS, (triple * HASH >> 8) % TRIPLES


@compiled
def novelty_of(row: Record, words: tuple[int, int, int], p: Tuning) -> float:
    """Return the surprise of new words, pairs and triples, averaged over the grids."""
    total = 0.0
    for grid in range(GRIDS):
        one, two, three = _places(row, grid, words[grid])
        if not _seen(row.words[grid], one):
            total -= p.w_one * math.log10(row.rate[grid, 0] + RARE)
        if not _seen(row.pairs[grid], two):
            total -= p.w_two * math.log10(row.rate[grid, 1] + RARE)
        if not _seen(row.triples[grid], three):
            total -= p.w_three * math.log10(row.rate[grid, 2] + RARE)
    return total / GRIDS


@compiled
def learn_novelty(row: Record, words: tuple[int, int, int], p: Tuning) -> None:
    """Absorb a sample's words."""
    share = max(p.novelty, 1.0 / (row.count + 2))
    for grid in range(GRIDS):
        word = words[grid]
        one, two, three = _places(row, grid, word)
        for kind in range(3):
            bits = row.words[grid] if kind == 0 else row.pairs[grid] if kind == 1 else row.triples[grid]
            at = one if kind == 0 else two if kind == 1 else three
            fresh = 0.0 if _seen(bits, at) else 1.0
            bits[at >> 3] |= 1 << (at & 7)
            row.rate[grid, kind] += share * (fresh - row.rate[grid, kind])
        row.q2[grid] = row.q1[grid]
        row.q1[grid] = word

"""Novelty: values, and sequences of two and three, that the series has never shown.

Values become words on a grid whose cells are powers of two of the series' range, so that the grid stays put
while the range creeps. Sets of seen words are bitmaps; how surprising a new one is follows from how often
new ones came lately.
"""

from __future__ import annotations

import math

import numpy as np

from detectors.codes import halved
from detectors.compiled import inlined
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
_NEAR = 1e-9
"""How near a power of two, or a third of the way to it, an extent is looked at closely: logarithms are
rounded."""
_MOST_POWERS = 900


@inlined
def words_of(x: float, extent: float, p: Tuning) -> tuple[int, int, int]:
    """Return the cell of a value on each of the grids, which are a third of a cell and of an octave apart."""
    if extent <= 0.0:
        return 0, 0, 0
    cell = extent / p.cells
    power, share = halved(cell)
    near = min(share - 1.0, abs(share - _TWO_THIRDS), abs(share - _THIRD), 2.0 - share)
    if near < _NEAR or abs(power) > _MOST_POWERS:
        octave = math.log2(cell)
        return _word(x, octave, 0.0), _word(x, octave, 1.0 / GRIDS), _word(x, octave, 2.0 / GRIDS)
    # The same without a logarithm, which would be a tenth of all time: whole parts of it are in the bits.
    per_cell = np.int64((1023 - power) << 52).view(np.float64)
    return (
        _cell_of(x * per_cell),
        _cell_of(x * (0.5 * per_cell if share > _TWO_THIRDS else per_cell) + 1.0 / GRIDS),
        _cell_of(x * (0.5 * per_cell if share > _THIRD else per_cell) + 2.0 / GRIDS),
    )


@inlined
def _word(x: float, octave: float, apart: float) -> int:
    return _cell_of(x / math.ldexp(1.0, math.floor(octave + apart)) + apart)


@inlined
def _cell_of(place: float) -> int:
    return int(min(max(math.floor(place), -FAR), FAR))


@inlined
def _seen(bits: np.ndarray, at: int) -> bool:
    return bool(bits[at >> 3] & (1 << (at & 7)))


@inlined
def _note(bits: np.ndarray, at: int) -> float:
    """Take something as seen; return 1 if it was not."""
    byte, bit = bits[at >> 3], 1 << (at & 7)
    bits[at >> 3] = byte | bit
    return 0.0 if byte & bit else 1.0


@inlined
def _places(row: Record, grid: int, word: int) -> tuple[int, int, int]:
    """Return bit positions of the word, the pair and the triple that it completes."""
    pair = word * 31 + row.q1[grid]
    triple = word * 961 + row.q1[grid] * 31 + row.q2[grid]
    return (word * HASH >> 4) % WORDS, (pair * HASH >> 8) % PAIRS, (triple * HASH >> 8) % TRIPLES


@inlined
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


@inlined
def learn_novelty(row: Record, words: tuple[int, int, int], p: Tuning) -> None:
    """Absorb a sample's words."""
    share = max(p.novelty, 1.0 / (row.count + 2))
    for grid in range(GRIDS):
        word = words[grid]
        one, two, three = _places(row, grid, word)
        row.rate[grid, 0] += share * (_note(row.words[grid], one) - row.rate[grid, 0])
        row.rate[grid, 1] += share * (_note(row.pairs[grid], two) - row.rate[grid, 1])
        row.rate[grid, 2] += share * (_note(row.triples[grid], three) - row.rate[grid, 2])
        row.q2[grid] = row.q1[grid]
        row.q1[grid] = word

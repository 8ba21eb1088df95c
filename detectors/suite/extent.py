"""The range of a series: what it says of the smallest distance that counts."""

from __future__ import annotations

import numpy as np

from detectors.compiled import double, inlined
from detectors.suite.block import (
    ANCHOR,
    BLOCK,
    COUNT,
    FLOOR,
    HIGH,
    LEVEL,
    LEVEL_OFF,
    LOW,
    RATIO,
    SHARE,
    SHORT,
    WORD,
    X,
)
from detectors.suite.novelty import words_of
from detectors.suite.record import Record
from detectors.suite.tuning import Tuning

RANGE_AFTER = 20


@inlined
def floor_of(extent: float, value: float, p: Tuning) -> float:
    """Return the smallest distance that counts: a share of the range, or of the value itself."""
    return float(1e-9 + p.floor * extent + 1e-4 * abs(value))


@inlined
def floor_now(row: Record, p: Tuning) -> float:
    """Return it of a record."""
    return floor_of(double(row.high) - double(row.low), double(row.level) + row.anchor, p)


@inlined
def measure(state: np.ndarray, reals: np.ndarray, upto: int, p: Tuning) -> None:
    """Measure the range and the smallest distance before samples widen it, and put values into its cells."""
    for k in range(upto):
        x, n = reals[X + k], reals[COUNT + k]
        low, high = double(state[LOW + k]), double(state[HIGH + k])
        reals[SHARE + k] = 1.0 / (n + 1.0)
        floor = floor_of(high - low, double(state[LEVEL + k]) + reals[ANCHOR + k], p)
        reals[FLOOR + k] = floor
        first, second, third = words_of(x, high - low, p)
        reals[RATIO + k] = (double(state[SHORT + k]) + floor) / (double(state[LEVEL_OFF + k]) + floor)
        reals[WORD + k] = first
        reals[WORD + BLOCK + k] = second
        reals[WORD + 2 * BLOCK + k] = third
        pace = p.range_decay if n >= RANGE_AFTER else 0.0
        state[LOW + k] = min(low + pace * (x - low), x)
        state[HIGH + k] = max(high + pace * (x - high), x)

"""Spread: the variance of the last few samples against the usual one, both ways."""

from __future__ import annotations

import math

from detectors.compiled import compiled
from detectors.suite.record import Record
from detectors.suite.tuning import Tuning

AFTER = 20
LEARNING = 100
WIDEST = 25.0
"""Squared spreads, 5², that one sample may add to the usual variance."""


@compiled
def spread_deviation(row: Record, floor: float) -> float:
    """Absolute logarithm of short over long variance."""
    if row.count <= AFTER:
        return 0.0
    return abs(math.log((row.short + floor * floor) / (row.long + floor * floor)))


@compiled
def learn_spread(row: Record, x: float, floor: float, p: Tuning) -> None:
    """Absorb a sample; before the level learns it."""
    square = (x - row.level) ** 2
    unit = (row.spread + floor) ** 2
    row.short += p.fast * (min(square, WIDEST * p.clip * p.clip * unit) - row.short)
    if row.count < LEARNING:
        row.long += max(p.scale, 1.0 / (row.count + 1)) * (square - row.long)
    else:
        row.long += p.scale * (min(square, WIDEST * unit) - row.long)

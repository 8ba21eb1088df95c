"""Level: how far a sample lies from where the series has lately been."""

from __future__ import annotations

import math

from detectors.compiled import double, inlined
from detectors.suite.record import Record
from detectors.suite.tuning import Tuning

SETTLED = 30
"""Samples before learning is clipped: the first ones must be free to find the level."""


@inlined
def clipped(x: float, limit: float) -> float:
    """Limit a deviation to both sides."""
    return min(max(x, -limit), limit)


@inlined
def limit_of(off: float, floor: float, p: Tuning, settled: bool) -> float:
    """Return how far off a sample may lie and still teach in full."""
    return p.clip * (off + floor) if settled else 1e30


@inlined
def learned(usual: float, off: float, share: float) -> float:
    """Return the root mean square `usual` after one more deviation; roots, since squares overflow float32."""
    return math.sqrt(usual * usual + share * (off * off - usual * usual))


@inlined
def level_deviation(row: Record, x: float, floor: float) -> float:
    """Distance from the slow level, in its root mean square."""
    return float(abs(x - row.level) / (row.level_off + floor))


@inlined
def learn_location(row: Record, x: float, floor: float, p: Tuning) -> None:
    """Absorb a sample."""
    n = row.count
    usual = double(row.level_off)
    off = clipped(x - row.level, limit_of(usual, floor, p, n > SETTLED))
    row.level += max(p.level, 1.0 / (n + 1)) * off
    row.level_off = learned(usual, off, max(p.scale, 1.0 / (n + 1)))
    row.last = x

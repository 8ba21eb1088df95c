"""Level, change and shift: where a sample lies, how far it jumped, and whether two memories disagree."""

from __future__ import annotations

from detectors.compiled import compiled
from detectors.suite.record import Record
from detectors.suite.tuning import Tuning

SETTLED = 30
"""Samples before learning is clipped: the first ones must be free to find the level."""
SETTLED_SHIFT = 100


@compiled
def clipped(x: float, limit: float) -> float:
    """Limit a deviation to both sides."""
    return min(max(x, -limit), limit)


@compiled
def limit_of(spread: float, floor: float, p: Tuning, settled: bool) -> float:
    """Return how far off a sample may lie and still teach in full."""
    return p.clip * (spread + floor) if settled else 1e300


@compiled
def level_deviation(row: Record, x: float, floor: float) -> float:
    """Distance from the slow level, in spreads."""
    return float(abs(x - row.level) / (row.spread + floor))


@compiled
def change_deviation(row: Record, x: float, floor: float) -> float:
    """Distance from the previous sample, in spreads of such distances."""
    return float(abs(x - row.last) / (row.change_spread + floor))


@compiled
def shift_deviation(row: Record, floor: float) -> float:
    """Distance between a near and a far level, in spreads of it: slow moves that no sample shows."""
    return float(abs(row.near - row.far) / (row.shift_spread + floor))


@compiled
def learn_location(row: Record, x: float, floor: float, p: Tuning) -> None:
    """Absorb a sample into all three."""
    n = row.count
    warm = max(p.scale, 1.0 / (n + 1))
    settled = n > SETTLED
    row.near += max(p.near, 1.0 / (n + 1)) * (x - row.near)
    row.far += max(p.far, 1.0 / (n + 1)) * (x - row.far)
    apart = abs(row.near - row.far)
    row.shift_spread += warm * (
        min(apart, limit_of(row.shift_spread, floor, p, n > SETTLED_SHIFT)) - row.shift_spread
    )
    off = x - row.level
    limit = limit_of(row.spread, floor, p, settled)
    row.level += max(p.level, 1.0 / (n + 1)) * clipped(off, limit)
    row.spread += warm * (min(abs(off), limit) - row.spread)
    jump = abs(x - row.last)
    row.change_spread += warm * (
        min(jump, limit_of(row.change_spread, floor, p, settled)) - row.change_spread
    )
    row.last = x

"""Spread: how much the last few samples move against how much they usually do, both ways."""

from __future__ import annotations

import math

from detectors.compiled import double, inlined
from detectors.suite.location import clipped, learned
from detectors.suite.record import Record
from detectors.suite.tuning import Tuning

AFTER = 20
LEAST = 0.5
"""Least usual size of the logarithm: of few samples it is never smaller."""
WIDEST = 3.0
"""Usual sizes that a logarithm may lie off and still teach in full."""


@inlined
def ratio_of(row: Record, floor: float) -> float:
    """Return the absolute logarithm of the recent variance over the usual one."""
    if row.count <= AFTER:
        return 0.0
    return abs(2.0 * math.log((row.short + floor) / (row.level_off + floor)))


@inlined
def spread_deviation(row: Record, ratio: float) -> float:
    """Return that logarithm in its root mean square."""
    return float(ratio / (row.ratio_off + LEAST))


@inlined
def learn_spread(row: Record, x: float, ratio: float, floor: float, p: Tuning) -> None:
    """Absorb a sample; before the level learns it."""
    if row.count > AFTER:
        usual = double(row.ratio_off)
        off = min(ratio, WIDEST * (usual + LEAST))
        row.ratio_off = learned(usual, off, max(p.scale, 1.0 / (row.count - AFTER)))
    limit = 5.0 * p.clip * (row.level_off + floor)
    row.short = learned(double(row.short), clipped(x - row.level, limit), p.fast)

"""What a series has lately done, or does at this hour of the day, is no news when it does it again."""

from __future__ import annotations

import math

from detectors.compiled import inlined, signed
from detectors.suite.record import HOURS, Record
from detectors.suite.tuning import Tuning

AFTER = 50
"""Samples before surprises are remembered: the first ones are of a series that nobody knows yet."""
PARTS = 8.0
"""An hour's surprise is kept in eighths, in a byte."""


@inlined
def remembered(row: Record, hour: int, p: Tuning) -> float:
    """Return what a new surprise must exceed."""
    return float(max(p.record * row.record, p.again * row.again[hour % HOURS] / PARTS))


@inlined
def remember(row: Record, hour: int, everything: float, p: Tuning) -> None:
    """Absorb a surprise; an hour's largest enters its bucket when the next hour begins. Before `season`."""
    if row.count <= AFTER:
        return
    row.record = max(row.record * p.record_decay, everything)
    if hour + 1 != row.hour and row.hour > 0:
        day = (row.hour - 1) % HOURS
        kept = max(row.peak, p.again_decay * row.again[day] / PARTS)
        row.again[day] = signed(math.floor(PARTS * kept + 0.5))
        row.peak = 0.0
    row.peak = max(row.peak, everything)

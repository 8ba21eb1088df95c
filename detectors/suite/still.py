"""Stillness: a series that always moves stands still, or its samples stay away.

Both are runs of an event whose usual rate is known, so their probabilities need no tail: `rate ** run`.
"""

from __future__ import annotations

import math

from detectors.compiled import compiled
from detectors.suite.record import Record
from detectors.suite.tuning import Tuning

AFTER = 100
"""Samples before a run that must be known; a series that never moved does not stand still."""
RAREST = 1e-3
GAP = 3.0
"""Intervals between two samples that make a gap."""
PACE = 0.01


@compiled
def still_surprise(row: Record, x: float, ts_ms: int, p: Tuning) -> float:
    """Return -log10 of the probability of this run of equal values, or of this gap; 0 … cap."""
    if row.count - row.run <= AFTER:
        return 0.0
    score = 0.0
    run = row.run + 1 if x == row.last else 0
    if run >= 3:
        score = -run * math.log10(row.repeat + RAREST)
    if row.interval > 0 and ts_ms - row.last_ts > GAP * row.interval:
        score = max(score, -math.log10(row.gap_rate + RAREST))
    return min(score, p.cap)


@compiled
def learn_still(row: Record, x: float, ts_ms: int) -> None:
    """Absorb a sample; a run teaches the rate of repeats once, however long it is."""
    if row.count == 0:
        return
    share = max(PACE, 1.0 / (row.count + 1))
    same = x == row.last
    row.run = row.run + 1 if same else 0
    if row.run <= 3:
        row.repeat += share * ((1.0 if same else 0.0) - row.repeat)
    if row.interval > 0:
        far = ts_ms - row.last_ts > GAP * row.interval
        row.gap_rate += share * ((1.0 if far else 0.0) - row.gap_rate)

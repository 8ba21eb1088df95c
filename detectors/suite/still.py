"""Stillness: a series that always moves stands still, or its samples stay away.

Both are runs of an event whose usual rate is known, so their probabilities need no tail: `rate ** run`.
"""

from __future__ import annotations

import math

import numpy as np

from detectors.compiled import inlined, signed
from detectors.suite.record import Record

AFTER = 100
"""Samples before a run that must be known; a series that never moved does not stand still."""
RAREST = 1e-3
GAP = 3.0
"""Intervals between two samples that make a gap."""
PACE = 0.01
LONGER = 3
"""Samples that a run must be longer than the longest so far, before it says anything."""
FADE = 1e-4
"""Share by which the longest run shortens with every sample: after a week of minutes it is forgotten."""
ALWAYS = 2.0
"""Taken off a gap's surprise: every series has had none until it has one."""
LARGEST = 6.0
"""Below it lies no more data than a few weeks hold. A run that has reached it was news, and is no more."""


@inlined
def still_surprise(row: Record, x: float, ts_ms: int) -> float:
    """Return -log10 of the probability of a run beyond the longest so far, or of this gap."""
    if row.count - signed(row.run) <= AFTER:
        return 0.0
    score = 0.0
    beyond = signed(row.run) + 1 - row.longest
    if np.float32(x) == row.last and beyond >= LONGER:
        one = -math.log10(row.repeat + RAREST)
        score = beyond * one if (beyond - 1) * one < LARGEST else 0.0
    if row.interval > 0 and ts_ms - row.last_ts > GAP * row.interval:
        score = max(score, -math.log10(row.gap_rate + RAREST) - ALWAYS)
    return min(score, LARGEST)


@inlined
def learn_still(row: Record, x: float, ts_ms: int) -> None:
    """Absorb a sample; a run teaches the rate of repeats once, however long it is."""
    if row.count == 0:
        return
    share = max(PACE, 1.0 / (row.count + 1))
    same = np.float32(x) == row.last
    if same:
        row.run = min(signed(row.run) + 1, 65535)
    else:
        row.longest = max(row.longest * (1.0 - FADE), signed(row.run))
        row.run = 0
    if row.run <= 3:
        row.repeat += share * ((1.0 if same else 0.0) - row.repeat)
    if row.interval > 0:
        far = ts_ms - row.last_ts > GAP * row.interval
        row.gap_rate += share * ((1.0 if far else 0.0) - row.gap_rate)

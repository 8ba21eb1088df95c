"""Like days: what an hour of a working day, or of a weekend, usually brings, and how far it lies off.

The first weekend is not an anomaly of five working days: its hours have not been seen. How far off is each
hour's own: at night a series may repeat itself as it never does by day.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from detectors.codes import code_of, value_of
from detectors.compiled import inlined, signed
from detectors.suite.location import learned
from detectors.suite.logarithm import LN2, ln
from detectors.suite.record import HOURS, Record
from detectors.suite.tuning import Tuning

WORKING_H = 5 * HOURS
"""Hours of a week, UTC, before its weekend."""
MANY = 3
"""Visits are counted so far; an hour speaks then."""
_SIGN = -(2**63)
LEAST_OFF = 1e-9
"""The smallest distance that counts anywhere; a byte reaches 1.5e10 from there."""
STEPS = 4.0
"""Steps of a distance's byte in one doubling: off by 9 % at most."""
_OFF = np.array([0.0, *(LEAST_OFF * math.exp2(code / STEPS) for code in range(1, 256))])
"""What each byte stands for: a power costs more than all else that the season does with a sample."""


@inlined
def bucket_of(hour: int) -> int:
    """Return the hour of a working day, 0 … 23, or of a weekend, 24 … 47."""
    return hour % HOURS + (HOURS if hour >= WORKING_H else 0)


@inlined
def times_seen(row: Record, bucket: int) -> int:
    """Return how often an hour of like days was seen, at most `MANY`."""
    return signed(row.day_visits[bucket >> 2]) >> (2 * (bucket & 3)) & 3


@inlined
def day_of(row: Record, bucket: int) -> float:
    """Return what an hour of like days usually brings."""
    code = signed(row.day[bucket])
    # The sign is a bit, too: a branch on it would be wrong every other time.
    bits: Any = np.float64(value_of(0, abs(code))).view(np.int64) | (code & _SIGN)
    return float(np.int64(bits).view(np.float64))


@inlined
def hour_off(row: Record, hour: int) -> float:
    """Return how far an hour of the day usually lies off, working or not; 0 when that is not known."""
    return float(_OFF[row.hour_off[hour % HOURS]])


@inlined
def off_code(off: float) -> int:
    """Return a distance as a byte; 0 is none."""
    if off < LEAST_OFF:
        return 0
    return min(int(STEPS / LN2 * ln(off / LEAST_OFF) + 0.5), 255)


@inlined
def learn_day(row: Record, hour: int, mean: float, off: float, p: Tuning) -> None:
    """Absorb an hour: its mean, and how far its samples lay off, which is known from its second visit on."""
    bucket = bucket_of(hour)
    seen = times_seen(row, bucket)
    if seen:
        share = max(p.day, 1.0 / seen)
        row.hour_off[hour % HOURS] = off_code(learned(hour_off(row, hour), off, share))
    usual = day_of(row, bucket)
    row.day[bucket] = code_of(0, usual + max(p.day, 1.0 / (seen + 1)) * (mean - usual))
    if seen < MANY:
        row.day_visits[bucket >> 2] += 1 << (2 * (bucket & 3))

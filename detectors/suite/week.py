"""The hours of a week: what each usually brings, a byte each.

An hour is its distance from a slow mean, in steps of a sixteenth of itself. What that loses counts as the
week's error, so like days are preferred where it matters.
"""

from __future__ import annotations

import math

import numpy as np

from detectors.compiled import double, inlined, signed
from detectors.suite.logarithm import LN2, ln
from detectors.suite.record import HOURS, WEEK, Record
from detectors.suite.tuning import Tuning

STEPS = 12.0
"""Steps of a byte in one doubling: 127 of them reach 1500 units, and two neighbours are 6 % apart."""
FULL = 127
_UNITS = np.array([math.exp2(code / STEPS) - 1.0 for code in range(FULL + 1)])
UNIT = 0.25
"""A unit is so much of the usual distance from the level when the second day begins."""
ROOM = 32.0
"""Units that a distance gets when it did not fit, so that the next may be larger still."""


@inlined
def code_of(distance: float, unit: float) -> int:
    """Return a distance as a byte."""
    steps = min(int(STEPS / LN2 * ln(1.0 + abs(distance) / unit) + 0.5), FULL)
    return steps if distance >= 0.0 else -steps


@inlined
def distance_of(code: int, unit: float) -> float:
    """Return the distance that a byte stands for."""
    size = float(unit * _UNITS[abs(code)])
    return size if code >= 0 else -size


@inlined
def visits_of(row: Record, hour: int) -> int:
    """Return how often an hour of the week was seen; 3 means three times or more."""
    return signed(row.week_visits[hour >> 2]) >> (2 * (hour & 3)) & 3


@inlined
def week_of(row: Record, hour: int) -> float:
    """Return what an hour of the week usually brings."""
    return double(row.base) + distance_of(int(row.week[hour]), double(row.unit))


@inlined
def learn_week(row: Record, hour: int, mean: float, floor: float, p: Tuning) -> None:
    """Absorb an hour; of the first day, only how far apart its hours lie."""
    if row.hours < HOURS:
        row.hours += 1
        row.base += (mean - row.base) / row.hours
        row.unit = UNIT * (row.level_off + floor)
        return
    seen = visits_of(row, hour)
    usual = week_of(row, hour) if seen else mean
    usual += max(p.week, 1.0 / (seen + 1)) * (mean - usual)
    _keep(row, hour, usual - row.base)
    if seen < 3:
        row.week_visits[hour >> 2] += 1 << (2 * (hour & 3))


@inlined
def _keep(row: Record, hour: int, distance: float) -> None:
    unit = double(row.unit)
    code = code_of(distance, unit)
    if abs(code) == FULL:
        row.unit = abs(distance) / ROOM
        for other in range(WEEK):
            row.week[other] = code_of(distance_of(int(row.week[other]), unit), double(row.unit))
        code = code_of(distance, double(row.unit))
    row.week[hour] = code

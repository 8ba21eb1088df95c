"""Season: distance from what this hour of the day, or of the week, usually brings.

Both are learned; the week speaks once it has visits and has lately erred less than the day. An hour of the
week is a byte: its distance from a slow mean, in steps of a sixteenth of itself. What that loses counts
as the week's error, so the day is preferred where it matters.
"""

from __future__ import annotations

import math

from detectors.compiled import compiled, double, signed
from detectors.suite.location import clipped, learned, limit_of
from detectors.suite.record import HOURS, WEEK, Record
from detectors.suite.tuning import Tuning

HOUR_MS = 3_600_000
MONDAY_H = 72
"""The epoch began on a Thursday; hours of the week are counted from Monday, UTC."""
COMPARED = 50
"""Samples on which day and week were both tried before one is preferred."""
SETTLED_SEASON = 100
WIDE = 3.0
STEPS = 12.0
"""Steps of a byte in one doubling: 127 of them reach 1500 units, and two neighbours are 6 % apart."""
FULL = 127
UNIT = 0.25
"""A unit is so much of the usual distance from the level when the second day begins."""
ROOM = 32.0
"""Units that a distance gets when it did not fit, so that the next may be larger still."""


@compiled
def hour_of(ts_ms: int) -> int:
    """Return the hour of the week, 0 … 167."""
    return int((ts_ms // HOUR_MS + MONDAY_H) % WEEK)


@compiled
def code_of(distance: float, unit: float) -> int:
    """Return a distance as a byte."""
    steps = min(math.floor(STEPS * math.log2(1.0 + abs(distance) / unit) + 0.5), FULL)
    return int(steps if distance >= 0.0 else -steps)


@compiled
def distance_of(code: int, unit: float) -> float:
    """Return the distance that a byte stands for."""
    size = float(unit * (2.0 ** (abs(code) / STEPS) - 1.0))
    return size if code >= 0 else -size


@compiled
def visits_of(row: Record, hour: int) -> int:
    """Return how often an hour of the week was seen; 3 means three times or more."""
    return signed(row.week_visits[hour >> 2]) >> (2 * (hour & 3)) & 3


@compiled
def week_of(row: Record, hour: int) -> float:
    """Return what an hour of the week usually brings."""
    return double(row.base) + distance_of(int(row.week[hour]), double(row.unit))


@compiled
def season_deviation(row: Record, hour: int, x: float, floor: float, p: Tuning) -> float:
    """Distance from the bucket's mean in its root mean square; 0 until it had enough visits."""
    day = hour % HOURS
    if row.day_visits[day] < p.week_visits + 1:
        return 0.0
    if visits_of(row, hour) >= p.week_visits and row.week_count > COMPARED and row.week_off < row.day_error:
        return float(abs(x - week_of(row, hour)) / (row.week_off + floor))
    return float(abs(x - row.day[day]) / (row.day_off + floor))


@compiled
def learn_season(row: Record, hour: int, x: float, floor: float, p: Tuning) -> None:
    """Absorb a sample; an hour's mean enters its buckets when the next hour begins."""
    if hour + 1 != row.hour:
        if row.hour_count > 0:
            _close_hour(row, row.hour - 1, double(row.hour_mean), floor, p)
        row.hour = hour + 1
        row.hour_mean = 0.0
        row.hour_count = 0
    row.hour_count = min(signed(row.hour_count) + 1, 65535)
    row.hour_mean += (x - row.hour_mean) / row.hour_count
    day = hour % HOURS
    if row.day_visits[day] == 0:
        return
    usual = double(row.day_off)
    limit = limit_of(usual, floor, p, row.count > SETTLED_SEASON)
    off = x - row.day[day]
    if visits_of(row, hour) > 0:
        row.week_count = min(signed(row.week_count) + 1, 255)
        share = max(p.scale, 1.0 / row.week_count)
        weekly = clipped(x - week_of(row, hour), WIDE * limit)
        row.week_off = learned(double(row.week_off), weekly, share)
        row.day_error = learned(double(row.day_error), clipped(off, WIDE * limit), share)
    row.day_off = learned(usual, clipped(off, limit), max(p.scale, 1.0 / (row.count + 1)))


@compiled
def _close_hour(row: Record, hour: int, mean: float, floor: float, p: Tuning) -> None:
    day = hour % HOURS
    row.day[day] += max(p.day, 1.0 / (row.day_visits[day] + 1)) * (mean - row.day[day])
    row.day_visits[day] = min(signed(row.day_visits[day]) + 1, 255)
    if row.hours < HOURS:
        # Not yet known how far apart the hours of a day lie.
        row.hours += 1
        row.base += (mean - row.base) / row.hours
        row.unit = UNIT * (row.level_off + floor)
        return
    seen = visits_of(row, hour)
    usual = week_of(row, hour) if seen else mean
    usual += max(p.week, 1.0 / (seen + 1)) * (mean - usual)
    _keep_week(row, hour, usual - row.base)
    if seen < 3:
        row.week_visits[hour >> 2] += 1 << (2 * (hour & 3))


@compiled
def _keep_week(row: Record, hour: int, distance: float) -> None:
    unit = double(row.unit)
    code = code_of(distance, unit)
    if abs(code) == FULL:
        row.unit = abs(distance) / ROOM
        for other in range(WEEK):
            row.week[other] = code_of(distance_of(int(row.week[other]), unit), double(row.unit))
        code = code_of(distance, double(row.unit))
    row.week[hour] = code

"""Season: distance from what this hour usually brings, on like days or in the week.

Both are learned; the week speaks once it has visits and has lately erred less. Neither speaks unless it
errs clearly less than the mean of the last day: a series that jumped, or has no daily shape, is the level's
matter. A distance that lasts for hours is not forgotten like a burst: `lasting_surprise` holds meanwhile.
"""

from __future__ import annotations

import math

from detectors.compiled import double, inlined, signed
from detectors.suite.day import MANY, bucket_of, day_of, hour_off, learn_day, times_seen
from detectors.suite.location import clipped, learned
from detectors.suite.record import HOURS, WEEK, Record
from detectors.suite.tail import student
from detectors.suite.tuning import Tuning
from detectors.suite.week import learn_week, visits_of, week_of

HOUR_MS = 3_600_000
MONDAY_H = 72
"""The epoch began on a Thursday; hours of the week are counted from Monday, UTC."""
COMPARED = 50
"""Hours of which both like days and the week had an opinion before the week may be preferred."""
SETTLED_HOURS = 24
"""Hours before learning is clipped, as `location.SETTLED`."""
NEWCOMER = 4.0 / 3.0
"""The mean of three visits is itself off by a third of the variance of one."""
AGAIN = 6.0
"""Hours of which each says the same as the one before, so that all count as one more."""
LONGEST = 24
"""Hours that a lasting distance is counted."""
LASTING = 1.5
"""Most that a lasting distance says: all its samples are one piece of news, and fresh news come first."""


@inlined
def hour_of(ts_ms: int) -> int:
    """Return the hour of the week, 0 … 167."""
    return int((ts_ms // HOUR_MS + MONDAY_H) % WEEK)


@inlined
def season_deviation(row: Record, hour: int, x: float, floor: float, p: Tuning) -> float:
    """Distance from what the hour brings, in how far it usually lies off; 0 where no season is known."""
    bucket = bucket_of(hour)
    if times_seen(row, bucket) < MANY:
        return 0.0
    weekly = row.week_count > COMPARED and row.week_off < row.day_off
    off = (row.week_off if weekly else row.day_off) + floor
    level = row.slow_off + floor
    if off * off >= (1.0 - p.skill) * level * level:
        return 0.0
    if weekly and visits_of(row, hour) >= p.week_visits:
        return float(abs(x - week_of(row, hour)) / off)
    return float(abs(x - day_of(row, bucket)) / (_usual_off(row, hour) + floor))


@inlined
def _usual_off(row: Record, hour: int) -> float:
    """Return how far the hour lies off: half its own, half that of all hours, which is better known."""
    own, every = hour_off(row, hour), double(row.day_off)
    return math.sqrt(NEWCOMER * 0.5 * (own * own + every * every))


@inlined
def lasting_surprise(row: Record, deviation: float, alone: float, p: Tuning) -> float:
    """Return the surprise of a distance that has lasted; hours that repeat each other count little.

    `alone` is what it says by itself, which is all while it has not lasted.
    """
    hours = min(abs(signed(row.lasted)), LONGEST)
    if hours == 0:
        return min(alone, LASTING)
    return min(student(deviation * math.sqrt(1.0 + hours / AGAIN), p.degrees), LASTING)


@inlined
def learn_season(row: Record, hour: int, x: float, floor: float, p: Tuning) -> None:
    """Absorb a sample; an hour enters its buckets when the next begins."""
    if hour + 1 != row.hour:
        if row.hour_count > 0:
            _close_hour(row, row.hour - 1, double(row.hour_mean), floor, p)
        row.hour = hour + 1
        row.hour_mean = 0.0
        row.hour_rms = 0.0
        row.hour_count = 0
    row.hour_count = min(signed(row.hour_count) + 1, 65535)
    row.hour_mean += (x - row.hour_mean) / row.hour_count
    bucket = bucket_of(hour)
    if times_seen(row, bucket):
        off = clipped(x - day_of(row, bucket), _limit(row, double(row.day_off), floor, p))
        row.hour_rms = learned(double(row.hour_rms), off, 1.0 / row.hour_count)


@inlined
def _limit(row: Record, off: float, floor: float, p: Tuning) -> float:
    return p.wide * (off + floor) if row.known > SETTLED_HOURS else 1e30


@inlined
def _close_hour(row: Record, hour: int, mean: float, floor: float, p: Tuning) -> None:
    bucket = bucket_of(hour)
    off = double(row.hour_rms)
    if times_seen(row, bucket):
        every, level = double(row.day_off), double(row.slow_off)
        limit = _limit(row, every, floor, p)
        far = clipped(mean - row.slow, _limit(row, level, floor, p))
        row.known = min(signed(row.known) + 1, 255)
        share = max(p.season, 1.0 / row.known)
        row.day_off = learned(every, off, share)
        row.slow_off = learned(level, far, share)
        if visits_of(row, hour):
            row.week_count = min(signed(row.week_count) + 1, 255)
            far = clipped(mean - week_of(row, hour), limit)
            row.week_off = learned(double(row.week_off), far, max(p.season, 1.0 / row.week_count))
        _learn_lasted(row, hour, mean - day_of(row, bucket), floor)
    learn_day(row, hour, mean, off, p)
    row.slow += (mean - row.slow) / min(row.hours + 1, HOURS)
    learn_week(row, hour, mean, floor, p)


@inlined
def _learn_lasted(row: Record, hour: int, distance: float, floor: float) -> None:
    """Count the hours in a row that lay off to one side; positive above, negative below."""
    side = 1 if distance > 0.0 else -1
    lasted = signed(row.lasted)
    if times_seen(row, bucket_of(hour)) < MANY or abs(distance) < _usual_off(row, hour) + floor:
        row.lasted = 0
    else:
        row.lasted = min(max(lasted + side, -LONGEST), LONGEST) if lasted * side > 0 else side

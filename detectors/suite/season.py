"""Season: distance from what this hour usually brings, on like days or in the week.

Both are learned; the week speaks once it has visits and has lately erred less. Neither speaks unless it
errs clearly less than the mean of the last day: a series that jumped, or has no daily shape, is the level's
matter. A distance that lasts for hours is not forgotten like a burst: `lasting_surprise` holds meanwhile.
"""

from __future__ import annotations

import math

import numpy as np

from detectors.compiled import double, inlined, signed
from detectors.suite.block import (
    BLOCK,
    DAY,
    DAY_OFF,
    EVERY,
    FACTOR,
    FLOOR,
    HOUR_COUNT,
    HOUR_MEAN,
    HOUR_RMS,
    KNOWN,
    LASTED,
    ODDS,
    OFF,
    OWN,
    SLOW,
    TARGET,
    WEEKLY,
    X,
)
from detectors.suite.day import MANY, bucket_of, day_of, hour_off, learn_day, times_seen
from detectors.suite.extent import floor_now
from detectors.suite.location import clipped, learned
from detectors.suite.record import HOURS, WEEK, Record
from detectors.suite.tail import odds
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
_FACTOR = np.sqrt(1.0 + np.arange(LONGEST + 1) / AGAIN)
"""Of a deviation that has lasted for so many hours."""


@inlined
def hour_of(ts_ms: int) -> int:
    """Return the hour of the week, 0 … 167."""
    return int((ts_ms // HOUR_MS + MONDAY_H) % WEEK)


@inlined
def usual_off(own: float, every: float) -> float:
    """Return how far the hour lies off: half its own, half that of all hours, which is better known."""
    return math.sqrt(NEWCOMER * 0.5 * (own * own + every * every))


@inlined
def look_up(row: Record, hour: int, reals: np.ndarray, k: int, p: Tuning) -> None:
    """Look up what the hour brings, before any hour is closed, and how long samples have lain off it."""
    bucket = bucket_of(hour)
    reals[OFF + k] = np.inf
    if times_seen(row, bucket) == MANY:
        weekly = row.week_count > COMPARED and row.week_off < row.day_off
        reals[OFF + k] = row.week_off if weekly else row.day_off
        weekly = weekly and visits_of(row, hour) >= p.week_visits
        reals[TARGET + k] = week_of(row, hour) if weekly else day_of(row, bucket)
        reals[WEEKLY + k] = 1.0 if weekly else 0.0
        reals[OWN + k] = hour_off(row, hour)
        reals[EVERY + k] = row.day_off
        reals[SLOW + k] = row.slow_off
    reals[FACTOR + k] = _FACTOR[abs(signed(row.lasted))]


@inlined
def take_hour(row: Record, hour: int, reals: np.ndarray, k: int, p: Tuning) -> None:
    """Close the hour before when another has begun, and look up what this sample is to be compared with."""
    if hour + 1 != row.hour:
        if row.hour_count > 0:
            _close_hour(row, row.hour - 1, double(row.hour_mean), floor_now(row, p), p)
        row.hour = hour + 1
        row.hour_mean = 0.0
        row.hour_rms = 0.0
        row.hour_count = 0
    row.hour_count = min(signed(row.hour_count) + 1, 65535)
    bucket = bucket_of(hour)
    reals[HOUR_COUNT + k] = signed(row.hour_count)
    reals[DAY + k] = day_of(row, bucket) if times_seen(row, bucket) else np.nan
    reals[KNOWN + k] = 1.0 if row.known > SETTLED_HOURS else 0.0


@inlined
def compare_season(state: np.ndarray, reals: np.ndarray, upto: int, p: Tuning) -> None:
    """Measure distances from what the hour brings in how far it usually lies off, and learn the hour.

    0 where no season is known, or where it explains too little.
    """
    for k in range(upto):
        x, floor = reals[X + k], reals[FLOOR + k]
        off, level = reals[OFF + k] + floor, reals[SLOW + k] + floor
        usual = usual_off(reals[OWN + k], reals[EVERY + k]) + floor
        distance = abs(x - reals[TARGET + k]) / (off if reals[WEEKLY + k] > 0.0 else usual)
        silent = off * off >= (1.0 - p.skill) * level * level
        distance = 0.0 if silent else distance
        reals[ODDS + 2 * BLOCK + k] = odds(distance, p.degrees)
        reals[LASTED + k] = odds(distance * reals[FACTOR + k], p.degrees)
        day, mean, root = reals[DAY + k], double(state[HOUR_MEAN + k]), double(state[HOUR_RMS + k])
        share = 1.0 / reals[HOUR_COUNT + k]
        state[HOUR_MEAN + k] = mean + (x - mean) * share
        limit = p.wide * (double(state[DAY_OFF + k]) + floor) if reals[KNOWN + k] > 0.0 else 1e30
        after = learned(root, clipped(x - day, limit), share)
        state[HOUR_RMS + k] = after if day == day else root


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
    usual = usual_off(hour_off(row, hour), double(row.day_off)) + floor
    if times_seen(row, bucket_of(hour)) < MANY or abs(distance) < usual:
        row.lasted = 0
    else:
        row.lasted = min(max(lasted + side, -LONGEST), LONGEST) if lasted * side > 0 else side

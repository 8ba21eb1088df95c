"""One sample through all members: deviations → tail probabilities → one surprise, then learning."""

from __future__ import annotations

import math

import numpy as np

from detectors.compiled import double, inlined
from detectors.grid import INTERVALS_MS, nearest_interval
from detectors.suite.location import learn_location, level_deviation
from detectors.suite.novelty import learn_novelty, novelty_of, words_of
from detectors.suite.record import GRIDS, MEMBERS, Record
from detectors.suite.remember import remember, remembered
from detectors.suite.season import hour_of, lasting_surprise, learn_season, season_deviation
from detectors.suite.spread import learn_spread, ratio_of, spread_deviation
from detectors.suite.still import learn_still, still_surprise
from detectors.suite.tail import absorb, student, surprise
from detectors.suite.trend import learn_trend, trend_deviation
from detectors.suite.tuning import Tuning

LIMIT = 1e30
"""Larger magnitudes are taken for this: float32 holds it and what is built from it."""
COLD = 20
"""Samples before anything is said."""
RANGE_AFTER = 20
SEASON = MEMBERS.index("season")
LARGEST = 20.0


@inlined
def first_sight(row: Record, ts_ms: int, x: float) -> None:
    """Begin with a series: everything is as its first sample is."""
    row.anchor = x
    row.last_ts = ts_ms
    for grid in range(GRIDS):
        for kind in range(3):
            row.rate[grid, kind] = 0.5
    row.repeat = 0.5


@inlined
def floor_of(row: Record, extent: float, p: Tuning) -> float:
    """Return the smallest distance that counts: a share of the range, or of the value itself."""
    return float(1e-9 + p.floor * extent + 1e-4 * abs(row.level + row.anchor))


@inlined
def step(row: Record, ts_ms: int, value: float, p: Tuning, said: np.ndarray) -> float:
    """Score a sample, then learn it; `said` receives what each member says. Return the surprise, 0 … 20.

    The caller has made sure that `value` is finite and `ts_ms` newer than the last.
    """
    value = min(max(value, -LIMIT), LIMIT)
    if row.count == 0:
        first_sight(row, ts_ms, value)
    x = value - row.anchor
    n = row.count
    extent = double(row.high) - double(row.low)
    floor = floor_of(row, extent, p)
    hour = hour_of(ts_ms)
    ratio = ratio_of(row, floor)
    words = words_of(x, extent, p)
    weight = (p.w_level, p.w_trend, p.w_season, p.w_spread)
    deviations = (
        level_deviation(row, x, floor),
        trend_deviation(row, x, floor),
        season_deviation(row, hour, x, floor, p),
        spread_deviation(row, ratio),
    )
    largest, alone = 0.0, 0.0
    for k in range(len(deviations)):
        one = student(deviations[k], p.degrees)
        said[k] = weight[k] * surprise(row.tail[k], one)
        if n >= COLD:
            absorb(row.tail[k], one)
        largest = max(largest, said[k])
        if k == SEASON:
            alone = one
    said[4] = p.w_still * still_surprise(row, x, ts_ms)
    said[5] = p.w_novelty * novelty_of(row, words, p)
    everything = min(max(largest, said[4]) + said[5], LARGEST)
    score = max(everything - remembered(row, hour, p), 0.0)
    lasting = p.w_season * lasting_surprise(row, deviations[SEASON], alone, p)
    if lasting > score:
        score = lasting
        said[SEASON] = max(everything, lasting)
    remember(row, hour, everything, p)
    learn_still(row, x, ts_ms)
    learn_novelty(row, words, p)
    learn_spread(row, x, ratio, floor, p)
    learn_trend(row, x, floor, p)
    learn_season(row, hour, x, floor, p)
    learn_location(row, x, floor, p)
    _learn(row, ts_ms, x, p)
    return score if n >= COLD else 0.0


@inlined
def _learn(row: Record, ts_ms: int, x: float, p: Tuning) -> None:
    pace = p.range_decay if row.count >= RANGE_AFTER else 0.0
    row.low = min(row.low + pace * (x - row.low), x)
    row.high = max(row.high + pace * (x - row.high), x)
    if row.count > 0:
        nearest = INTERVALS_MS[nearest_interval(ts_ms - row.last_ts)]
        if row.interval == 0 or nearest < row.interval:
            row.interval = nearest
    row.last_ts = ts_ms
    row.count += 1


@inlined
def finite(x: float) -> bool:
    """Tell a number from NaN and infinities."""
    return math.isfinite(x)

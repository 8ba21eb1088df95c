"""One sample through all members: deviations → tail probabilities → one surprise, then learning."""

from __future__ import annotations

import math

import numpy as np

from detectors.compiled import compiled
from detectors.grid import INTERVALS_MS, nearest_interval
from detectors.suite.budget import FIRST
from detectors.suite.location import change_deviation, learn_location, level_deviation, shift_deviation
from detectors.suite.novelty import density_of, learn_novelty, novelty_of
from detectors.suite.record import GRIDS, Record
from detectors.suite.season import hour_of, learn_season, season_deviation
from detectors.suite.spread import learn_spread, spread_deviation
from detectors.suite.still import learn_still, still_surprise
from detectors.suite.tail import COLD, absorb, surprise
from detectors.suite.trend import learn_trend, trend_deviation
from detectors.suite.tuning import Tuning

LIMIT = 1e30
"""Larger magnitudes are taken for this: float32 buckets hold it, and squares are finite."""
RECORD_AFTER = 50
"""Samples before surprises are compared with earlier ones."""
RANGE_AFTER = 20
LARGEST = 20.0
SUM = 7
"""Tail of the sum; the ones before it are the members'."""


@compiled
def first_sight(row: Record, ts_ms: int, x: float) -> None:
    """Begin with a series: everything is as its first sample is."""
    row.anchor = x
    row.last_ts = ts_ms
    for grid in range(GRIDS):
        for kind in range(3):
            row.rate[grid, kind] = 0.5
    row.repeat = 0.5
    row.strict = FIRST


@compiled
def step(row: Record, ts_ms: int, value: float, p: Tuning, said: np.ndarray) -> float:
    """Score a sample, then learn it; `said` receives what each member says. Return the surprise, 0 … 20.

    The caller has made sure that `value` is finite and `ts_ms` newer than the last.
    """
    value = min(max(value, -LIMIT), LIMIT)
    if row.count == 0:
        first_sight(row, ts_ms, value)
    x = value - row.anchor
    n = row.count
    extent = row.high - row.low
    floor = 1e-9 + p.floor * extent + 1e-4 * abs(row.level + row.anchor)
    hour = hour_of(ts_ms)
    raw = (
        level_deviation(row, x, floor),
        trend_deviation(row, x, floor),
        change_deviation(row, x, floor),
        season_deviation(row, hour, x, floor, p),
        spread_deviation(row, floor),
        shift_deviation(row, floor),
    )
    weight = (p.w_level, p.w_trend, p.w_change, p.w_season, p.w_spread, p.w_shift)
    largest = 0.0
    total = 0.0
    for k in range(6):
        one = weight[k] * surprise(row.tail[k], raw[k], p.quantile, p.shape, p.cap, n)
        absorb(row.tail[k], raw[k], p.quantile, p.tail, n)
        said[k] = one
        largest = max(largest, one)
        total += one
    still = p.w_still * still_surprise(row, x, ts_ms, p)
    said[6] = still
    largest = max(largest, still)
    total += still
    novelty = novelty_of(row, x, extent, p)
    said[7] = p.w_novelty * novelty + p.w_dense * density_of(row, novelty, p)
    everything = largest + p.others * (total - largest) + said[7]
    score = max(everything - p.record * row.record, 0.0)
    own = surprise(row.tail[SUM], score, p.own_quantile, p.shape, LARGEST, n)
    absorb(row.tail[SUM], score, p.own_quantile, p.own_tail, n)
    score = ((1.0 - p.own) * score + p.own * own) * (1.0 - row.hush)
    row.hush *= p.hush_decay
    if n > RECORD_AFTER:
        row.hush = max(row.hush, p.hush * score / (score + p.hush_at))
        row.record = max(row.record * p.record_decay, everything)
    _learn(row, ts_ms, hour, x, extent, floor, novelty, p)
    return float(min(score, LARGEST)) if n >= COLD else 0.0


@compiled
def _learn(
    row: Record, ts_ms: int, hour: int, x: float, extent: float, floor: float, novelty: float, p: Tuning
) -> None:
    learn_still(row, x, ts_ms)
    learn_novelty(row, x, extent, novelty, p)
    learn_spread(row, x, floor, p)
    learn_trend(row, x, floor, p)
    learn_season(row, hour, x, floor, p)
    learn_location(row, x, floor, p)
    if row.count < RANGE_AFTER:
        row.low = min(row.low, x)
        row.high = max(row.high, x)
    else:
        row.low = min(row.low + p.range_decay * (x - row.low), x)
        row.high = max(row.high + p.range_decay * (x - row.high), x)
    if row.count > 0:
        gap = ts_ms - row.last_ts
        nearest = INTERVALS_MS[nearest_interval(gap)]
        if row.interval == 0 or nearest < row.interval:
            row.interval = nearest
    row.last_ts = ts_ms
    row.count += 1


@compiled
def finite(x: float) -> bool:
    """Tell a number from NaN and infinities."""
    return math.isfinite(x)

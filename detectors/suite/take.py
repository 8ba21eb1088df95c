"""Takes samples on: what is looked up in each record by itself, and what is due when an hour ends."""

from __future__ import annotations

import math

import numpy as np

from detectors.compiled import compiled, inlined, signed
from detectors.grid import INTERVALS_MS, nearest_interval
from detectors.suite.ahead import ask_for
from detectors.suite.block import ANCHOR, BLOCK, COUNT, GAP, X
from detectors.suite.record import GRIDS, Record
from detectors.suite.remember import recall
from detectors.suite.season import HOUR_MS, hour_of, look_up, take_hour
from detectors.suite.still import look
from detectors.suite.tuning import Tuning

LIMIT = 1e30
"""Larger magnitudes are taken for this: float32 holds it and what is built from it."""


@compiled
def take(
    rows: np.ndarray,
    number: np.ndarray,
    ts_ms: np.ndarray,
    value: np.ndarray,
    begin: int,
    p: Tuning,
    reals: np.ndarray,
) -> int:
    """Take on a block of samples, and return how many are in it; 0 if the first one teaches nothing.

    A block ends before what is no number or not newer than the series' last sample. It also ends before
    a series that may be in it already, and which must have learned from its first sample by then.
    """
    hour, hour_ms = 0, np.int64(-HOUR_MS)
    for k in range(min(BLOCK, len(number) - begin)):
        i = begin + k
        ask_for(rows, number, i + BLOCK, 0)
        row = rows[number[i]]
        now, n = ts_ms[i], signed(row.count)
        gap = now - row.last_ts if n > 0 else 0
        if not math.isfinite(value[i]) or (n > 0 and gap <= 0) or (k > 0 and number[i] <= number[i - 1]):
            return k
        x = min(max(value[i], -LIMIT), LIMIT)
        if n == 0:
            _first_sight(row, x)
        x -= row.anchor
        reals[X + k] = x
        reals[COUNT + k] = n
        reals[ANCHOR + k] = row.anchor
        reals[GAP + k] = gap
        if now < hour_ms or now >= hour_ms + HOUR_MS:
            # Most samples of a batch lie in the same hour: some divisions are saved.
            hour, hour_ms = hour_of(now), now // HOUR_MS * HOUR_MS
        look(row, n, x, gap, reals, k, p)
        look_up(row, hour & 255, reals, k, p)
        recall(row, hour & 255, reals, k, p)
        take_hour(row, hour & 255, reals, k, p)
        if n > 0:
            _learn_interval(row, gap)
        row.last_ts = now
        row.count = n + 1
    return min(BLOCK, len(number) - begin)


@inlined
def _first_sight(row: Record, x: float) -> None:
    """Begin with a series: everything is as its first sample is."""
    row.anchor = x
    for grid in range(GRIDS):
        for kind in range(3):
            row.rate[grid, kind] = 0.5
    row.repeat = 0.5


@inlined
def _learn_interval(row: Record, gap: int) -> None:
    interval = signed(row.interval)
    if interval == 0 or 8 * gap < 7 * interval:
        # Neighbours are a third apart at least: no shorter one is nearest to a longer gap.
        nearest = INTERVALS_MS[nearest_interval(gap)]
        if interval == 0 or nearest < interval:
            row.interval = nearest

"""Takes samples on: what is looked up in each record by itself, and what is due when an hour ends."""

from __future__ import annotations

import math

import numpy as np

from detectors.compiled import compiled, inlined, signed
from detectors.grid import INTERVALS_MS, nearest_interval
from detectors.suite.ahead import ask_for
from detectors.suite.block import ANCHOR, BEFORE, COUNT, GAP, HOUR, NOW, NUMBER, PLACE, X
from detectors.suite.record import GRIDS, Record
from detectors.suite.remember import recall
from detectors.suite.season import HOUR_MS, hour_of, look_up, take_hour
from detectors.suite.still import look
from detectors.suite.tuning import Tuning

LIMIT = 1e30
"""Larger magnitudes are taken for this: float32 holds it and what is built from it."""


@compiled
def accept(
    rows: np.ndarray,
    number: np.ndarray,
    ts_ms: np.ndarray,
    value: np.ndarray,
    begin: int,
    stop: int,
    reals: np.ndarray,
    wholes: np.ndarray,
) -> int:
    """Put what is a number, and newer than the series' last, into columns; return how many there are."""
    count, hour = 0, 0
    begun = np.int64(-HOUR_MS)
    for i in range(begin, stop):
        row = rows[number[i]]
        now, before, n = ts_ms[i], row.last_ts, signed(row.count)
        if not math.isfinite(value[i]) or (n > 0 and now <= before):
            continue
        x = min(max(value[i], -LIMIT), LIMIT)
        if n == 0:
            _first_sight(row, now, x)
        if now < begun or now >= begun + HOUR_MS:
            # Most samples of a batch lie in the same hour: some divisions are saved.
            hour = hour_of(now)
            begun = now // HOUR_MS * HOUR_MS
        wholes[PLACE + count] = i
        wholes[NUMBER + count] = number[i]
        wholes[BEFORE + count] = before
        wholes[NOW + count] = now
        wholes[HOUR + count] = hour
        reals[X + count] = x - row.anchor
        reals[COUNT + count] = n
        reals[ANCHOR + count] = row.anchor
        reals[GAP + count] = now - before if n > 0 else 0
        count += 1
    return count


@compiled
def take(
    rows: np.ndarray,
    number: np.ndarray,
    reals: np.ndarray,
    wholes: np.ndarray,
    count: int,
    stop: int,
    p: Tuning,
) -> None:
    """Look up in each record what the steps compare with, close hours that are over, and count samples."""
    for k in range(count):
        ask_for(rows, number, stop + k, 0)
        row = rows[wholes[NUMBER + k]]
        now, before, n = wholes[NOW + k], wholes[BEFORE + k], signed(row.count)
        hour = wholes[HOUR + k] & 255
        look(row, n, reals[X + k], now - before, reals, k, p)
        look_up(row, hour, reals, k, p)
        recall(row, hour, reals, k, p)
        take_hour(row, hour, reals, k, p)
        if n > 0:
            _learn_interval(row, now - before)
        row.last_ts = now
        row.count = n + 1


@inlined
def _first_sight(row: Record, now: int, x: float) -> None:
    """Begin with a series: everything is as its first sample is."""
    row.anchor = x
    row.last_ts = now
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

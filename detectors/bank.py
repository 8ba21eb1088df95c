"""All series at once: one pass over the samples of a tick, in (time, series) order.

intake → residual → volume → tail → persistence → episode, each in its own module; here is their order,
block by block, and nothing else.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.ahead import ask_for_stretch, touch_place
from detectors.block import (
    BLOCK,
    CODES,
    FLOOR,
    IQR,
    MEDIAN,
    PLACE,
    POOLED,
    REALS,
    RELATIVE,
    REQUESTS,
    SCALE,
    SHAPE,
    SLOTS,
    WHOLES,
    WITHIN,
    Y,
    Z,
)
from detectors.compiled import compiled, double, inlined, signed
from detectors.episode import SILENT, follow, teaches
from detectors.grid import SLOT_MS
from detectors.intake import take
from detectors.persistence import sustained
from detectors.pools import Pools
from detectors.residual import MIN_SLOTS, quartile, scale_of, scattered
from detectors.rows import TRAIL, Rows
from detectors.stamps import stamp_of
from detectors.tail import LEVELS, learn_burst, learn_own, learn_week, level_of, rarity


class Judged(NamedTuple):
    """What the bank says of the samples that speak, in the order of its input; of the others, nothing."""

    place: NDArray[np.int64]
    """Position of the sample in the input."""
    action: NDArray[np.int8]
    """`episode.SPEAK` or `CLOSE`."""
    lasting: NDArray[np.float64]
    """Sustained score."""
    value: NDArray[np.float64]
    """The judged quantity in the unit of the metric: a rate for counters, smoothed for fine intervals."""
    expected: NDArray[np.float64]
    """Baseline median, as transformed."""
    scale: NDArray[np.float64]
    """As transformed."""


def judge(
    rows: Rows, pools: Pools, row: NDArray[np.int32], ts_ms: NDArray[np.int64], value: NDArray[np.float64]
) -> Judged:
    """Score samples and learn from them; `rows` and `pools` are changed in place.

    Parameters
    ----------
    row, ts_ms, value
        Parallel columns in the order in which they are to be applied. NaN and infinities are skipped, and so
        is what is not newer than the row's last sample.
    """
    n = len(row)
    # Never touched where nothing is said: memory that is not written to is not even fetched.
    floats = [np.empty(n) for _ in range(4)]
    out = Judged(np.empty(n, np.int64), np.empty(n, np.int8), *floats)
    spoken = _judge(rows, pools, row, ts_ms, value, out)
    kept = [column[:spoken].copy() for column in floats]
    return Judged(out.place[:spoken].copy(), out.action[:spoken].copy(), *kept)


@compiled
def _judge(
    rows: Rows, pools: Pools, number: np.ndarray, ts_ms: np.ndarray, value: np.ndarray, out: Judged
) -> int:
    reals, wholes = np.zeros(REALS), np.zeros(WHOLES, np.int64)
    spoken, begin, n = 0, 0, len(number)
    for i in range(min(BLOCK, n)):
        ask_for_stretch(rows[number[i]])
    while begin < n:
        stop = begin + 1
        # A row that comes twice must have learned from its first sample before the second is looked at.
        while stop < n and stop < begin + BLOCK and number[stop] > number[stop - 1]:
            stop += 1
        count = take(rows, pools, number, ts_ms, value, begin, stop, reals, wholes)
        _measure(rows, pools, number, reals, wholes, count)
        spoken = _learn(rows, pools, number, ts_ms, reals, wholes, count, stop, out, spoken)
        begin = stop
    return spoken


@inlined
def _quartile(reals: np.ndarray, wholes: np.ndarray, k: int, which: int) -> float:
    low = wholes[CODES + 2 * which * BLOCK + k]
    high = wholes[CODES + (2 * which + 1) * BLOCK + k]
    return quartile(wholes[SHAPE + k], reals[SLOTS + k], which, low, high)


@compiled
def _measure(
    rows: Rows, pools: Pools, number: np.ndarray, reals: np.ndarray, wholes: np.ndarray, count: int
) -> None:
    """Measure how far samples lie from the middle of the baseline, in units of its spread."""
    for k in range(BLOCK):
        first = _quartile(reals, wholes, k, 0)
        reals[MEDIAN + k] = _quartile(reals, wholes, k, 1)
        reals[IQR + k] = _quartile(reals, wholes, k, 2) - first
    for k in range(count):
        row = rows[number[wholes[PLACE + k]]]
        p = row.pool
        if reals[SLOTS + k] > 0.0:
            row.median = reals[MEDIAN + k]
            row.iqr = reals[IQR + k]
        reals[MEDIAN + k] = row.median
        reals[IQR + k] = row.iqr
        reals[WITHIN + k] = row.within
        reals[FLOOR + k] = max(pools.floor[p], double(row.floor))
        reals[RELATIVE + k] = pools.relative_floor[p]
        reals[POOLED + k] = pools.scale[p]
    for k in range(BLOCK):
        scale = scale_of(
            reals[MEDIAN + k],
            reals[IQR + k],
            reals[WITHIN + k],
            reals[FLOOR + k],
            reals[RELATIVE + k],
            reals[POOLED + k],
        )
        reals[SCALE + k] = scale
        reals[Z + k] = (reals[Y + k] - reals[MEDIAN + k]) / scale
    for k in range(count):
        row = rows[number[wholes[PLACE + k]]]
        p = row.pool
        requests = reals[REQUESTS + k]
        if requests == requests and pools.volume[p]:
            reals[SCALE + k] = scattered(
                reals[SCALE + k], requests, reals[MEDIAN + k], pools.volume[p], pools.top[p]
            )
            reals[Z + k] = (reals[Y + k] - reals[MEDIAN + k]) / reals[SCALE + k]
        touch_place(pools.histogram, LEVELS * p + level_of(abs(reals[Z + k])))
        if row.filled < MIN_SLOTS or row.interval <= 0:
            reals[SCALE + k] = 0.0


@compiled
def _learn(
    rows: Rows,
    pools: Pools,
    number: np.ndarray,
    ts_ms: np.ndarray,
    reals: np.ndarray,
    wholes: np.ndarray,
    count: int,
    stop: int,
    out: Judged,
    spoken: int,
) -> int:
    """Say how rare samples are, follow episodes, and learn; return how many have spoken so far."""
    last_place = len(number) - 1
    for k in range(count):
        # Those that come next are asked for while there is so much to do with these.
        ask_for_stretch(rows[number[min(stop + k, last_place)]])
        i = wholes[PLACE + k]
        row = rows[number[i]]
        now, y, scale = ts_ms[i], reals[Y + k], reals[SCALE + k]
        if scale > 0.0:
            p = row.pool
            interval = signed(row.interval)
            slot_ms = int(max(interval, SLOT_MS))
            a = abs(reals[Z + k])
            sign = 1 if reals[Z + k] >= 0 else -1
            level = level_of(a)
            score = rarity(row, a, pools.threshold[p], pools.excess[p], now, slot_ms)
            lasting = sustained(row, score, sign, now, interval)
            action = follow(row, y, score, lasting, sign, scale, now, interval)
            if action != SILENT:
                # Of an episode the sign that it opened with speaks; a swing back is silence.
                if sign != row.sign:
                    lasting = 0.0
                out.place[spoken] = i
                out.action[spoken] = action
                out.lasting[spoken] = lasting
                out.value[spoken] = y
                out.expected[spoken] = row.median
                out.scale[spoken] = scale
                spoken += 1
            learn_burst(row, a, now, slot_ms)
            learn_week(row, level, now)
            if teaches(row, now):
                learn_own(row, level)
                pools.histogram[p, level] += 1.0
        at = signed(row.trail_head)
        row.trail[at] = y
        row.trail_ts[at] = stamp_of(now)
        row.trail_head = at + 1 if at + 1 < TRAIL else 0
    return spoken

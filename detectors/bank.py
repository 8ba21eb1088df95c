"""All series at once: one pass over the samples of a tick, in (time, series) order.

grid → residual → volume → tail → persistence → episode, each in its own module; here is their order, the
pools that compare a series with its siblings, and nothing else.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.compiled import compiled
from detectors.episode import OPENED, follow
from detectors.grid import (
    CHANGE_AFTER,
    INTERVALS_MS,
    MAX_GAP,
    SLOT_MS,
    SMOOTH_MS,
    STEP_MS,
    nearest_interval,
)
from detectors.persistence import sustained
from detectors.residual import MIN_SLOTS, remember, scale_of, shaped
from detectors.rows import NEVER, OWN, TRAIL, Rows
from detectors.tail import LEVELS, learn_burst, learn_own, level_of, pool_tail, rarity

LIVE_SLOTS = 10
"""Slots without a sample after which a series no longer speaks for its siblings."""


class Pools(NamedTuple):
    """What siblings have in common: the same metric over all services; the first axis is the pool."""

    scale: NDArray[np.float64]
    histogram: NDArray[np.float64]
    threshold: NDArray[np.float64]
    excess: NDArray[np.float64]
    slot_ms: NDArray[np.int64]


def allocate_pools(count: int) -> Pools:
    """Return `count` pools that know nothing."""
    return Pools(
        scale=np.zeros(count),
        histogram=np.zeros((count, LEVELS)),
        threshold=np.full(count, 1.5),
        excess=np.full(count, 0.75),
        slot_ms=np.full(count, SLOT_MS, dtype=np.int64),
    )


class Judged(NamedTuple):
    """What the bank says of each sample, parallel to its input."""

    action: NDArray[np.int8]
    """`episode.SILENT`, `SPEAK` or `CLOSE`."""
    lasting: NDArray[np.float64]
    """Sustained score."""
    score: NDArray[np.float64]
    """Rarity of the sample alone."""
    value: NDArray[np.float64]
    """The judged quantity in the unit of the metric: a rate for counters, smoothed for fine intervals."""
    expected: NDArray[np.float64]
    """Baseline median, as transformed."""
    scale: NDArray[np.float64]
    """As transformed."""
    z: NDArray[np.float64]


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
    out = Judged(
        np.zeros(n, np.int8), *(np.zeros(n) for _ in range(2)), *(np.full(n, np.nan) for _ in range(4))
    )
    _judge(rows, pools, row, ts_ms, value, out)
    return out


@compiled
def _judge(
    rows: Rows, pools: Pools, row: np.ndarray, ts_ms: np.ndarray, value: np.ndarray, out: Judged
) -> None:
    for i in range(len(row)):
        r = row[i]
        now = ts_ms[i]
        x = value[i]
        if not np.isfinite(x) or now <= rows.last_ts[r]:
            continue
        last = rows.last_ts[r]
        gap = now - last
        if rows.kind[r] == 1:
            before = rows.last_raw[r]
            rows.last_raw[r] = x
            if before != before or x < before:
                # First sample or a reset: no increase is known. The time base starts anew.
                rows.last_ts[r] = now
                continue
            x = (x - before) / gap * 1000.0
        if last != NEVER:
            _learn_interval(rows, r, gap)
        rows.last_ts[r] = now
        if rows.inverted[r]:
            x = rows.top[r] - x
        rows.last_value[r] = x
        y = shaped(rows.shape[r], rows.offset[r], x)
        interval = rows.interval[r]
        slot_ms = max(interval, SLOT_MS)
        fine = 0 < interval < STEP_MS
        if fine:
            y = _smooth(rows, r, y, gap)
        _advance_slot(rows, r, now, slot_ms, interval)
        p = rows.pool[r]
        if rows.filled[r] >= MIN_SLOTS and interval > 0:
            requests = np.nan
            q = rows.load_row[r]
            if q >= 0 and now - rows.last_ts[q] <= MAX_GAP * max(interval, rows.interval[q]):
                requests = rows.last_value[q]
                if rows.load_is_rate[q]:
                    requests *= interval / 1000.0
            scale = scale_of(rows, r, pools.scale[p], requests)
            z = (y - rows.median[r]) / scale
            a = abs(z)
            sign = 1 if z >= 0 else -1
            score = rarity(rows, r, a, pools.threshold[p], pools.excess[p], now, slot_ms)
            lasting = sustained(rows, r, score, sign, now, interval)
            out.action[i] = follow(rows, r, y, score, lasting, sign, scale, now, interval)
            # While an episode is open the sign that it opened with speaks; a swing back is silence.
            if rows.phase[r] == OPENED and sign != rows.sign[r]:
                lasting = 0.0
            out.lasting[i] = lasting
            out.score[i] = score
            out.value[i] = y
            out.expected[i] = rows.median[r]
            out.scale[i] = scale
            out.z[i] = z
            learn_own(rows, r, a)
            learn_burst(rows, r, a, now, slot_ms)
            pools.histogram[p, level_of(a)] += 1.0
        _put(rows, r, now, y)


@compiled
def _learn_interval(rows: Rows, r: int, gap: int) -> None:
    nearest = nearest_interval(gap)
    if rows.interval[r] == 0:
        rows.interval[r] = INTERVALS_MS[nearest]
        return
    current = nearest_interval(rows.interval[r])
    if nearest == current:
        rows.contrary[r] = 0
    elif nearest > current:
        rows.contrary[r] = max(rows.contrary[r], 0) + 1
    else:
        rows.contrary[r] = min(rows.contrary[r], 0) - 1
    if abs(rows.contrary[r]) >= CHANGE_AFTER:
        rows.interval[r] = INTERVALS_MS[nearest]
        rows.contrary[r] = 0


@compiled
def _smooth(rows: Rows, r: int, y: float, gap: int) -> float:
    """Average over the last quarter of a minute, and learn how far samples scatter around it."""
    before = float(rows.smooth[r])
    if before != before or gap > 8 * SMOOTH_MS:
        rows.smooth[r] = y
        return y
    keep = np.exp(-gap / SMOOTH_MS)
    smooth = keep * before + (1.0 - keep) * y
    rows.smooth[r] = smooth
    # An exponential mean keeps (1 - keep)/(1 + keep) of the variance of independent samples. The step is
    # limited to three times what is usual, so that a fault does not widen its own yardstick.
    scatter = abs(y - before) * np.sqrt((1.0 - keep) / (1.0 + keep))
    if rows.filled[r] >= 2:
        scatter = min(scatter, 3.0 * max(float(rows.within[r]), 1e-6 + 0.01 * abs(before)))
    rows.within[r] += 0.01 * (scatter - rows.within[r])
    return float(smooth)


@compiled
def _advance_slot(rows: Rows, r: int, now: int, slot_ms: int, interval: int) -> None:
    """Hand the slot before the previous one to the baseline when a new slot begins."""
    # A sample of a minute or more is a slot of its own: pods drift across the borders of a common grid.
    index = now if interval >= SLOT_MS else -(-now // slot_ms)
    if index == rows.slot[r]:
        return
    if rows.slot_count[r] > 0:
        if rows.pending[r] == rows.pending[r]:
            remember(rows, r, rows.pending[r])
        rows.pending[r] = rows.slot_sum[r] / rows.slot_count[r]
    rows.slot[r] = index
    rows.slot_sum[r] = 0.0
    rows.slot_count[r] = 0


@compiled
def _put(rows: Rows, r: int, now: int, y: float) -> None:
    rows.slot_sum[r] += y
    rows.slot_count[r] += 1
    oldest = 0
    for k in range(1, TRAIL):
        if rows.trail_ts[r, k] < rows.trail_ts[r, oldest]:
            oldest = k
    rows.trail[r, oldest] = y
    rows.trail_ts[r, oldest] = now


def refresh(rows: Rows, pools: Pools, used: int, now: int) -> None:
    """Bring scales and tails of the pools up to date; once a slot, at a fixed event time.

    The scale of a pool is the median of its living members' interquartile ranges. The 90th percentile
    suits ten like pods, but over 39 unlike services it hides the root (lessons, step 2).
    """
    order = np.lexsort((rows.iqr[:used], rows.pool[:used])).astype(np.int64)
    _refresh(rows, pools, order, now)


@compiled
def _refresh(rows: Rows, pools: Pools, order: np.ndarray, now: int) -> None:
    n = len(order)
    start = 0
    spreads = np.empty(n)
    while start < n:
        p = rows.pool[order[start]]
        stop = start
        count = 0
        slowest = SLOT_MS
        while stop < n and rows.pool[order[stop]] == p:
            r = order[stop]
            slot = max(rows.interval[r], SLOT_MS)
            if rows.filled[r] >= MIN_SLOTS and now - rows.last_ts[r] <= LIVE_SLOTS * slot:
                spreads[count] = rows.iqr[r]
                count += 1
                slowest = max(slowest, slot)
            stop += 1
        start = stop
        if p < 0 or count == 0:
            continue
        middle = (count - 1) // 2
        pools.scale[p] = 0.5 * (spreads[middle] + spreads[count // 2])
        pools.slot_ms[p] = slowest
        pools.threshold[p], pools.excess[p] = pool_tail(pools.histogram[p])
        # A window of OWN slots, forgotten exponentially.
        keep = np.exp(-SLOT_MS / (OWN * slowest))
        for k in range(LEVELS):
            pools.histogram[p, k] *= keep

"""Takes samples into the grid and the baseline: what a sample is worth, and when a slot is over."""

from __future__ import annotations

import numpy as np

from detectors.ahead import ask_for_heads
from detectors.block import BLOCK, CODES, PLACE, REQUESTS, SHAPE, SLOTS, Y
from detectors.compiled import compiled, inlined, signed
from detectors.episode import teaches
from detectors.grid import (
    CHANGE_AFTER,
    INTERVALS_MS,
    MAX_GAP,
    SLOT_MS,
    SMOOTH_MS,
    STEP_MS,
    nearest_interval,
)
from detectors.pools import Pools
from detectors.residual import remember, shaped
from detectors.rows import NEVER, TRAIL, Row, Rows
from detectors.stamps import FORGOTTEN_MS, stamp_of


@compiled
def take(
    rows: Rows,
    pools: Pools,
    number: np.ndarray,
    ts_ms: np.ndarray,
    value: np.ndarray,
    begin: int,
    stop: int,
    reals: np.ndarray,
    wholes: np.ndarray,
) -> int:
    """Take samples into the grid and the baseline; return how many there are to go on with."""
    count = 0
    for i in range(begin, stop):
        row = rows[number[i]]
        ask_for_heads(row)
        now = ts_ms[i]
        x = value[i]
        if not np.isfinite(x) or now <= row.last_ts:
            continue
        p = row.pool
        last = row.last_ts
        gap = now - last
        if gap >= FORGOTTEN_MS:
            _forget_times(row)
        if pools.kind[p] == 1:
            before = row.last_raw
            row.last_raw = x
            if before != before or x < before:
                # First sample or a reset: no increase is known. The time base starts anew.
                row.last_ts = now
                continue
            x = (x - before) / gap * 1000.0
        if last != NEVER:
            _learn_interval(row, gap)
        row.last_ts = now
        if pools.inverted[p]:
            x = pools.top[p] - x
        row.last_value = x
        shape = pools.shape[p]
        y = shaped(shape, pools.offset[p], x)
        interval = signed(row.interval)
        if 0 < interval < STEP_MS:
            y = _smooth(row, y, gap)
        turned = _advance_slot(row, shape, now, interval)
        wholes[PLACE + count] = i
        wholes[SHAPE + count] = shape
        for which in range(6):
            wholes[CODES + which * BLOCK + count] = row.quartile[which]
        reals[Y + count] = y
        reals[SLOTS + count] = signed(row.filled) if turned else 0
        row.slot_sum += y
        row.slot_count += 1
        requests = np.nan
        q = row.load_row
        if q >= 0 and now - rows[q].last_ts <= MAX_GAP * max(interval, rows[q].interval):
            # As it is now: a later sample of this block may belong to it.
            requests = float(rows[q].last_value)
            if pools.load_is_rate[rows[q].pool]:
                requests *= interval / 1000.0
        reals[REQUESTS + count] = requests
        count += 1
    return count


@compiled
def _forget_times(row: Row) -> None:
    """Clear what is counted modulo 49 days, before an old time can be taken for a new one."""
    row.older_ts = row.newer_ts = row.burst_ts = row.hot_ts = 0
    for k in range(TRAIL):
        row.trail_ts[k] = 0


@inlined
def _learn_interval(row: Row, gap: int) -> None:
    if 8 * gap > 7 * row.interval and 8 * gap < 9 * row.interval:
        # Neighbours are a third apart at least, so that no other is nearer.
        row.contrary = 0
        return
    nearest = nearest_interval(gap)
    if row.interval == 0:
        row.interval = INTERVALS_MS[nearest]
        return
    current = nearest_interval(row.interval)
    if nearest == current:
        row.contrary = 0
    elif nearest > current:
        row.contrary = max(row.contrary, 0) + 1
    else:
        row.contrary = min(row.contrary, 0) - 1
    if abs(row.contrary) >= CHANGE_AFTER:
        row.interval = INTERVALS_MS[nearest]
        row.contrary = 0


@inlined
def _smooth(row: Row, y: float, gap: int) -> float:
    """Average over the last quarter of a minute, and learn how far samples scatter around it."""
    before = float(row.smooth)
    if before != before or gap > 8 * SMOOTH_MS:
        row.smooth = y
        return y
    keep = np.exp(-gap / SMOOTH_MS)
    smooth = keep * before + (1.0 - keep) * y
    row.smooth = smooth
    # An exponential mean keeps (1 - keep)/(1 + keep) of the variance of independent samples. The step is
    # limited to three times what is usual, so that a fault does not widen its own yardstick.
    scatter = abs(y - before) * np.sqrt((1.0 - keep) / (1.0 + keep))
    if row.filled >= 2:
        scatter = min(scatter, 3.0 * max(float(row.within), 1e-6 + 0.01 * abs(before)))
    row.within += 0.01 * (scatter - row.within)
    return float(smooth)


@inlined
def _advance_slot(row: Row, shape: int, now: int, interval: int) -> bool:
    """Hand the slot before the previous one to the baseline when a new slot begins; tell whether it did."""
    # A sample of a minute or more is a slot of its own: pods drift across the borders of a common grid.
    index = stamp_of(now if interval >= SLOT_MS else -(-now // SLOT_MS))
    if index == row.slot:
        return False
    turned = False
    if row.slot_count > 0:
        if row.pending == row.pending and teaches(row, now):
            remember(row, shape, float(row.pending))
            turned = True
        row.pending = row.slot_sum / row.slot_count
    row.slot = index
    row.slot_sum = 0.0
    row.slot_count = 0
    return turned

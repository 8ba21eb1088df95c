"""All series at once: one pass over the samples of a tick, in (time, series) order.

grid → residual → volume → tail → persistence → episode, each in its own module; here is their order, the
pools that compare a series with its siblings, and nothing else.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.ahead import ask_for_heads, ask_for_stretch, touch_place
from detectors.compiled import compiled, double, inlined, signed
from detectors.episode import OPENED, SILENT, follow, teaches
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
from detectors.residual import MIN_SLOTS, quartile, remember, scale_of, scattered, shaped
from detectors.rows import NEVER, OWN, TRAIL, Row, Rows
from detectors.stamps import FORGOTTEN_MS, stamp_of
from detectors.tail import LEVELS, learn_burst, learn_own, learn_week, level_of, pool_tail, rarity

LIVE_SLOTS = 10
"""Slots without a sample after which a series no longer speaks for its siblings."""


BLOCK = 32
"""Samples that a step takes on together: their rows stay in the nearest cache until the last step."""


class Pools(NamedTuple):
    """What siblings have in common: the same metric over all services; the first axis is the pool.

    The first nine are `family.Meaning`, and `telemetry.Kind` as a number; the last two belong to `reading`.
    """

    kind: NDArray[np.int8]
    shape: NDArray[np.int8]
    offset: NDArray[np.float64]
    floor: NDArray[np.float64]
    relative_floor: NDArray[np.float64]
    inverted: NDArray[np.int8]
    top: NDArray[np.float64]
    volume: NDArray[np.int8]
    load_is_rate: NDArray[np.int8]
    scale: NDArray[np.float64]
    histogram: NDArray[np.float64]
    threshold: NDArray[np.float64]
    excess: NDArray[np.float64]
    slot_ms: NDArray[np.int64]
    reading: NDArray[np.int8]
    seen: NDArray[np.float64]
    """Largest share so far, or the first tick's middle of latencies; 0 is none."""


def allocate_pools(count: int) -> Pools:
    """Return `count` pools that know nothing."""
    return Pools(
        kind=np.zeros(count, np.int8),
        shape=np.zeros(count, np.int8),
        offset=np.zeros(count),
        floor=np.zeros(count),
        relative_floor=np.zeros(count),
        inverted=np.zeros(count, np.int8),
        top=np.full(count, 100.0),
        volume=np.zeros(count, np.int8),
        load_is_rate=np.zeros(count, np.int8),
        scale=np.zeros(count),
        histogram=np.zeros((count, LEVELS)),
        threshold=np.full(count, 1.5),
        excess=np.full(count, 0.75),
        slot_ms=np.full(count, SLOT_MS, dtype=np.int64),
        reading=np.zeros(count, np.int8),
        seen=np.zeros(count),
    )


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


_Y, _REQUESTS, _SLOTS, _MEDIAN, _IQR, _WITHIN, _FLOOR, _RELATIVE, _POOLED, _SCALE, _Z, _REALS = (
    BLOCK * k for k in range(12)
)
"""Where columns of a block begin, of what the steps hand on about those samples that are worth one. They are
parts of one array: of several, a loop would first have to make sure that they do not overlap."""
_CODES, _SHAPE, _PLACE, _WHOLES = (BLOCK * k for k in (0, 6, 7, 8))
"""The same of whole numbers: the codes of the quartiles, and the sample's place in the input."""


@compiled
def _judge(
    rows: Rows, pools: Pools, number: np.ndarray, ts_ms: np.ndarray, value: np.ndarray, out: Judged
) -> int:
    reals, wholes = np.zeros(_REALS), np.zeros(_WHOLES, np.int64)
    spoken, begin, n = 0, 0, len(number)
    for i in range(min(BLOCK, n)):
        ask_for_stretch(rows[number[i]])
    while begin < n:
        stop = begin + 1
        # A row that comes twice must have learned from its first sample before the second is looked at.
        while stop < n and stop < begin + BLOCK and number[stop] > number[stop - 1]:
            stop += 1
        count = _take(rows, pools, number, ts_ms, value, begin, stop, reals, wholes)
        _measure(rows, pools, number, reals, wholes, count)
        spoken = _learn(rows, pools, number, ts_ms, reals, wholes, count, stop, out, spoken)
        begin = stop
    return spoken


@compiled
def _take(
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
        wholes[_PLACE + count] = i
        wholes[_SHAPE + count] = shape
        for which in range(6):
            wholes[_CODES + which * BLOCK + count] = row.quartile[which]
        reals[_Y + count] = y
        reals[_SLOTS + count] = signed(row.filled) if turned else 0
        row.slot_sum += y
        row.slot_count += 1
        requests = np.nan
        q = row.load_row
        if q >= 0 and now - rows[q].last_ts <= MAX_GAP * max(interval, rows[q].interval):
            # As it is now: a later sample of this block may belong to it.
            requests = float(rows[q].last_value)
            if pools.load_is_rate[rows[q].pool]:
                requests *= interval / 1000.0
        reals[_REQUESTS + count] = requests
        count += 1
    return count


@inlined
def _quartile(reals: np.ndarray, wholes: np.ndarray, k: int, which: int) -> float:
    low = wholes[_CODES + 2 * which * BLOCK + k]
    high = wholes[_CODES + (2 * which + 1) * BLOCK + k]
    return quartile(wholes[_SHAPE + k], reals[_SLOTS + k], which, low, high)


@compiled
def _measure(
    rows: Rows, pools: Pools, number: np.ndarray, reals: np.ndarray, wholes: np.ndarray, count: int
) -> None:
    """Measure how far samples lie from the middle of the baseline, in units of its spread."""
    for k in range(BLOCK):
        first = _quartile(reals, wholes, k, 0)
        reals[_MEDIAN + k] = _quartile(reals, wholes, k, 1)
        reals[_IQR + k] = _quartile(reals, wholes, k, 2) - first
    for k in range(count):
        row = rows[number[wholes[_PLACE + k]]]
        p = row.pool
        if reals[_SLOTS + k] > 0.0:
            row.median = reals[_MEDIAN + k]
            row.iqr = reals[_IQR + k]
        reals[_MEDIAN + k] = row.median
        reals[_IQR + k] = row.iqr
        reals[_WITHIN + k] = row.within
        reals[_FLOOR + k] = max(pools.floor[p], double(row.floor))
        reals[_RELATIVE + k] = pools.relative_floor[p]
        reals[_POOLED + k] = pools.scale[p]
    for k in range(BLOCK):
        scale = scale_of(
            reals[_MEDIAN + k],
            reals[_IQR + k],
            reals[_WITHIN + k],
            reals[_FLOOR + k],
            reals[_RELATIVE + k],
            reals[_POOLED + k],
        )
        reals[_SCALE + k] = scale
        reals[_Z + k] = (reals[_Y + k] - reals[_MEDIAN + k]) / scale
    for k in range(count):
        row = rows[number[wholes[_PLACE + k]]]
        p = row.pool
        requests = reals[_REQUESTS + k]
        if requests == requests and pools.volume[p]:
            reals[_SCALE + k] = scattered(
                reals[_SCALE + k], requests, reals[_MEDIAN + k], pools.volume[p], pools.top[p]
            )
            reals[_Z + k] = (reals[_Y + k] - reals[_MEDIAN + k]) / reals[_SCALE + k]
        touch_place(pools.histogram, LEVELS * p + level_of(abs(reals[_Z + k])))
        if row.filled < MIN_SLOTS or row.interval <= 0:
            reals[_SCALE + k] = 0.0


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
        i = wholes[_PLACE + k]
        row = rows[number[i]]
        now, y, scale = ts_ms[i], reals[_Y + k], reals[_SCALE + k]
        if scale > 0.0:
            p = row.pool
            interval = signed(row.interval)
            slot_ms = int(max(interval, SLOT_MS))
            a = abs(reals[_Z + k])
            sign = 1 if reals[_Z + k] >= 0 else -1
            level = level_of(a)
            score = rarity(row, a, pools.threshold[p], pools.excess[p], now, slot_ms)
            lasting = sustained(row, score, sign, now, interval)
            action = follow(row, y, score, lasting, sign, scale, now, interval)
            if action != SILENT:
                # While an episode is open the sign that it opened with speaks; a swing back is silence.
                if row.phase == OPENED and sign != row.sign:
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


def refresh(rows: Rows, pools: Pools, used: int, now: int) -> None:
    """Bring scales and tails of the pools up to date; once a slot, at a fixed event time.

    The scale of a pool is the median of its living members' interquartile ranges. The 90th percentile
    suits ten like pods, but over 39 unlike services it hides the root (lessons, step 2).
    """
    order = np.lexsort((rows["iqr"][:used], rows["pool"][:used])).astype(np.int64)
    _refresh(rows, pools, order, now)


@compiled
def _refresh(rows: Rows, pools: Pools, order: np.ndarray, now: int) -> None:
    n = len(order)
    start = 0
    spreads = np.empty(n)
    while start < n:
        p = rows[order[start]].pool
        stop = start
        count = 0
        slowest = SLOT_MS
        while stop < n and rows[order[stop]].pool == p:
            row = rows[order[stop]]
            slot = max(row.interval, SLOT_MS)
            if row.filled >= MIN_SLOTS and now - row.last_ts <= LIVE_SLOTS * slot:
                spreads[count] = row.iqr
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

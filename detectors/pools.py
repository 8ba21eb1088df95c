"""What siblings have in common: the scale and the tail of the same metric over all services."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.compiled import compiled
from detectors.grid import SLOT_MS
from detectors.residual import MIN_SLOTS
from detectors.rows import OWN, Rows
from detectors.tail import LEVELS, pool_tail

LIVE_SLOTS = 10
"""Slots without a sample after which a series no longer speaks for its siblings."""


class Pools(NamedTuple):
    """One pool a metric; the first axis of all columns is the pool.

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

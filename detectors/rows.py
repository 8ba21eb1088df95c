"""The bank's memory: one row a series, one array a field, all of fixed size.

Arrays, not objects: a kernel walks them without Python, and a snapshot copies them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

WINDOW = 60
"""Slots a baseline remembers: an hour of minutes. Measured against 30 and 120 slots: neither detects more,
and 120 adds a false alarm (lessons, ablation W)."""
OWN = 240
"""Deviations from which a series' own tail is read: 24 of them lie above the 90 % quantile."""
PEAKS = 6
"""Remembered episode peaks; the third largest is the record, three more cover those that expire."""
TRAIL = 16
"""Newest samples, for dating back and for the sample that travels with an anomaly."""
NEVER = -(2**62)
"""A time before all others, far enough from the edge of int64 that differences cannot wrap."""


class Rows(NamedTuple):
    """State of all series; the first axis of every array is the row."""

    # What the series is; set once.
    shape: NDArray[np.int8]
    kind: NDArray[np.int8]
    inverted: NDArray[np.int8]
    volume: NDArray[np.int8]
    load_is_rate: NDArray[np.int8]
    offset: NDArray[np.float64]
    top: NDArray[np.float64]
    floor: NDArray[np.float64]
    relative_floor: NDArray[np.float64]
    pool: NDArray[np.int32]
    load_row: NDArray[np.int32]
    # Grid.
    last_ts: NDArray[np.int64]
    last_raw: NDArray[np.float64]
    last_value: NDArray[np.float64]
    interval: NDArray[np.int64]
    contrary: NDArray[np.int8]
    # Residual.
    ring: NDArray[np.float32]
    order: NDArray[np.uint8]
    filled: NDArray[np.uint8]
    head: NDArray[np.uint8]
    slot: NDArray[np.int64]
    slot_sum: NDArray[np.float64]
    slot_count: NDArray[np.int32]
    pending: NDArray[np.float32]
    smooth: NDArray[np.float32]
    within: NDArray[np.float32]
    median: NDArray[np.float32]
    iqr: NDArray[np.float32]
    # Tail.
    own: NDArray[np.uint8]
    own_count: NDArray[np.uint8]
    own_head: NDArray[np.uint8]
    own_level: NDArray[np.uint8]
    own_above: NDArray[np.uint8]
    own_at: NDArray[np.uint8]
    peak: NDArray[np.float32]
    peak_ts: NDArray[np.int64]
    burst: NDArray[np.float32]
    burst_ts: NDArray[np.int64]
    # Persistence.
    older: NDArray[np.float32]
    older_ts: NDArray[np.int64]
    newer: NDArray[np.float32]
    newer_ts: NDArray[np.int64]
    run: NDArray[np.float32]
    # Episode.
    phase: NDArray[np.int8]
    sign: NDArray[np.int8]
    first_ts: NDArray[np.int64]
    hot_ts: NDArray[np.int64]
    onset_ts: NDArray[np.int64]
    onset_half: NDArray[np.int64]
    best: NDArray[np.float32]
    before: NDArray[np.float32]
    before_scale: NDArray[np.float32]
    home: NDArray[np.float32]
    home_scale: NDArray[np.float32]
    home_ts: NDArray[np.int64]
    trail: NDArray[np.float32]
    trail_ts: NDArray[np.int64]


_LAYOUT: dict[str, tuple[str, int, float]] = {
    # field: (dtype, width, fill)
    **dict.fromkeys(("shape", "kind", "inverted", "volume", "load_is_rate"), ("i1", 0, 0)),
    **dict.fromkeys(("offset", "floor", "relative_floor"), ("f8", 0, 0)),
    "top": ("f8", 0, 100),
    **dict.fromkeys(("pool", "load_row"), ("i4", 0, -1)),
    **dict.fromkeys(("last_ts", "slot", "burst_ts", "older_ts", "newer_ts"), ("i8", 0, NEVER)),
    **dict.fromkeys(("first_ts", "hot_ts", "onset_ts", "home_ts"), ("i8", 0, NEVER)),
    **dict.fromkeys(("last_raw", "last_value"), ("f8", 0, np.nan)),
    **dict.fromkeys(("interval", "onset_half"), ("i8", 0, 0)),
    **dict.fromkeys(("contrary", "phase", "sign"), ("i1", 0, 0)),
    "ring": ("f4", WINDOW, 0),
    "order": ("u1", WINDOW, 0),
    **dict.fromkeys(("filled", "head"), ("u1", 0, 0)),
    "slot_sum": ("f8", 0, 0),
    "slot_count": ("i4", 0, 0),
    **dict.fromkeys(("pending", "smooth", "median", "iqr", "home"), ("f4", 0, np.nan)),
    **dict.fromkeys(("within", "burst", "older", "newer", "run", "best"), ("f4", 0, 0)),
    **dict.fromkeys(("before", "before_scale", "home_scale"), ("f4", 0, 0)),
    "own": ("u1", OWN, 0),
    **dict.fromkeys(("own_count", "own_head", "own_level", "own_above", "own_at"), ("u1", 0, 0)),
    "peak": ("f4", PEAKS, 0),
    "peak_ts": ("i8", PEAKS, NEVER),
    "trail": ("f4", TRAIL, np.nan),
    "trail_ts": ("i8", TRAIL, NEVER),
}

INHERITED = (
    *("interval", "ring", "order", "filled", "head", "median", "iqr", "within", "pending"),
    *("own", "own_count", "own_head", "own_level", "own_above", "own_at", "peak", "peak_ts"),
)
"""What a new instance takes over from its elder: how the metric behaves, not what happens right now."""

BYTES_PER_SERIES = sum(np.dtype(code).itemsize * max(width, 1) for code, width, _ in _LAYOUT.values())


def allocate(count: int) -> Rows:
    """Return `count` rows of series that have not been seen."""
    return Rows(
        **{
            name: np.full(
                (count, _LAYOUT[name][1]) if _LAYOUT[name][1] else count, _LAYOUT[name][2], _LAYOUT[name][0]
            )
            for name in Rows._fields
        }
    )


def grown(rows: Rows, count: int) -> Rows:
    """Return a copy with room for `count` rows; the first ones keep their state."""
    larger = allocate(count)
    for name in Rows._fields:
        old = getattr(rows, name)
        getattr(larger, name)[: len(old)] = old
    return larger


def reset(rows: Rows, row: int) -> None:
    """Forget one series, so that its row serves another."""
    for name in Rows._fields:
        getattr(rows, name)[row] = _LAYOUT[name][2]


def inherit(rows: Rows, child: int, elder: int) -> None:
    """Give a new instance the baseline of an elder of the same service and metric."""
    for name in INHERITED:
        array = getattr(rows, name)
        array[child] = array[elder]

"""The bank's memory: one record of fixed size a series.

An array of records, not objects: a kernel walks it without Python, and a snapshot copies it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

WINDOW = 60
"""Slots a baseline remembers: an hour of minutes. Measured against 30 and 120 slots: neither detects more,
and 120 adds a false alarm (lessons, ablation W)."""
OWN = 240
"""Deviations from which a series' own tail is read: 24 of them lie above the 90 % quantile."""
PEAKS = 6
"""Remembered episode peaks; the third largest is the record, three more cover those that expire."""
HALF_HOURS = 48
TRAIL = 12
"""Newest samples, for dating back and for the sample that travels with an anomaly."""
NEVER = -(2**62)
"""A time before all others, far enough from the edge of int64 that differences cannot wrap."""


_FIELDS: list[tuple[str, str, int, float]] = [
    # (name, dtype, width, fill)
    # What the series is; set once.
    *((name, "i1", 0, 0) for name in ("shape", "kind", "inverted", "volume", "load_is_rate")),
    ("offset", "f8", 0, 0),
    ("top", "f8", 0, 100),
    ("floor", "f8", 0, 0),
    ("relative_floor", "f8", 0, 0),
    ("pool", "i4", 0, -1),
    ("load_row", "i4", 0, -1),
    # Grid.
    ("last_ts", "i8", 0, NEVER),
    ("last_raw", "f8", 0, np.nan),
    ("last_value", "f8", 0, np.nan),
    ("interval", "i8", 0, 0),
    ("contrary", "i1", 0, 0),
    # Residual.
    ("filled", "u1", 0, 0),
    ("head", "u1", 0, 0),
    ("slot", "i8", 0, NEVER),
    ("slot_sum", "f8", 0, 0),
    ("slot_count", "i4", 0, 0),
    ("pending", "f4", 0, np.nan),
    ("smooth", "f4", 0, np.nan),
    ("within", "f4", 0, 0),
    ("median", "f4", 0, np.nan),
    ("iqr", "f4", 0, np.nan),
    # Tail.
    *((name, "u1", 0, 0) for name in ("own_count", "own_head", "own_level", "own_above", "own_at")),
    ("peak", "f4", PEAKS, 0),
    ("peak_ts", "i8", PEAKS, NEVER),
    ("burst", "f4", 0, 0),
    ("burst_ts", "i8", 0, NEVER),
    # Persistence.
    ("older", "f4", 0, 0),
    ("older_ts", "i8", 0, NEVER),
    ("newer", "f4", 0, 0),
    ("newer_ts", "i8", 0, NEVER),
    ("run", "f4", 0, 0),
    # Episode.
    ("phase", "i1", 0, 0),
    ("sign", "i1", 0, 0),
    ("first_ts", "i8", 0, NEVER),
    ("hot_ts", "i8", 0, NEVER),
    ("onset_ts", "i8", 0, NEVER),
    ("onset_half", "i8", 0, 0),
    ("best", "f4", 0, 0),
    ("before", "f4", 0, 0),
    ("before_scale", "f4", 0, 0),
    ("home", "f4", 0, np.nan),
    ("home_scale", "f4", 0, 0),
    ("home_ts", "i8", 0, NEVER),
    ("trail", "f4", TRAIL, np.nan),
    ("trail_ts", "i8", TRAIL, NEVER),
    ("ring", "f4", WINDOW, 0),
    ("order", "u1", WINDOW, 0),
    ("own", "u1", OWN, 0),
    # Largest deviation of each half hour: of today, yesterday and the day before.
    *((name, "u1", HALF_HOURS, 0) for name in ("today", "yesterday", "eve")),
    ("half_hour", "i8", 0, 0),
]


def _layout() -> np.dtype[np.void]:
    """Lay fields out by falling alignment, and name what is left over.

    Padding would hold whatever was there before,
    and equal states would not have equal bytes.
    """
    fields = sorted(_FIELDS, key=lambda field: -np.dtype(field[1]).itemsize)
    names: list[tuple[str, str, tuple[int]] | tuple[str, str]] = [
        (name, code, (width,)) if width else (name, code) for name, code, width, _ in fields
    ]
    size = np.dtype(names).itemsize
    if size % 8:
        names.append(("spare", "u1", (8 - size % 8,)))
    return np.dtype(names, align=True)


ROW = _layout()
"""One series; all its state lies together, so that a series costs one stretch of memory, not fifty."""

Rows = NDArray[np.void]
"""Structured array of `ROW`: the state of all series."""

Row = Any
"""One element of `Rows` inside compiled code: a record whose fields are attributes, changed in place."""


def _blank() -> NDArray[np.void]:
    blank = np.zeros((), ROW)
    for name, _, _, fill in _FIELDS:
        blank[name] = fill
    return blank


BLANK = _blank()

INHERITED = (
    *("interval", "ring", "order", "filled", "head", "median", "iqr", "within", "pending"),
    *("own", "own_count", "own_head", "own_level", "own_above", "own_at", "peak", "peak_ts"),
    *("today", "yesterday", "eve", "half_hour"),
)
"""What a new instance takes over from its elder: how the metric behaves, not what happens right now."""

BYTES_PER_SERIES = ROW.itemsize


def allocate(count: int) -> Rows:
    """Return `count` rows of series that have not been seen."""
    return np.full(count, BLANK, dtype=ROW)


def grown(rows: Rows, count: int) -> Rows:
    """Return a copy with room for `count` rows; the first ones keep their state."""
    return np.concatenate([rows, allocate(count - len(rows))])


def reset(rows: Rows, row: int) -> None:
    """Forget one series, so that its row serves another."""
    rows[row] = BLANK


def inherit(rows: Rows, child: int, elder: int) -> None:
    """Give a new instance the baseline of an elder of the same service and metric."""
    for name in INHERITED:
        rows[name][child] = rows[name][elder]

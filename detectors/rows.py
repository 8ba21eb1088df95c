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
ROOM = 64
"""Places of a baseline, whole vectors of two-byte codes; those that are not used hold `UNUSED`."""
UNUSED = 32767
OWN = 240
"""Deviations from which a series' own tail is read: 24 of them lie above the 90 % quantile."""
PEAKS = 6
"""Remembered episode peaks; the third largest is the record, three more cover those that expire."""
WEEK = 168
"""Hours of a week."""
TRAIL = 12
"""Newest samples, for dating back and for the sample that travels with an anomaly."""
NEVER = -(2**62)
"""A time before all others, far enough from the edge of int64 that differences cannot wrap."""


_FIELDS: list[tuple[str, str, int, float]] = [
    # (name, dtype, width, fill)
    # Touched by every sample: one stretch, up to `own`, which `ahead` asks for before it is needed.
    ("last_ts", "i8", 0, NEVER),
    ("last_raw", "f8", 0, np.nan),
    # What the series is; its mathematics stand in its pool. A floor of its own only for comparisons.
    ("pool", "i4", 0, -1),
    ("load_row", "i4", 0, -1),
    ("floor", "f4", 0, 0),
    # Grid.
    ("last_value", "f4", 0, np.nan),
    ("interval", "i4", 0, 0),
    # Residual.
    ("slot", "u4", 0, 0),
    ("slot_sum", "f4", 0, 0),
    ("pending", "f4", 0, np.nan),
    ("smooth", "f4", 0, np.nan),
    ("within", "f4", 0, 0),
    ("median", "f4", 0, np.nan),
    ("iqr", "f4", 0, np.nan),
    # Tail.
    ("burst", "f4", 0, 0),
    ("burst_ts", "u4", 0, 0),
    ("peak_s", "u4", PEAKS, 0),
    ("hour", "u4", 0, 0),
    # Persistence.
    ("older", "f4", 0, 0),
    ("older_ts", "u4", 0, 0),
    ("newer", "f4", 0, 0),
    ("newer_ts", "u4", 0, 0),
    ("run", "f4", 0, 0),
    # Episode.
    ("hot_ts", "u4", 0, 0),
    ("slot_count", "u2", 0, 0),
    ("peak", "u2", PEAKS, 0),
    ("quartile", "i2", 6, 0),
    ("ring", "i2", ROOM, UNUSED),
    ("contrary", "i1", 0, 0),
    ("filled", "u1", 0, 0),
    ("head", "u1", 0, 0),
    *((name, "u1", 0, 0) for name in ("own_count", "own_head", "own_level", "own_above", "own_at")),
    # What `usual` and `week` say of `hour`.
    ("habit", "u1", 0, 0),
    ("phase", "i1", 0, 0),
    ("sign", "i1", 0, 0),
    ("trail_head", "u1", 0, 0),
    # Touched at one place by a sample, or by few samples.
    ("own", "u1", OWN * 6 // 8, 0),
    # Largest deviation of each hour of the week, four bits a week: the newest, and the one before.
    ("week", "u1", WEEK, 0),
    ("usual", "u1", 2, 0),
    ("trail", "f4", TRAIL, np.nan),
    ("trail_ts", "u4", TRAIL, 0),
    ("first_ts", "u4", 0, 0),
    ("onset_ts", "u4", 0, 0),
    ("onset_half", "i4", 0, 0),
    ("best", "f4", 0, 0),
    ("before", "f4", 0, 0),
    ("before_scale", "f4", 0, 0),
    ("home", "f4", 0, np.nan),
    ("home_scale", "f4", 0, 0),
    ("home_s", "u4", 0, 0),
]
"""Times are milliseconds modulo 2³², `_s` seconds; 0 is never. See `detectors.stamps`."""


def _layout() -> np.dtype[np.void]:
    """Lay fields out in turn, and name what is left over.

    Padding would hold whatever was there before, and equal states would not have equal bytes: the order
    above leaves none.
    """
    names: list[tuple[str, str, tuple[int]] | tuple[str, str]] = [
        (name, code, (width,)) if width else (name, code) for name, code, width, _ in _FIELDS
    ]
    size = np.dtype(names).itemsize
    if size % 8:
        names.append(("spare", "u1", (8 - size % 8,)))
    return np.dtype(names, align=True)


ROW = _layout()
"""One series; all its state lies together, and what every sample touches comes first: five lines of cache,
and one or two each at the heads of `own` and `trail`. In order of alignment they were eleven."""


def offset_of(name: str) -> int:
    """Return the byte of a row at which a field begins."""
    fields: Any = ROW.fields
    return int(fields[name][1])


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
    *("interval", "ring", "quartile", "filled", "head", "median", "iqr", "within", "pending"),
    *("own", "own_count", "own_head", "own_level", "own_above", "own_at", "peak", "peak_s"),
    *("week", "hour", "usual", "habit"),
)
"""What a new instance takes over from its elder: how the metric behaves, not what happens right now."""

BYTES_PER_SERIES = ROW.itemsize


def allocate(count: int) -> Rows:
    """Return `count` rows of series that have not been seen."""
    return np.full(count, BLANK, dtype=ROW)


def step_from(count: int) -> int:
    """Return how many rows to add to so many: an eighth, and at most 50 MB that may never be used.

    Examples
    --------
    >>> step_from(256), step_from(80_000), step_from(900_000)
    (256, 10000, 65536)
    """
    return min(max(count // 8, 256), 65_536)


def reset(rows: Rows, row: int) -> None:
    """Forget one series, so that its row serves another."""
    rows[row] = BLANK


def inherit(rows: Rows, child: int, elder: int) -> None:
    """Give a new instance the baseline of an elder of the same service and metric."""
    for name in INHERITED:
        rows[name][child] = rows[name][elder]

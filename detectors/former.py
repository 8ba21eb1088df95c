"""Rows as states before version 5 hold them: fields by falling alignment, and no habit noted."""

from __future__ import annotations

import numpy as np

from detectors.compiled import compiled, signed
from detectors.rows import BLANK, ROW, Rows
from detectors.state import Records
from detectors.tail import habit_at

_ORDER = (
    *("last_ts", "last_raw"),
    *("pool", "load_row", "floor", "last_value", "interval"),
    *("slot", "slot_sum", "pending", "smooth", "within"),
    *("median", "iqr", "peak_s", "burst", "burst_ts", "older", "older_ts", "newer", "newer_ts", "run"),
    *("first_ts", "hot_ts", "onset_ts", "onset_half", "best", "before", "before_scale"),
    *("home", "home_scale", "home_s", "trail", "trail_ts", "hour"),
    *("slot_count", "peak", "ring", "quartile"),
    *("contrary", "filled", "head", "own_count", "own_head", "own_level", "own_above", "own_at"),
    *("phase", "sign", "trail_head", "own", "week", "usual"),
)
_SPARE = 5

FORMER = np.dtype([*((name, ROW[name]) for name in _ORDER), ("spare", "u1", (_SPARE,))], align=True)


def brought(former: Rows) -> Rows:
    """Return rows as they would be, had they been kept like this from the beginning."""
    rows = np.full(len(former), BLANK, ROW)
    for name in _ORDER:
        rows[name] = former[name]
    _note_habits(rows)
    return rows


@compiled
def _note_habits(rows: Rows) -> None:
    for i in range(len(rows)):
        if rows[i].hour > 0:
            rows[i].habit = habit_at(rows[i], signed(rows[i].hour))


ROWS = Records(ROW, FORMER, brought)

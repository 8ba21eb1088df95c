"""What the suite remembers of one series: one record of fixed size."""

from __future__ import annotations

from typing import Any

import numpy as np

HOURS = 24
WEEK = 168
GRIDS = 2
"""Novelty looks through two grids, half a cell apart: one alone depends on where its borders fall."""
WORDS, PAIRS, TRIPLES = 64, 256, 1024
"""Bits of the sets of seen words; 256 and 2048 for triples score alike (facts in docs/detection.md)."""
MEMBERS = ("level", "trend", "change", "season", "spread", "shift", "still", "novelty")
TAILS = 8
"""One tail a member, but novelty is a probability already; the last is of the sum."""

SUITE = np.dtype(
    [
        ("last_ts", "i8"),
        ("interval", "i8"),
        ("onset_ts", "i8"),
        ("alert_ts", "i8"),
        ("strict", "f8"),
        ("tail", "f8", (TAILS, 4)),
        # Values are kept relative to the first, so that float32 resolves them.
        *((name, "f8") for name in ("anchor", "level", "spread", "holt", "slope", "holt_spread")),
        *((name, "f8") for name in ("last", "change_spread", "short", "long", "near", "far", "shift_spread")),
        *((name, "f8") for name in ("low", "high", "day_spread", "week_spread", "day_error")),
        *((name, "f8") for name in ("hour_sum", "dense", "dense_mean", "dense_var", "record", "hush")),
        *((name, "f8") for name in ("repeat", "gap_rate")),
        ("rate", "f8", (GRIDS, 3)),
        ("day", "f4", (HOURS,)),
        ("day_own", "f4", (HOURS,)),
        ("week", "f4", (WEEK,)),
        ("count", "i4"),
        ("hour_count", "i4"),
        ("week_count", "i4"),
        ("hour", "i4"),
        ("run", "i4"),
        ("q1", "i4", (GRIDS,)),
        ("q2", "i4", (GRIDS,)),
        ("words", "u1", (GRIDS, WORDS // 8)),
        ("pairs", "u1", (GRIDS, PAIRS // 8)),
        ("triples", "u1", (GRIDS, TRIPLES // 8)),
        ("day_visits", "u1", (HOURS,)),
        ("week_visits", "u1", (WEEK,)),
        ("hot", "u1"),
    ],
    align=True,
)
"""Zeros are the state of a series that has not been seen; `hour` is the hour of the week plus one."""

Record = Any
"""One element inside compiled code: fields are attributes, changed in place."""

"""What the suite remembers of one series: one record of fixed size."""

from __future__ import annotations

from typing import Any

import numpy as np

HOURS = 24
WEEK = 168
GRIDS = 3
"""Novelty looks through three grids, a third of a cell apart: fewer depend on where their borders fall."""
WORDS, PAIRS, TRIPLES = 64, 256, 256
"""Bits of the sets of seen words; 256 and 512 for triples score alike, so the small one saves memory."""
MEMBERS = ("level", "trend", "season", "spread", "still", "novelty")
TAILS = 4
"""One tail a member; stillness and novelty know their probabilities already."""

SUITE = np.dtype(
    [
        # Touched by every sample: one stretch, up to `day`, which `bank` asks for before it is needed.
        ("anchor", "f8"),
        ("last_ts", "i8"),
        # Values are kept relative to the first, so that float32 resolves them.
        *((name, "f4") for name in ("level", "level_off", "holt", "slope", "holt_off", "short", "ratio_off")),
        *((name, "f4") for name in ("low", "high", "last", "hour_mean", "hour_rms", "base", "unit")),
        *((name, "f4") for name in ("day_off", "week_off", "slow", "slow_off")),
        *((name, "f4") for name in ("record", "peak", "repeat", "longest", "gap_rate", "strict")),
        ("tail", "f4", (TAILS, 2)),
        ("rate", "f4", (GRIDS, 3)),
        ("count", "i4"),
        ("interval", "i4"),
        # Milliseconds modulo 2³², 0 is never: see `detectors.stamps`.
        ("onset", "u4"),
        ("alert", "u4"),
        ("q1", "i2", (GRIDS,)),
        ("q2", "i2", (GRIDS,)),
        ("hour", "i2"),
        ("hour_count", "u2"),
        ("run", "u2"),
        ("hours", "u1"),
        ("week_count", "u1"),
        ("known", "u1"),
        ("lasted", "i1"),
        ("words", "u1", (GRIDS, WORDS // 8)),
        ("pairs", "u1", (GRIDS, PAIRS // 8)),
        ("triples", "u1", (GRIDS, TRIPLES // 8)),
        ("day_visits", "u1", (2 * HOURS // 4,)),
        ("again", "u1", (HOURS,)),
        # Of these a sample touches one place each.
        ("hour_off", "u1", (HOURS,)),
        ("day", "i2", (2 * HOURS,)),
        ("week_visits", "u1", (WEEK // 4,)),
        ("week", "i1", (WEEK,)),
    ],
    align=True,
)
"""Zeros are the state of a series that has not been seen; `hour` is the hour of the week plus one."""

Record = Any
"""One element inside compiled code: fields are attributes, changed in place."""

"""What the steps of the suite hand on about the samples that they take on together."""

from __future__ import annotations

from typing import Any

from detectors.suite.record import GRIDS, SUITE

LANES = 8
"""Records that are turned into columns together."""
BLOCK = 16
"""Samples that a step takes on together: their records stay in a near cache until the last step."""

_FIELDS: Any = SUITE.fields
FIRST = int(_FIELDS["level"][1])
"""Where the numbers begin in a record that are turned into columns, 4 bytes each."""
TURNED = (int(_FIELDS["rate"][1]) - FIRST) // 4 + GRIDS * 3 - 1
"""So many are: whole lanes of them. The last one of `rate` is one too many, and carried by itself."""


def _column(name: str) -> int:
    return BLOCK * ((int(_FIELDS[name][1]) - FIRST) // 4)


LEVEL, LEVEL_OFF, HOLT, SLOPE, HOLT_OFF, SHORT, RATIO_OFF, LOW, HIGH, LAST = map(
    _column, ("level", "level_off", "holt", "slope", "holt_off", "short", "ratio_off", "low", "high", "last")
)
HOUR_MEAN, HOUR_RMS, DAY_OFF, RECORD, PEAK, REPEAT, LONGEST, GAP_RATE, STRICT, TAIL, RATE = map(
    _column,
    (
        *("hour_mean", "hour_rms", "day_off", "record", "peak", "repeat"),
        *("longest", "gap_rate", "strict", "tail", "rate"),
    ),
)
"""Where columns of records' 32 bits begin; a tail has two columns, a grid's rates have three."""
LAST_RATE = RATE + (3 * GRIDS - 1) * BLOCK
STATE = BLOCK * (TURNED + 1)

X, COUNT, ANCHOR, SHARE, FLOOR, GAP = (BLOCK * k for k in range(6))
"""Where columns of a block begin, of what the steps hand on; parts of one array, as in `detectors.block`.

`COUNT` is of the series' samples so far, `SHARE` what one more is of all of them."""
TARGET, OFF, WEEKLY, OWN, EVERY, SLOW, FACTOR, DAY, KNOWN, HOUR_COUNT = (BLOCK * k for k in range(6, 16))
"""Of the season: see `season.look_up`."""
RUN, SAME, FAR, FRESH, AGAIN, WORD, SAID, RATIO, ODDS = (
    BLOCK * k for k in (16, 17, 18, 19, 20, 21, 24, 30, 31)
)
"""There are three words, six members, and eight odds: four members', how they lasted, three of novelty."""
LASTED, NEW, SCORE, MEMBER, REALS = (ODDS + BLOCK * k for k in (4, 5, 8, 9, 10))

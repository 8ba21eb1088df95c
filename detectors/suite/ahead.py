"""Asks for the records of series before their turn comes, as `detectors.ahead` does for the fleet's rows."""

from __future__ import annotations

from typing import Any

import numpy as np

from detectors.ahead import LINE, touch
from detectors.compiled import inlined
from detectors.suite.record import SUITE

_FIELDS: Any = SUITE.fields
STRETCH = int(_FIELDS["week_visits"][1])
"""Bytes that an ordinary sample touches somewhere; the hours of the week lie behind, and few ask for them."""
PARTS = 3
_PART = -(-(STRETCH // LINE + 1) // PARTS) * LINE
"""Asked for one after the other: a processor waits for some twenty lines at once, and a block has more."""


@inlined
def ask_for(rows: np.ndarray, number: np.ndarray, at: int, part: int) -> None:
    """Ask for a part of the record of the sample at a place of the input, or of the last. Changes nothing."""
    row = rows[number[min(at, len(number) - 1)]]
    for line in range(part * _PART, min((part + 1) * _PART, STRETCH + LINE - 1), LINE):
        touch(row, line)

"""What a series has lately done, or does at this hour of the day, is no news when it does it again."""

from __future__ import annotations

import math

import numpy as np

from detectors.compiled import inlined, signed
from detectors.suite.block import AGAIN
from detectors.suite.record import HOURS, Record
from detectors.suite.tuning import Tuning

AFTER = 50
"""Samples before surprises are remembered: the first ones are of a series that nobody knows yet."""
PARTS = 8.0
"""An hour's surprise is kept in eighths, in a byte."""


@inlined
def recall(row: Record, hour: int, reals: np.ndarray, k: int, p: Tuning) -> None:
    """Look up what this hour of the day brought, and keep the last hour's largest surprise when it is over.

    Before `season.take_hour`, which begins the hour.
    """
    reals[AGAIN + k] = p.again * row.again[hour % HOURS] / PARTS
    if hour + 1 != row.hour and row.hour > 0 and row.count > AFTER:
        day = (row.hour - 1) % HOURS
        kept = max(row.peak, p.again_decay * row.again[day] / PARTS)
        row.again[day] = signed(math.floor(PARTS * kept + 0.5))
        row.peak = 0.0

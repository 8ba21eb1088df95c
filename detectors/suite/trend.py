"""Trend: the error of Holt's forecast (Holt 1957), in units of its usual size."""

from __future__ import annotations

import numpy as np

from detectors.compiled import double, inlined
from detectors.suite.block import BLOCK, COUNT, FLOOR, HOLT, HOLT_OFF, ODDS, SHARE, SLOPE, X
from detectors.suite.location import SETTLED, clipped, learned, limit_of
from detectors.suite.tail import odds
from detectors.suite.tuning import Tuning

STEEPER = 0.05
"""The slope learns at a twentieth of the level's pace; faster ones overshoot after every step."""


@inlined
def forecast(state: np.ndarray, reals: np.ndarray, upto: int, p: Tuning) -> None:
    """Measure distances from the forecast in their root mean square, and learn."""
    for k in range(upto):
        floor = reals[FLOOR + k]
        holt, slope, usual = double(state[HOLT + k]), double(state[SLOPE + k]), double(state[HOLT_OFF + k])
        error = reals[X + k] - holt - slope
        reals[ODDS + BLOCK + k] = odds(abs(error) / (usual + floor), p.degrees)
        level = holt + slope + p.trend * error
        state[SLOPE + k] = slope + STEEPER * p.trend * (level - holt - slope)
        state[HOLT + k] = level
        off = clipped(error, limit_of(usual, floor, p, reals[COUNT + k] > SETTLED))
        state[HOLT_OFF + k] = learned(usual, off, max(p.scale, reals[SHARE + k]))

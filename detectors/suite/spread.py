"""Spread: how much the last few samples move against how much they usually do, both ways."""

from __future__ import annotations

import numpy as np

from detectors.compiled import double, inlined
from detectors.suite.block import (
    BLOCK,
    COUNT,
    FLOOR,
    LEVEL,
    LEVEL_OFF,
    ODDS,
    RATIO,
    RATIO_OFF,
    SHORT,
    X,
)
from detectors.suite.location import clipped, learned
from detectors.suite.tail import odds
from detectors.suite.tuning import Tuning

AFTER = 20
LEAST = 0.5
"""Least usual size of the logarithm: of few samples it is never smaller."""
WIDEST = 3.0
"""Usual sizes that a logarithm may lie off and still teach in full."""


@inlined
def spread(state: np.ndarray, reals: np.ndarray, upto: int, p: Tuning) -> None:
    """Measure the logarithm of the recent variance over the usual one in its root mean square, and learn."""
    for k in range(upto):
        floor, n = reals[FLOOR + k], reals[COUNT + k]
        short, wide = double(state[SHORT + k]), double(state[LEVEL_OFF + k])
        usual = double(state[RATIO_OFF + k])
        ratio = abs(2.0 * reals[RATIO + k]) if n > AFTER else 0.0
        reals[ODDS + 3 * BLOCK + k] = odds(ratio / (usual + LEAST), p.degrees)
        share = max(p.scale, 1.0 / max(n - AFTER, 1.0))
        after = learned(usual, min(ratio, WIDEST * (usual + LEAST)), share)
        state[RATIO_OFF + k] = after if n > AFTER else usual
        off = clipped(reals[X + k] - double(state[LEVEL + k]), 5.0 * p.clip * (wide + floor))
        state[SHORT + k] = learned(short, off, p.fast)

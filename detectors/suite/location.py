"""Level: how far a sample lies from where the series has lately been."""

from __future__ import annotations

import math

import numpy as np

from detectors.compiled import double, inlined
from detectors.suite.block import COUNT, FLOOR, LAST, LEVEL, LEVEL_OFF, ODDS, SHARE, X
from detectors.suite.tail import odds
from detectors.suite.tuning import Tuning

SETTLED = 30
"""Samples before learning is clipped: the first ones must be free to find the level."""


@inlined
def clipped(x: float, limit: float) -> float:
    """Limit a deviation to both sides."""
    return min(max(x, -limit), limit)


@inlined
def limit_of(off: float, floor: float, p: Tuning, settled: bool) -> float:
    """Return how far off a sample may lie and still teach in full."""
    return p.clip * (off + floor) if settled else 1e30


@inlined
def learned(usual: float, off: float, share: float) -> float:
    """Return the root mean square `usual` after one more deviation; roots, since squares overflow float32."""
    return math.sqrt(usual * usual + share * (off * off - usual * usual))


@inlined
def locate(state: np.ndarray, reals: np.ndarray, upto: int, p: Tuning) -> None:
    """Measure distances from the slow level in their root mean square, and learn; after `spread`."""
    for k in range(upto):
        x, floor, share = reals[X + k], reals[FLOOR + k], reals[SHARE + k]
        level, usual = double(state[LEVEL + k]), double(state[LEVEL_OFF + k])
        reals[ODDS + k] = odds(abs(x - level) / (usual + floor), p.degrees)
        off = clipped(x - level, limit_of(usual, floor, p, reals[COUNT + k] > SETTLED))
        state[LEVEL + k] = level + max(p.level, share) * off
        state[LEVEL_OFF + k] = learned(usual, off, max(p.scale, share))
        state[LAST + k] = x

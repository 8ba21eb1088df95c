"""From a member's deviation to -log10 of its tail probability: Student's, or the series' own where heavier.

Deviations are in units of their own root mean square, so an ordinary series needs no record of its extremes
to be judged: Student's t with few degrees of freedom is what telemetry looks like. Peaks over threshold,
online (Siffer et al., KDD 2017; moments instead of likelihoods as in FluxEV, WSDM 2021), then say what the
series itself has shown, and only ever make a deviation *less* surprising. Taken alone they rank badly: a
series that has stood still makes the first move look impossible (docs/detection.md has the figures).
"""

from __future__ import annotations

import math

import numpy as np

from detectors.compiled import double, inlined
from detectors.suite.block import BLOCK, COUNT, ODDS, SAID, TAIL
from detectors.suite.tuning import Tuning

COLD = 20
"""Samples before anything is said."""
LOG10 = math.log(10.0)
QUANTILE = 0.95
"""Where the tail of a series begins."""
AT = -math.log10(1.0 - QUANTILE)
STEP = 0.01
"""Pace of the threshold, as a share of it."""
EXCESS = 0.02
"""Pace of the mean excess: the last fifty count."""


@inlined
def odds(r: float, degrees: float) -> float:
    """Return the number whose logarithm is a deviation's surprise by Student's t, but for a factor."""
    return 1.0 + r * r * (1.0 / degrees)


@inlined
def student(logarithm: float, degrees: float) -> float:
    """Return -log10 of the tail of Student's t, but for its constant: 0 at 0, and never saturating."""
    return logarithm * (0.5 / LOG10 * degrees)


@inlined
def surprise(threshold: float, excess: float, s: float) -> float:
    """Return the lesser of a surprise and what the series' own tail makes of it."""
    u, mean = max(threshold, AT), max(excess, 1.0 / LOG10)
    below = s <= u
    share = (AT * s if below else s - u) / (u if below else LOG10 * mean)
    return min(s, share if below else AT + share)


@inlined
def absorbed(threshold: float, excess: float, s: float) -> tuple[float, float]:
    """Return threshold and mean excess after one more surprise, never lighter than Student's."""
    u, mean = max(threshold, AT), max(excess, 1.0 / LOG10)
    above = s > u
    return (
        u + STEP * u * (QUANTILE if above else QUANTILE - 1.0),
        mean + EXCESS * (s - u - mean) if above else excess,
    )


@inlined
def _judge(state: np.ndarray, reals: np.ndarray, k: int, member: int, weight: float, degrees: float) -> None:
    at = TAIL + 2 * member * BLOCK + k
    u, excess = double(state[at]), double(state[at + BLOCK])
    one = student(reals[ODDS + member * BLOCK + k], degrees)
    reals[SAID + member * BLOCK + k] = weight * surprise(u, excess, one)
    later = absorbed(u, excess, one)
    warm = reals[COUNT + k] >= COLD
    state[at] = later[0] if warm else u
    state[at + BLOCK] = later[1] if warm else excess


@inlined
def judge_tails(state: np.ndarray, reals: np.ndarray, upto: int, p: Tuning) -> None:
    """Turn deviations of the members that have a tail into what each says, and learn."""
    for k in range(upto):
        _judge(state, reals, k, 0, p.w_level, p.degrees)
        _judge(state, reals, k, 1, p.w_trend, p.degrees)
        _judge(state, reals, k, 2, p.w_season, p.degrees)
        _judge(state, reals, k, 3, p.w_spread, p.degrees)

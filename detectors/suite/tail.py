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

LOG10 = math.log(10.0)
QUANTILE = 0.95
"""Where the tail of a series begins."""
AT = -math.log10(1.0 - QUANTILE)
STEP = 0.01
"""Pace of the threshold, as a share of it."""
EXCESS = 0.02
"""Pace of the mean excess: the last fifty count."""


@inlined
def student(r: float, degrees: float) -> float:
    """Return -log10 of the tail of Student's t, but for its constant: 0 at 0, and never saturating."""
    return 0.5 / LOG10 * degrees * math.log(1.0 + r * r / degrees)


@inlined
def surprise(tail: np.ndarray, s: float) -> float:
    """Return the lesser of a surprise and what the series' own tail makes of it."""
    u, excess = max(double(tail[0]), AT), max(double(tail[1]), 1.0 / LOG10)
    own = AT * s / u if s <= u else AT + (s - u) / (LOG10 * excess)
    return min(s, own)


@inlined
def absorb(tail: np.ndarray, s: float) -> None:
    """Learn from a surprise; `tail` is threshold and mean excess, never lighter than Student's."""
    u = max(double(tail[0]), AT)
    if s > u:
        tail[1] = max(double(tail[1]), 1.0 / LOG10) + EXCESS * (s - u - max(double(tail[1]), 1.0 / LOG10))
    tail[0] = u + STEP * u * (QUANTILE if s > u else QUANTILE - 1.0)

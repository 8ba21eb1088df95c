"""Peaks over threshold, online: from a member's deviation to -log10 of its tail probability.

Threshold by stochastic approximation of a quantile, mean excess by an exponential mean; generalised Pareto
of fixed shape beyond (Siffer et al., KDD 2017, with moments instead of likelihoods as in FluxEV, WSDM 2021).
"""

from __future__ import annotations

import math

import numpy as np

from detectors.compiled import compiled

COLD = 20
"""Samples before a tail speaks."""


@compiled
def surprise(tail: np.ndarray, r: float, quantile: float, shape: float, cap: float, count: int) -> float:
    """Return -log10 of the probability of a deviation of `r` or more; 0 … `cap`."""
    if count < COLD:
        return 0.0
    u, excess = float(tail[0]), float(tail[1])
    at = -math.log10(1.0 - quantile)
    if r <= u:
        return min(at * r / (u + 1e-12), cap)
    return min(at + math.log10(1.0 + shape * (r - u) / (excess + 1e-12)) / shape, cap)


@compiled
def absorb(tail: np.ndarray, r: float, quantile: float, factor: float, count: int) -> None:
    """Learn from a deviation; `tail` is threshold, mean excess, mean, number of excesses."""
    share = max(factor, 1.0 / (count + 1))
    if count > COLD:
        r = min(r, tail[0] + 6.0 * tail[1] + 1e-9)
    tail[2] += share * (r - tail[2])
    step = 2.0 * share * (tail[2] + 1e-9)
    tail[0] = max(tail[0] + (step * quantile if r > tail[0] else -step * (1.0 - quantile)), 0.3 * tail[2])
    if r > tail[0]:
        tail[1] += max(0.05, 1.0 / (tail[3] + 1)) * (r - tail[0] - tail[1])
        tail[3] += 1
    tail[1] = max(tail[1], 0.2 * tail[0])

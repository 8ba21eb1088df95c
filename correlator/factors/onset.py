"""Onset order: a cause does not begin after its effects.

For each ill neighbour in the direction of propagation (callers) the lag = onset(caller) − onset(candidate) is
compared with the timing error of both onsets, σ = √(u₁² + u₂² + interval²): plausible lags (−σ … +10 min)
speak for, a candidate that began clearly later than its dependents speaks against. Bounded to ±1, for onset
estimates are worse than half an interval.
"""

from __future__ import annotations

import math

from correlator.factors.term import Candidate, Term
from correlator.scene import Scene

NAME = "onset_order"
WEIGHT = 0.5
LONGEST_LAG_MS = 600_000


def measure(candidate: Candidate, scene: Scene) -> Term | None:
    """Positive when it began before what depends on it."""
    mine = scene.evidence.get(candidate.service)
    began = mine.onset_ms if mine else None
    if mine is None or began is None:
        return None
    votes, lags = 0.0, []
    for neighbour in scene.callers(candidate.service):
        other = scene.evidence.get(neighbour.service)
        theirs = other.onset_ms if other else None
        if other is None or theirs is None:
            continue
        sigma = math.hypot(scene.interval_ms, scene.interval_ms)
        lag = theirs - began
        lags.append(lag)
        votes += max(-1.0, min(1.0, lag / sigma)) if lag <= LONGEST_LAG_MS else 0.0
    if not lags:
        return None
    mean = votes / len(lags)
    lag_s = sorted(lags)[len(lags) // 2] / 1000
    text = "together with" if abs(lag_s) < 1 else f"{abs(lag_s):.0f} s {'before' if lag_s > 0 else 'AFTER'}"
    return Term(lag_s, WEIGHT * mean, lambda: f"began {text} the services that depend on it")

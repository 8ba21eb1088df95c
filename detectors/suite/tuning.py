"""The suite's numbers, in one place, with where they come from.

Tuned together by random search on two fixed halves of 58 + 30 public series; `docs/detection.md` has the
protocol, the number of configurations tried and what the other half says. One configuration for all series.
"""

from __future__ import annotations

from typing import NamedTuple


class Tuning(NamedTuple):
    """Factors are shares a sample contributes to a mean: 0.01 remembers about a hundred samples."""

    level: float = 0.027
    """Of the slow level."""
    scale: float = 0.0036
    """Of all spreads."""
    trend: float = 0.1
    """Of Holt's level; its slope moves with a twentieth of it."""
    fast: float = 0.088
    """Of the short variance."""
    near: float = 0.031
    far: float = 0.016
    """Of the two levels whose distance is a shift."""
    day: float = 0.36
    week: float = 0.8
    """Of an hour's bucket in one visit."""
    week_visits: float = 2.0
    """Visits after which an hour of the week speaks; one more for an hour of the day."""
    bucket_spread: float = 0.74
    """Share of an hour's own spread in its scale; the rest is the spread over all hours."""
    clip: float = 10.0
    """Spreads that a sample may lie off and still teach in full: anomalies must not become the norm."""
    floor: float = 0.001
    """Smallest spread, as a share of the range."""
    range_decay: float = 0.00015
    quantile: float = 0.95
    """Where a member's tail begins."""
    shape: float = 0.05
    """Of the generalised Pareto tail."""
    tail: float = 0.0049
    cap: float = 6.0
    """Most that one member may say: below it lies no more data than a few weeks hold."""
    w_level: float = 0.12
    w_trend: float = 0.74
    w_change: float = 0.15
    w_season: float = 0.85
    w_spread: float = 0.1
    w_shift: float = 0.44
    w_still: float = 0.21
    others: float = 0.45
    """Share of the other members' surprise added to the largest."""
    cells: float = 5.1
    """Cells across the range in which values are the same word for novelty."""
    novelty: float = 0.014
    w_novelty: float = 2.0
    w_one: float = 1.2
    w_two: float = 0.74
    w_three: float = 0.62
    w_dense: float = 1.1
    dense: float = 0.049
    dense_far: float = 0.0011
    """Novelty: pace of its usual rate, weights of new words, pairs, triples, and of their density."""
    record: float = 0.58
    record_decay: float = 0.987
    """Share of the decaying record surprise that a new one must exceed: what happens often is not news."""
    own: float = 0.48
    own_tail: float = 0.0023
    own_quantile: float = 0.994
    """Share of the sum that is calibrated once more against the series' own sums, and how."""
    hush: float = 0.52
    hush_decay: float = 0.99
    hush_at: float = 2.7
    """After a surprise the next ones count less: an episode is one event."""

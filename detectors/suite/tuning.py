"""The suite's numbers, in one place. One configuration for all series; `docs/detection.md` has the protocol.

All are round: the figures of 88 public series hardly move when one of them does, which is why it was chosen.
"""

from __future__ import annotations

from typing import NamedTuple


class Tuning(NamedTuple):
    """Factors are shares a sample contributes to a mean: 0.01 remembers about a hundred samples."""

    level: float = 0.03
    """Of the slow level."""
    scale: float = 0.0036
    """Of all usual deviations."""
    trend: float = 0.1
    """Of Holt's level; its slope moves with a twentieth of it."""
    fast: float = 0.09
    """Of the recent variance."""
    day: float = 0.25
    week: float = 0.8
    """Of an hour's bucket in one visit."""
    week_visits: float = 2.0
    """Visits after which an hour of the week speaks, at most 3; an hour of like days speaks after three."""
    season: float = 0.007
    """Of how far all hours lie off, in one hour: six days count."""
    skill: float = 0.2
    """Share of the squared distances from the last day's mean that a season must explain to speak."""
    wide: float = 4.0
    """Usual distances from the season that teach in full, as `clip`."""
    clip: float = 10.0
    """Usual deviations that a sample may lie off and still teach in full: anomalies must not become usual."""
    floor: float = 0.001
    """Smallest deviation, as a share of the range."""
    range_decay: float = 0.00015
    degrees: float = 3.0
    """Of freedom of Student's t: how heavy the tail of a series is before it has shown its own."""
    w_level: float = 1.0
    w_trend: float = 1.0
    w_season: float = 1.0
    w_spread: float = 1.0
    w_still: float = 0.5
    w_novelty: float = 1.0
    """Weights of members: the largest of the first five counts, novelty is added. Stillness is the one that
    is wrong most often."""
    cells: float = 5.0
    """Cells across the range in which values are the same word for novelty."""
    novelty: float = 0.014
    w_one: float = 1.2
    w_two: float = 0.74
    w_three: float = 0.62
    """Novelty: pace of its usual rate, weights of new words, pairs and triples."""
    record: float = 0.4
    record_decay: float = 0.99
    """Share of the decaying record surprise that a new one must exceed, and what a sample leaves of it."""
    again: float = 0.6
    again_decay: float = 0.8
    """The same of the largest surprise of this hour of the day, and what a day leaves of it."""

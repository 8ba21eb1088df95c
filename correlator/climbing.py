"""Memory that goes on growing: a leak does harm when it is full, and is seen long before.

What a service loads at once and keeps (a report, a cache that is read anew) grows for seconds and stands
still; a leak grows by as much in each minute. Stores fill up to their limits by design: the caller leaves
them out.
"""

from __future__ import annotations

from itertools import pairwise

from detectors.anomaly import Anomaly, Family

LEAST = 0.2
"""Part of the usual by which it must have grown over the newest samples: 12 of them, 3 minutes of 15 s."""
PART = 0.25
"""Part of that growth in each third of them; a straight line has a third, and what stops growing less."""
POINTS = 9
"""Samples needed to tell."""
TIMES = frozenset({"s", "ms", "us", "ns", "s/s"})
"""Units of what collections of garbage take."""


def grows(update: Anomaly) -> bool:
    """Whether memory grew steadily over the samples that an update shows."""
    signal, sample = update.signal, update.sample
    if signal.family is not Family.MEMORY or update.direction != "up" or signal.unit in TIMES:
        return False
    if len(sample) < POINTS:
        return False
    marks = [_at(sample, k / 3) for k in range(4)]
    growth = marks[-1] - marks[0]
    if growth <= 0.0 or growth < LEAST * abs(update.expected):
        return False
    return all(after - before >= PART * growth for before, after in pairwise(marks))


def _at(sample: tuple[tuple[int, float], ...], share: float) -> float:
    """The value at a share of the samples, between two of them where it lies there."""
    place = share * (len(sample) - 1)
    before = min(int(place), len(sample) - 2)
    return sample[before][1] + (place - before) * (sample[before + 1][1] - sample[before][1])

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
SPAN_MS = 120_000
"""Time that the samples must span: what is loaded takes a minute and a half, however finely it is sampled."""
TIMES = frozenset({"s", "ms", "us", "ns"})
"""Units of what collections of garbage take. What is counted by the second is no amount of memory, either."""


def grows(update: Anomaly) -> bool:
    """Whether memory grew steadily over the samples that an update shows."""
    signal, sample = update.signal, update.sample
    unit = signal.unit or ""
    if signal.family is not Family.MEMORY or update.direction != "up" or update.status != "open":
        return False
    if unit in TIMES or unit.endswith("/s"):
        return False
    if len(sample) < POINTS or sample[-1][0] - sample[0][0] < SPAN_MS:
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

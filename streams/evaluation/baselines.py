"""What simple rules would have named from the very same anomalies; none of them may see more than headwater.

Every rule is asked at the moment at which headwater's own ranking is judged.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np

from correlator.evidence import Change, Edge, EvidenceItem
from detectors.anomaly import Anomaly

CLEAR = 3.0
"""-log10 tail probability from which an episode counts as an anomaly for the rule `earliest_anomaly`; below
it a series crosses by chance every few hours and the earliest of many is always noise."""
DAMPING = 0.85
"""PageRank's share of steps along edges, as in Brin and Page (1998) and in MonitorRank (2013)."""


@dataclass(slots=True)
class _Episode:
    service: str
    onset_ms: int
    updates: list[tuple[int, float]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What was known of the services at one moment.

    Attributes
    ----------
    score
        Largest score of each service's episodes in the window.
    onset_ms
        Earliest onset of each service's clear episodes.
    changed_ms
        When each service was last changed.
    edges
        Caller → callee, as believed at that moment.
    """

    score: dict[str, float]
    onset_ms: dict[str, int]
    changed_ms: dict[str, int]
    edges: frozenset[tuple[str, str]]


class Past:
    """An evidence log, indexed so that any moment of it can be looked at."""

    def __init__(self, evidence: Iterable[EvidenceItem]) -> None:
        episodes: dict[str, _Episode] = {}
        changes: dict[str, Change] = {}
        self._edges: list[Edge] = []
        self.services: set[str] = set()
        for item in evidence:
            if isinstance(item, Anomaly):
                found = episodes.setdefault(item.id, _Episode(item.service, item.onset_ms))
                found.onset_ms = item.onset_ms
                found.updates.append((item.ts_ms, item.score))
                self.services.add(item.service)
            elif isinstance(item, Change):
                changes[item.id] = item
                self.services.add(item.service)
            elif isinstance(item, Edge):
                self._edges.append(item)
                self.services |= {item.caller, item.callee}
        self._episodes = sorted(episodes.values(), key=lambda e: e.updates[0])
        self._firsts = [episode.updates[0][0] for episode in self._episodes]
        self._changes = sorted(changes.values(), key=lambda c: (c.ts_ms, c.id))

    def at(self, from_ms: int, to_ms: int) -> Snapshot:
        """Episodes that spoke in [from, to], changes until then, edges known by then."""
        score: dict[str, float] = {}
        onset: dict[str, int] = {}
        for episode in self._episodes[: bisect_right(self._firsts, to_ms)]:
            said = [value for ts_ms, value in episode.updates if from_ms <= ts_ms <= to_ms]
            if not said:
                continue
            service, largest = episode.service, max(said)
            score[service] = max(largest, score.get(service, 0.0))
            if largest >= CLEAR:
                onset[service] = min(episode.onset_ms, onset.get(service, episode.onset_ms))
        changed = {change.service: change.ts_ms for change in self._changes if change.ts_ms <= to_ms}
        edges = frozenset((e.caller, e.callee) for e in self._edges if e.first_seen_ms <= to_ms)
        return Snapshot(score, onset, changed, edges)


def latest_change(seen: Snapshot) -> list[str]:
    """Services by the time of their last change, newest first: what is blamed first in practice."""
    return sorted(seen.changed_ms, key=lambda s: (-seen.changed_ms[s], -seen.score.get(s, 0.0), s))


def earliest_anomaly(seen: Snapshot) -> list[str]:
    """Services by the earliest onset of a clear anomaly; ties by size."""
    return sorted(seen.onset_ms, key=lambda s: (seen.onset_ms[s], -seen.score[s], s))


def largest_deviation(seen: Snapshot) -> list[str]:
    """Services by their largest score, as N-Sigma and BARO rank, on calibrated tails."""
    return sorted(seen.score, key=lambda s: (-seen.score[s], s))


def pagerank(seen: Snapshot) -> list[str]:
    """Services by personalised PageRank: walk from the anomalous to the anomalous they depend on.

    Steps lead from caller to callee with probability proportional to the callee's score and restart at a
    service with probability proportional to its own, after MonitorRank (Kim et al., SIGMETRICS 2013).
    """
    names = sorted(set(seen.score) | {name for edge in seen.edges for name in edge})
    restart = np.array([seen.score.get(name, 0.0) for name in names])
    if not restart.any():
        return []
    number = {name: i for i, name in enumerate(names)}
    steps = np.zeros((len(names), len(names)))
    for caller, callee in seen.edges:
        steps[number[caller], number[callee]] = seen.score.get(callee, 0.0)
    restart = restart / restart.sum()
    leaving = steps.sum(axis=1, keepdims=True)
    steps = np.where(leaving > 0, steps / np.where(leaving > 0, leaving, 1.0), restart)
    rank = restart
    for _ in range(100):
        rank = (1 - DAMPING) * restart + DAMPING * rank @ steps
    order = sorted(range(len(names)), key=lambda i: (-round(float(rank[i]), 12), names[i]))
    return [names[i] for i in order if rank[i] > 0]


RULES: dict[str, Callable[[Snapshot], list[str]]] = {
    "latest_change": latest_change,
    "earliest_anomaly": earliest_anomaly,
    "largest_deviation": largest_deviation,
    "pagerank": pagerank,
}
CHANCE = "chance"
"""Any known service, drawn blindly: what a ranking without telemetry scores."""

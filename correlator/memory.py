"""What is remembered of one domain between two ticks of event time."""

from __future__ import annotations

from dataclasses import dataclass, field

from correlator.confidence import Calibration
from correlator.evidence import Verdict
from correlator.evidence_window import Episode, EvidenceWindow
from correlator.grouping import OpenIncident
from correlator.scene import Past
from correlator.topology import Topology

KEEP_INCIDENTS_MS = 3 * 3_600_000
"""Closed incidents stay revisable as long as their evidence."""
EVICT_EVERY_MS = 300_000
KEEP_NAMED_MS = 14 * 86_400_000
"""Engineers judge an incident the morning after, or at the review of the week."""
NAMED = 500


@dataclass(slots=True)
class Named:
    """What was said of an incident at last, kept for the verdict on it."""

    at_ms: int
    top: str
    looks: dict[str, float]
    judged: bool = False
    """Whether a verdict has come: a second one, or the same again, teaches nothing new."""


@dataclass(slots=True)
class Memory:
    """Evidence, topology and incidents of one domain, as far as event time has come."""

    domain: str
    topology: Topology = field(default_factory=Topology)
    window: EvidenceWindow = field(default_factory=EvidenceWindow)
    past: Past = field(default_factory=Past)
    calibration: Calibration = field(default_factory=Calibration)
    incidents: dict[str, OpenIncident] = field(default_factory=dict)
    named: dict[str, Named] = field(default_factory=dict)
    """By incident id, in order of their last revision."""
    live: dict[str, Episode] = field(default_factory=dict)
    """Episodes that were updated within one and a half of their intervals, by anomaly id."""
    watermark_ms: int | None = None
    born_ms: int | None = None
    """Where event time stood at the first progress: the baselines rest on nothing older."""
    evicted_ms: int = 0

    def evict(self, now_ms: int) -> None:
        """Every five minutes of event time, forget what can no longer change an incident."""
        if now_ms - self.evicted_ms < EVICT_EVERY_MS:
            return
        self.evicted_ms = now_ms
        for key in [
            k
            for k, s in self.incidents.items()
            if s.closed_ms is not None and s.closed_ms < now_ms - KEEP_INCIDENTS_MS
        ]:
            del self.incidents[key]
        for key in [k for k, n in self.named.items() if n.at_ms < now_ms - KEEP_NAMED_MS]:
            del self.named[key]
        self.window.evict(now_ms, {s for state in self.incidents.values() for s in state.services})

    def remember(self, state: OpenIncident, now_ms: int) -> None:
        """Keep what a revision said, in place of what the one before said."""
        if state.top is None or state.merged_into is not None:
            self.named.pop(state.id, None)
            return
        before = self.named.pop(state.id, None)
        judged = before is not None and before.judged
        self.named[state.id] = Named(now_ms, state.top, state.looks, judged)
        if len(self.named) > NAMED:
            del self.named[next(iter(self.named))]

    def learn(self, verdict: Verdict) -> None:
        """Take an engineer's word on an incident; of incidents that nobody remembers, nothing is learnt."""
        said = self.named.get(verdict.incident_id)
        if said is None or said.judged:
            return
        said.judged = True
        counts = self.past.named_right if verdict.right else self.past.named_wrong
        counts[said.top] = counts.get(said.top, 0) + 1
        self.calibration.learn(said.looks, verdict.right)

    def in_order(self) -> list[OpenIncident]:
        """Incidents in order of opening, ties by id: so that no order of arrival matters."""
        return sorted(self.incidents.values(), key=lambda s: (s.opened_ms, s.id))


def is_live(episode: Episode, now_ms: int) -> bool:
    """Whether an episode was updated so lately that the next update may still come."""
    anomaly = episode.anomaly
    return now_ms - anomaly.ts_ms <= anomaly.interval_ms * 3 // 2

"""Which evidence belongs to one incident: near in the graph, at the same time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from correlator.evidence_window import Episode
from correlator.topology import Topology
from detectors.anomaly import Family

JOIN_AT = 1.0
"""V from which a related service joins an open incident."""
GROWTH_MS = 180_000
"""Without fresh evidence for this long (or two samples) an incident grows no more: later is new."""
HOPS = 2
"""One silent entity may lie between two that show something."""


@dataclass(slots=True)
class OpenIncident:
    """What is remembered of an incident between revisions."""

    id: str
    opened_ms: int
    onset_ms: int
    last_growth_ms: int
    interval_ms: int
    services: set[str] = field(default_factory=set)
    evidence: set[str] = field(default_factory=set)
    supersedes: tuple[str, ...] = ()
    revision: int = 0
    closed_ms: int | None = None
    published: str = ""
    """Digest of what the last revision said, so that an equal one is not said again."""
    top: str | None = None
    flips: int = 0
    """How often a revision named another root than the one before."""
    confidence: float = 0.0
    """Of the last revision's first hypothesis."""
    looks: dict[str, float] = field(default_factory=dict)
    """What the confidence of the last revision rests on; see `confidence.features`."""
    was_candidate: bool = False
    merged_into: str | None = None
    last_burning_ms: int = 0
    """When its root last deviated in what users feel or what breaks, news or not."""
    others: int = 0
    """How many other incidents were open before it opened."""
    apart_from: tuple[str, ...] = ()
    """Open incidents next to which it began as a matter of its own: it is not merged into them."""

    @property
    def growth_ms(self) -> int:
        """How long it waits for more evidence."""
        return max(GROWTH_MS, 2 * self.interval_ms)

    def is_open_before(self, now_ms: int) -> bool:
        """Whether it lasts since an earlier moment: what opens at one moment is in no order."""
        return self.closed_ms is None and self.merged_into is None and self.opened_ms < now_ms

    def grows(self, now_ms: int) -> bool:
        """Whether any related evidence of now is part of it."""
        return self.closed_ms is None and now_ms - self.last_growth_ms <= self.growth_ms

    def burns(self, now_ms: int) -> bool:
        """Whether it lasts: what its root does to others is still part of it, other things are not."""
        return self.closed_ms is None and now_ms - self.last_burning_ms <= self.growth_ms


BURNING = 2.0
"""Weighted score of a member's live episode that keeps an incident alive."""
BURNING_FAMILIES = frozenset(
    {
        Family.LATENCY,
        Family.OWN_TIME,
        Family.ERROR,
        Family.CLIENT_LATENCY,
        Family.GAP,
        Family.CPU,
        Family.SATURATION,
    }
)
"""Not memory, load, I/O or logs: these stay changed long after the harm is over. Of memory that climbs it is
yet to come."""


def burning(state: OpenIncident, live: Iterable[Episode]) -> bool:
    """Whether any live episode of the incident's root, or towards it, is still strong."""
    for episode in live:
        anomaly = episode.anomaly
        if (
            state.top in (anomaly.service, anomaly.signal.peer)
            and anomaly.status == "open"
            and anomaly.direction == "up"
            and anomaly.score >= BURNING
            and (anomaly.signal.family in BURNING_FAMILIES or episode.climbs)
        ):
            return True
    return False


def dependents(root: str, topology: Topology, at_ms: int, hops: int = 4) -> set[str]:
    """What suffers from a burning root: its transitive callers, itself included."""
    reached, frontier = {root}, {root}
    for _ in range(hops):
        frontier = {n.service for service in frontier for n in topology.callers(service, at_ms)} - reached
        reached |= frontier
    return reached


def connected(root: str, topology: Topology, at_ms: int, hops: int = 4) -> set[str]:
    """What a burning root reaches: its transitive callers, and what it calls itself."""
    return dependents(root, topology, at_ms, hops) | {n.service for n in topology.callees(root, at_ms)}


def surroundings(services: Iterable[str], topology: Topology, at_ms: int, hops: int = HOPS) -> set[str]:
    """Everything within `hops` edges of any of the services, in either direction, themselves included."""
    reached = set(services)
    frontier = set(reached)
    for _ in range(hops):
        following: set[str] = set()
        for service in frontier:
            for neighbour in topology.callees(service, at_ms):
                following.add(neighbour.service)
            for neighbour in topology.callers(service, at_ms):
                following.add(neighbour.service)
        frontier = following - reached
        reached |= frontier
    return reached

"""What evidence says about neighbours: callees that starve, and time that is lost between two services."""

from __future__ import annotations

from collections.abc import Mapping

from correlator.evidence_window import Episode
from correlator.service_evidence import FLOOR, ServiceEvidence, Weight
from correlator.topology import Topology
from detectors.anomaly import Family

BETWEEN = Weight("gap", 1.0, 0.2, True)
"""A caller waits longer for a callee that is not slow itself: the way between them, or its front door."""
STARVES = Weight("starves", 0.9, 0.9, True)
"""A service that is not short of work but passes none on fails before it calls."""
DEMAND = frozenset({Family.LOAD, Family.IO})


def time_between(evidence: Mapping[str, ServiceEvidence], from_ms: int, to_ms: int) -> None:
    """Count client latency towards a callee as gap where the callee's own latency does not explain it.

    Client latency = gap + server latency; when the second is ordinary (or unknown, for a callee without
    telemetry), it is the first.
    """
    for mine in evidence.values():
        if mine.value("lat") > FLOOR:
            continue
        for episode in list(mine.episodes.values()):
            signal = episode.anomaly.signal
            if signal.peer == mine.service and signal.family is Family.CLIENT_LATENCY:
                mine.add(BETWEEN, episode.score_between(from_ms, to_ms), episode)


def starvation(
    evidence: dict[str, ServiceEvidence], topology: Topology, from_ms: int, to_ms: int, at_ms: int
) -> None:
    """Blame the caller for callees that get less to do than usual while the caller itself does not.

    A starved callee with k unstarved callers speaks 1/k for each of them. A service that starves itself
    passes the blame on to who calls it: so an entry whose users went away blames nobody.
    """
    starved: dict[str, tuple[float, Episode]] = {}
    for service in sorted(evidence):
        mine = evidence[service]
        if mine.suffering() > 0:
            continue
        falling = [
            (episode.score_between(from_ms, to_ms), episode.anomaly.id, episode)
            for episode in mine.episodes.values()
            if episode.anomaly.signal.family in DEMAND and episode.anomaly.direction == "down"
        ]
        if falling and (worst := max(falling, key=lambda f: f[:2]))[0] > FLOOR:
            starved[service] = worst[0], worst[2]
    for service, (score, episode) in starved.items():
        callers = [n.service for n in topology.callers(service, at_ms)]
        feeding = [c for c in callers if c not in starved]
        if len(feeding) != len(callers):
            continue  # demand fell further up as well: whoever starves the callers is to blame
        for caller in feeding:
            held = evidence.get(caller)
            if held is None:
                held = evidence[caller] = ServiceEvidence(caller)
            held.add(STARVES, score / len(feeding), episode)

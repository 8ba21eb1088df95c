"""What was not looked at, because nobody showed it."""

from __future__ import annotations

from correlator.incident import Hop
from correlator.ranking import Scored
from correlator.scene import Scene

MOST = 6


def not_checked(ranked: list[Scored], hops: tuple[Hop, ...], scene: Scene) -> tuple[str, ...]:
    """Blind spots around the first hypothesis, in lines for a person."""
    found: list[str] = []
    if not len(scene.topology):
        found.append("no topology: neighbours are unknown, only times were compared")
    if not scene.changes:
        found.append("no deploys, configuration changes or jobs are known of the last 14 days")
    if ranked:
        root = ranked[0].candidate.service
        around = [root, *(n.service for n in scene.callees(root))]
        deaf = [s for s in dict.fromkeys(around) if s not in scene.heard]
        if deaf:
            more = f" and {len(deaf) - 4} more" if len(deaf) > 4 else ""
            found.append(f"no telemetry of its own: {', '.join(deaf[:4])}{more}")
    unseen = [f"{h.target} → {h.source}" for h in hops if not set(map(str, h.edge_sources)) - {"declared"}]
    if unseen:
        found.append(f"no call was observed on {', '.join(unseen[:3])}: known by declaration only")
    sources = {
        episode.anomaly.signal.source
        for mine in scene.evidence.values()
        for episode in mine.episodes.values()
    }
    if "log" not in sources:
        found.append("logs: none deviated, or none are read")
    if "edge" not in sources:
        found.append("calls between services: none deviated, or no traces are read")
    return tuple(found[:MOST])

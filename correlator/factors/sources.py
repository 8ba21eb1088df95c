"""Independent sources: metrics, edges, logs and people are witnesses; two metrics of one pod are one.

.3 for each further kind of source that points at the candidate, at most .9. Of what is others' (a provider)
and was never heard itself only callers speak, so that no further kind could agree: it is given .6.
"""

from __future__ import annotations

from correlator.factors.term import Candidate, Term
from correlator.scene import FLOOR, Scene

NAME = "independent_sources"
PER_SOURCE = 0.3
EXTERNAL = 0.6
"""Two kinds' worth. Tried 0 and .6 on 473 simulated faults."""


def measure(candidate: Candidate, scene: Scene) -> Term | None:
    """How many kinds of telemetry agree."""
    mine = scene.evidence.get(candidate.service)
    if mine is None or mine.excess <= 0:
        return None
    kinds = {g.episode.anomaly.signal.source for g in mine.groups.values() if g.value > FLOOR}
    witnesses = {f"{kind}s" for kind in kinds}
    if any(alert.service == candidate.service for alert in scene.alerts):
        witnesses.add("alerts")
    if scene.topology.is_external(candidate.service) and candidate.service not in scene.heard:
        return Term(
            1.0, EXTERNAL, lambda: f"{candidate.service} is others': only its callers can speak of it"
        )
    extra = len(witnesses) - 1
    if extra <= 0:
        return None
    return Term(
        float(len(witnesses)),
        min(extra, 3) * PER_SOURCE,
        lambda: f"{len(witnesses)} independent kinds of telemetry agree: {', '.join(sorted(witnesses))}",
    )

"""Explained by its own dependencies: a service that waits for an ill callee is a symptom.

Subtracts half of what its most ill callee and it itself have in common: .5·min(max R of callees, R)
(MicroRCA's and Sage's intuition; the constant is that of the measured prototype).
"""

from __future__ import annotations

from correlator.factors.term import Candidate, Term
from correlator.scene import Scene

NAME = "explained_by_dependencies"
SHARE = 0.5


def measure(candidate: Candidate, scene: Scene) -> Term | None:
    """Minus half of the trouble that an ill callee explains."""
    mine = scene.severity(candidate.service)
    worst, name = 0.0, ""
    for neighbour in scene.callees(candidate.service):
        theirs = scene.severity(neighbour.service) * neighbour.belief
        if theirs > worst:
            worst, name = theirs, neighbour.service
    common = min(worst, mine)
    if common <= 0:
        return None
    ids = tuple(g.episode.anomaly.id for g in list(scene.evidence[name].groups.values())[:1])
    return Term(
        common,
        -SHARE * common,
        lambda: (
            f"{name}, which {candidate.service} calls, deviates too ({worst:.1f}) and explains part of it"
        ),
        ids,
    )

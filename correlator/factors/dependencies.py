"""Explained by its own dependencies: a service that waits for an ill callee is a symptom.

Each group of evidence may be explained in part by a callee that is ill: errors and latency are handed on, CPU
and memory hardly are. What callee Y explains of X is min(Σ_g share_g · g_X, 1.2 · V_Y · belief), for the best
Y; shares follow what propagates along calls (retries and blocked threads, not work). Topological
explaining-away as in MicroRCA and Sage, split by kind of evidence.
"""

from __future__ import annotations

from correlator.factors.term import Candidate, Term
from correlator.scene import Scene

NAME = "explained_by_dependencies"
SHARE: dict[str, float] = {
    "err": 0.9,
    "lat": 0.85,
    "latc": 1.0,
    "log": 0.7,
    "gap": 0.5,
    "sat": 0.6,
    "stale": 0.3,
    "starves": 0.5,
    "amplifies": 0.5,
    "cpu": 0.25,
    "mem": 0.25,
    "io": 0.3,
    "node": 0.0,
    "other": 0.3,
}
REACH = 1.2
"""A callee explains a little more than its own illness: symptoms grow on the way up (retries, queues)."""


def measure(candidate: Candidate, scene: Scene) -> Term | None:
    """Minus the trouble that an ill callee explains."""
    mine = scene.evidence.get(candidate.service)
    if mine is None:
        return None
    worst, name = 0.0, ""
    for neighbour in scene.callees(candidate.service):
        theirs = scene.severity(neighbour.service) * neighbour.belief
        if theirs > worst:
            worst, name = theirs, neighbour.service
    if worst <= 0:
        return None
    open_to_it = sum(SHARE.get(group, 0.2) * value for group, value in mine.counted())
    common = min(open_to_it, REACH * worst)
    if common <= 0:
        return None
    ids = tuple(
        g.episode.anomaly.id for g in sorted(scene.evidence[name].groups.values(), key=lambda g: -g.value)[:1]
    )
    return Term(
        common,
        -common,
        lambda: f"{name}, which {candidate.service} calls, deviates too ({worst:.1f}) and explains this part",
        ids,
    )

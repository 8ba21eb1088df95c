"""Demand: what a service does more because more is asked of it is not its fault.

Work grows with load. If the load of the candidate rose to r_l times the usual and its CPU (memory, I/O) to
r_g, the part min(1, (r_l − 1)/(r_g − 1)) of that group is demand, and .85 of it is taken off (utilisation
law, U = X·S); latency and saturation under load are in part the service's own business: .6. If the
load fell while nothing of it is slow or failing, the candidate is starved by whoever calls it, and half of V
goes.
"""

from __future__ import annotations

from correlator.evidence_window import Episode
from correlator.factors.term import Candidate, Term
from correlator.scene import Scene
from correlator.service_evidence import ServiceEvidence

NAME = "traffic"
SHARE = {"cpu": 0.85, "mem": 0.6, "io": 0.85, "lat": 0.6, "gap": 0.6, "sat": 0.6, "node": 0.5, "other": 0.5}
STARVED = 0.5
RETRIED = 4.0
"""A call that fails is tried at most so often: a larger rise of the load is no consequence of failures."""
RISEN = 1.15
"""Ratio from which load is said to have risen."""


def ratio(episode: Episode) -> float:
    """Observed over expected at the episode's worst; 1 where nothing was expected."""
    if episode.worst is None or episode.worst[2] <= 0.0:
        return 1.0
    return max(0.0, episode.worst[1] / episode.worst[2])


def overload(risen: float) -> float:
    """Share of a trouble of any kind that `risen` times the usual load accounts for."""
    return max(0.0, 1.0 - RETRIED / risen)


def asked_for(mine: ServiceEvidence) -> float:
    """The part of a service's severity that a rise of its own load explains."""
    load = mine.groups.get("load")
    if load is None or load.episode.anomaly.direction != "up":
        return 0.0
    risen = ratio(load.episode)
    if risen < RISEN:
        return 0.0
    pushed = 0.0
    for group, value in mine.counted():
        growth = ratio(mine.groups[group].episode) - 1.0
        share = SHARE[group] * min(1.0, (risen - 1.0) / growth) if group in SHARE and growth > 0.0 else 0.0
        pushed += value * max(share, overload(risen))
    return pushed


def pushed_by(caller: ServiceEvidence, callee: ServiceEvidence) -> float:
    """Share of a callee's trouble that the caller made by asking more of it than it was asked itself."""
    risen, asked = _risen(callee), _risen(caller)
    return overload(risen / asked) if risen > asked else 0.0


def _risen(mine: ServiceEvidence) -> float:
    load = mine.groups.get("load")
    return 1.0 if load is None or load.episode.anomaly.direction != "up" else max(1.0, ratio(load.episode))


def measure(candidate: Candidate, scene: Scene) -> Term | None:
    """Minus what demand explains."""
    mine = scene.evidence.get(candidate.service)
    load = mine.groups.get("load") if mine else None
    if mine is None or load is None:
        return None
    anomaly, risen = load.episode.anomaly, ratio(load.episode)
    if anomaly.direction == "up":
        pushed = asked_for(mine)
        if pushed <= 0.0:
            return None
        return Term(
            risen,
            -pushed,
            lambda: f"its load rose to {risen:.1f} times the usual: more work is asked of it",
            (anomaly.id,),
        )
    if mine.suffering() > 0 or mine.cause_excess > 0 or mine.excess <= 0:
        return None
    return Term(
        risen,
        -STARVED * mine.severity,
        lambda: f"its load fell to {risen:.0%} of the usual and nothing of it is slow: its callers stopped",
        (anomaly.id,),
    )

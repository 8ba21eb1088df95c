"""Relevance: work or memory that went up beside an incident and reaches none of its harm.

Backups, crawlers and collections of garbage keep processors busy at any time. Where others clearly suffer, by
H = Σ of what users of each service feel, and a candidate with those that depend on it feels the share s of H,
.7·(1 − min(1, 2·s)) of what its resources say is taken off: they ran short, but not for these users. Memory
that climbed is left alone: its harm is yet to come; and so is who a rush of users comes to, for it is further
down that they wait.
"""

from __future__ import annotations

from correlator.factors.term import Candidate, Term
from correlator.factors.traffic import rush_at
from correlator.harm import loudness
from correlator.scene import Scene, once

NAME = "relevance"
SHARE = 0.7
"""Tried .5, .7 and .9 on 276 simulated faults: the first names differ in one or two."""
RESOURCES = frozenset({"cpu", "mem", "io", "node", "other"})
CLEAR = 0.5
"""An eighth of all requests failed, or two thirds slower: below it nobody clearly suffers."""


@once
def harm_of(_: str, scene: Scene) -> float:
    """What all users feel, summed over the services."""
    return sum(loudness(service, scene) for service in scene.evidence)


def measure(candidate: Candidate, scene: Scene) -> Term | None:
    """Minus what resources say that none of the harm depends on."""
    mine = scene.evidence.get(candidate.service)
    if mine is None or rush_at(candidate.service, scene) > 1.0:
        return None
    beside = RESOURCES - {"mem"} if mine.climbed else RESOURCES
    resources = sum(value for group, value in mine.counted() if group in beside)
    whole = harm_of("", scene)
    if resources <= 0.0 or whole < CLEAR:
        return None
    reached = (candidate.service, *scene.downstream_of(candidate.service))
    felt = sum(loudness(service, scene) for service in reached) / whole
    taken = SHARE * resources * (1.0 - min(1.0, 2.0 * felt))
    if taken <= 0.0:
        return None
    return Term(
        felt,
        -taken,
        lambda: (
            f"only {felt:.0%} of what users feel is at {candidate.service} or depends on it: "
            "its resources ran short of something else"
        ),
    )

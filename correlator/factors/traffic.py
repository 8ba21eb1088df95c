"""Demand: a load that rose explains pressure at the place where it arrives, and is not a fault by itself.

If the candidate's own load rose at least as improbably as its other signals, its trouble is discounted by
.4·min(E_load, V): it is being pushed. If its load fell while nothing of it is slow or failing, it is starved
by whoever calls it, and is discounted by .5·V.
"""

from __future__ import annotations

from correlator.factors.term import Candidate, Term
from correlator.scene import Scene

NAME = "traffic"
PUSHED = 0.4
STARVED = 0.5


def measure(candidate: Candidate, scene: Scene) -> Term | None:
    """Minus what demand explains."""
    mine = scene.evidence.get(candidate.service)
    load = mine.groups.get("load") if mine else None
    if mine is None or load is None:
        return None
    anomaly = load.episode.anomaly
    observed, expected = anomaly.observed, anomaly.expected
    ratio = observed / expected if expected else 0.0
    if anomaly.direction == "up":
        others = max((g.value for name, g in mine.groups.items() if name != "load"), default=0.0)
        if load.value < others or load.value <= 0:
            return None
        pushed = min(load.value, mine.excess)
        return Term(
            ratio,
            -PUSHED * pushed,
            lambda: f"its load rose to {ratio:.1f} times the usual: it is pushed from outside",
            (anomaly.id,),
        )
    if mine.suffering() > 0 or mine.cause_excess > 0 or mine.excess <= 0:
        return None
    return Term(
        ratio,
        -STARVED * mine.excess,
        lambda: f"its load fell to {ratio:.0%} of the usual and nothing of it is slow: its callers stopped",
        (anomaly.id,),
    )

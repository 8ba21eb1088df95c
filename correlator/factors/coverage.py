"""Coverage: how much of the incident depends on the candidate.

.1·Σ over ill direct callers of min(R_caller, 3): suffering callers point at the callee; capped, so that a
gateway with many symptoms cannot decide alone (prototype, measured).
"""

from __future__ import annotations

from correlator.factors.term import Candidate, Term
from correlator.scene import Scene

NAME = "coverage"
PER_CALLER = 0.1
CAP = 3.0


def measure(candidate: Candidate, scene: Scene) -> Term | None:
    """A tenth of the suffering of the services that call the candidate."""
    suffering = [
        (min(scene.severity(n.service), CAP) * n.belief, n.service)
        for n in scene.callers(candidate.service)
        if scene.severity(n.service) > 0
    ]
    if not suffering:
        return None
    total = sum(value for value, _ in suffering)
    names = sorted(name for _, name in suffering)
    return Term(
        float(len(names)),
        PER_CALLER * total,
        lambda: f"{len(names)} of its callers suffer: {', '.join(names[:4])}",
    )

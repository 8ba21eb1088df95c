"""What remains unexplained if the candidate were the root: ill services that do not depend on it.

−.15·Σ min(R, 3) over ill services that are not reached from the candidate against the direction of calls, at
most −1.5; a root that explains one symptom of five is a poor root.
"""

from __future__ import annotations

from correlator.factors.term import Candidate, Term
from correlator.scene import Scene

NAME = "unexplained_rest"
PER_SERVICE = 0.0
CAP = 3.0
MOST = 1.5


def measure(candidate: Candidate, scene: Scene) -> Term | None:
    """Minus the trouble that this root leaves over."""
    if PER_SERVICE == 0.0:
        return None
    reached = scene.downstream_of(candidate.service)
    rest = [s for s in scene.ill if s != candidate.service and s not in reached]
    left = sum(min(scene.severity(s), CAP) for s in rest)
    if left <= 0:
        return None
    return Term(
        left,
        -min(MOST, PER_SERVICE * left),
        lambda: f"does not explain {len(rest)} other ill services: {', '.join(rest[:4])}",
    )

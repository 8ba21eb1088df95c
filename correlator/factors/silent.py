"""A shared dependency that says nothing itself, seen through those who call it.

Severity implied for a silent callee X of callers c: I = s·Σ min(U_c, 3)/2, where U_c is the part of c's
trouble that none of c's other callees explains and s the share of X's known callers that are ill. At least
two callers must agree: one ill caller explains itself. (Common-cause elimination, as in Mill's method of
agreement.)
"""

from __future__ import annotations

from correlator.factors.term import Candidate, Term
from correlator.scene import Scene, once

NAME = "implied_by_callers"
CAP = 3.0


@once
def illest(caller: str, scene: Scene) -> list[tuple[float, str]]:
    """The two most ill callees of a caller, with their severity, most ill first."""
    return sorted(((scene.severity(c.service), c.service) for c in scene.callees(caller)), reverse=True)[:2]


@once
def implied(service: str, scene: Scene) -> tuple[float, list[str]]:
    """(I, the callers that imply it); (0, []) unless two of its callers agree."""
    callers = scene.callers(service)
    pointing = []
    total = 0.0
    for neighbour in callers:
        mine = scene.evidence.get(neighbour.service)
        if mine is None:
            continue
        symptom = mine.excess - mine.cause_excess
        others = next((ill for ill, callee in illest(neighbour.service, scene) if callee != service), 0.0)
        unexplained = symptom - others
        if unexplained > 0.5:
            pointing.append(neighbour.service)
            total += min(unexplained, CAP) * neighbour.belief
    if len(pointing) < 2:
        return 0.0, []
    return len(pointing) / len(callers) * total / 2.0, pointing


def measure(candidate: Candidate, scene: Scene) -> Term | None:
    """The trouble that its callers share and nothing else explains."""
    if not candidate.silent:
        return None
    value, pointing = implied(candidate.service, scene)
    if value <= 0:
        return None
    ids = tuple(g.episode.anomaly.id for s in pointing for g in list(scene.evidence[s].groups.values())[:1])
    return Term(
        value,
        value,
        lambda: (
            f"{candidate.service} has no telemetry of its own; {len(pointing)} callers that share it "
            f"suffer at once: {', '.join(sorted(pointing)[:4])}"
        ),
        ids,
    )

"""Own severity: how ill the candidate is by itself, cause-like evidence above symptom-like.

V = Σ of the three largest (E_group − 1.7)+, E the weighted −log10 tail probability of a family group. Weights
and floor were measured on two recorded systems; a service's groups count by their maximum, so that two
metrics of one resource are not two voices.
"""

from __future__ import annotations

from correlator.factors.term import Candidate, Term
from correlator.scene import Scene
from correlator.spelling import signal_name

NAME = "own_severity"


def measure(candidate: Candidate, scene: Scene) -> Term | None:
    """V of the candidate, in tenfolds of improbability."""
    mine = scene.evidence.get(candidate.service)
    if mine is None or mine.excess <= 0:
        return None
    strongest = mine.strong_groups[:3]
    ids = tuple(mine.groups[g].episode.anomaly.id for g in strongest)

    def why() -> str:
        # Two groups may be led by one metric, as of two instances: it is said once, at its worst.
        worst: dict[str, float] = {}
        for group in strongest:
            anomaly = mine.groups[group].episode.anomaly
            name = f"{signal_name(anomaly.signal)} {anomaly.direction}"
            worst[name] = max(worst.get(name, 0.0), anomaly.peak_score)
        parts = (f"{name} (1 in 10^{score:.1f})" for name, score in worst.items())
        return f"{candidate.service} itself deviates: " + ", ".join(parts)

    return Term(mine.excess, mine.severity, why, ids)

"""Past verdicts: what engineers said about earlier incidents named after this service.

.5·(right − wrong)/(right + wrong + 2), so at most a nudge: history is a prior, not proof.
"""

from __future__ import annotations

from correlator.factors.term import Candidate, Term
from correlator.scene import Scene

NAME = "past_verdicts"
WEIGHT = 0.5


def measure(candidate: Candidate, scene: Scene) -> Term | None:
    """A nudge by what people confirmed or refuted."""
    right = scene.past.named_right.get(candidate.service, 0)
    wrong = scene.past.named_wrong.get(candidate.service, 0)
    if right + wrong == 0:
        return None
    share = (right - wrong) / (right + wrong + 2)
    return Term(
        share,
        WEIGHT * share,
        lambda: f"named {right + wrong} times before, {right} confirmed by engineers",
    )

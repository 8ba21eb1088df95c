"""When no cause should be named, which kind of not-knowing it is, and what would decide."""

from __future__ import annotations

from correlator.incident import Abstention, AbstentionType
from correlator.ranking import Scored
from correlator.scene import Scene

TOO_CLOSE = 0.08
"""Relative margin under which two unrelated roots are a tie."""


def abstain(ranked: list[Scored], scene: Scene, confidence: float) -> Abstention | None:
    """Return the abstention of a ranking, or None where its first hypothesis may be named."""
    if not ranked or ranked[0].score <= 0.3:
        return Abstention(
            type=AbstentionType.INSUFFICIENT_EVIDENCE,
            reason="nothing that deviates stands out from the rest",
            next_question="Which service do users complain about?",
        )
    return None

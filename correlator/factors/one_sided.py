"""One-sided: only one caller sees the trouble, the candidate itself shows none, and that caller does.

A callee whose whole evidence is what a single caller X sees of it is discounted by .5·V·c/(c + 2), where c is
what X shows of exhausted resources of its own (connection pools, CPU, memory): its pool may be too small, its
process stuck, and the callee innocent. Where X shows nothing of its own, the way to the callee stays suspect.
"""

from __future__ import annotations

from correlator.factors.term import Candidate, Term
from correlator.scene import Scene
from correlator.service_evidence import FLOOR, OWN_VOICE

NAME = "one_sided"
SHARE = 0.6
OWN_RESOURCES = ("sat", "cpu", "mem")


def measure(candidate: Candidate, scene: Scene) -> Term | None:
    """Minus what the only witness's own trouble explains."""
    mine = scene.evidence.get(candidate.service)
    if mine is None or len(mine.callers) != 1 or mine.own_word() > FLOOR:
        return None
    (caller,) = mine.callers
    witness = scene.evidence.get(caller)
    if witness is None or candidate.service not in scene.heard:
        return None
    strained = max(
        (witness.groups[g].voices.get(OWN_VOICE, 0.0) - FLOOR for g in OWN_RESOURCES if g in witness.groups),
        default=0.0,
    )
    if strained <= 0.0:
        return None
    taken = SHARE * mine.severity * strained / (strained + 2.0)
    return Term(
        strained,
        -taken,
        lambda: (
            f"only {caller} sees it, {candidate.service} itself shows nothing, and {caller} is short of "
            "resources of its own"
        ),
    )

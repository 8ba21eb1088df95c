"""One-sided: only one caller sees the trouble, the candidate itself shows none, and that caller does.

A callee whose whole evidence is what a single caller X sees of it is discounted by .5·V·c/(c + 2), where c is
what X shows of a shortage of its own (queues for a connection or a thread, CPU, memory): its pool may be too
small, its process stuck, and the callee innocent. Where X shows none, the way to the callee stays suspect.
"""

from __future__ import annotations

import re

from correlator.factors.term import Candidate, Term
from correlator.scene import Scene
from correlator.service_evidence import FLOOR, OWN
from detectors.anomaly import Family, Signal

NAME = "one_sided"
SHARE = 0.6
EXHAUSTIBLE = frozenset({Family.CPU, Family.MEMORY})
QUEUES = re.compile(r"pending|wait|acquire|queue|blocked|throttl|reject", re.IGNORECASE)
"""Words of a saturation that nothing but a shortage brings about. How many are in flight or in use says none:
by Little's law there are more of them whenever the callee takes longer."""


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
        (
            e.anomaly.peak_score * OWN[e.anomaly.signal.family].up - FLOOR
            for e in witness.episodes.values()
            if e.anomaly.service == caller and e.anomaly.direction == "up" and _is_shortage(e.anomaly.signal)
        ),
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


def _is_shortage(signal: Signal) -> bool:
    """Whether a rise of it can only mean that there was not enough of something."""
    if signal.family is Family.SATURATION:
        return QUEUES.search(signal.metric) is not None
    return signal.family in EXHAUSTIBLE

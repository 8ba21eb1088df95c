"""One-sided: only one caller sees the trouble, the candidate itself shows none, and that caller does.

A callee whose whole evidence is what a single caller X sees of it is discounted by .6·V·c/(c + 2), where c is
what X shows of a shortage of its own (queues for a connection or a thread, CPU, memory): its pool may be too
small, its process stuck, and the callee innocent. Where X waits for a callee that is not slow, a change of X
that is nearer than any of the callee's adds twice what it is nearer. Where there is neither, the way to the
callee stays suspect. X's own trouble is explained by the callee's that much less (`dependencies`).
"""

from __future__ import annotations

import re
from typing import NamedTuple

from correlator.evidence import ChangeKind
from correlator.factors.change import weight_of
from correlator.factors.term import Candidate, Term
from correlator.scene import Scene, once
from correlator.service_evidence import FLOOR, OWN
from detectors.anomaly import Family, Signal

NAME = "one_sided"
SHARE = 0.6
CHANGED = 2.0
ORDINARY = 0.5
"""How much nearer a change must be: what acts late is near everybody."""
WAITS = 2.0 * FLOOR
"""Waiting between the two; a callee that is dead refuses at once, and nobody waits for a connection."""
EXHAUSTIBLE = frozenset({Family.CPU, Family.MEMORY})
QUEUES = re.compile(r"pending|wait|acquire|queue|blocked|throttl|reject", re.IGNORECASE)
"""Words of a saturation that nothing but a shortage brings about. How many are in flight or in use says none:
by Little's law there are more of them whenever the callee takes longer."""


class Doubt(NamedTuple):
    """How much of what is said of a service may be its only witness's own."""

    share: float
    """Of its severity, 0 to `SHARE`."""
    witness: str
    strained: float
    """c: what the witness shows of a shortage, or of a change, of its own."""


NONE = Doubt(0.0, "", 0.0)


@once
def doubt(service: str, scene: Scene) -> Doubt:
    """What speaks for the only witness of a service's trouble being the one in trouble."""
    mine = scene.evidence.get(service)
    if mine is None or len(mine.callers) != 1 or mine.own_word() > FLOOR:
        return NONE
    (caller,) = mine.callers
    witness = scene.evidence.get(caller)
    if witness is None or service not in scene.heard:
        return NONE
    strained = max(
        (
            e.anomaly.peak_score * OWN[e.anomaly.signal.family].up - FLOOR
            for e in witness.episodes.values()
            if e.anomaly.service == caller and e.anomaly.direction == "up" and _is_shortage(e.anomaly.signal)
        ),
        default=0.0,
    )
    strained = max(0.0, strained)
    if mine.value("gap") > WAITS:
        strained += CHANGED * max(0.0, changed(caller, scene) - changed(service, scene) - ORDINARY)
    if strained <= 0.0:
        return NONE
    return Doubt(SHARE * strained / (strained + 2.0), caller, strained)


def changed(service: str, scene: Scene) -> float:
    """How near the nearest change of a service is, by `change.weight_of`; jobs left out."""
    return max(
        (weight_of(c, scene)[1] for c in scene.changes.get(service, ()) if c.kind is not ChangeKind.JOB),
        default=0.0,
    )


def measure(candidate: Candidate, scene: Scene) -> Term | None:
    """Minus what the only witness's own trouble explains."""
    doubted = doubt(candidate.service, scene)
    if doubted.share <= 0.0:
        return None
    return Term(
        doubted.strained,
        -doubted.share * scene.severity(candidate.service),
        lambda: (
            f"only {doubted.witness} sees it, {candidate.service} itself shows nothing, and "
            f"{doubted.witness} is short of resources of its own, or was just changed"
        ),
    )


def _is_shortage(signal: Signal) -> bool:
    """Whether a rise of it can only mean that there was not enough of something."""
    if signal.family is Family.SATURATION:
        return QUEUES.search(signal.metric) is not None
    return signal.family in EXHAUSTIBLE

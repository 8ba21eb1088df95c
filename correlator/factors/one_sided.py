"""One-sided: hardly anybody but one caller sees the trouble, and that caller is short of something itself.

Of a callee's severity V the part s is gone without the words of its loudest caller X. Where the callee does
not say clearly itself that it is ill, .6·s·V·c/(c + 2) is taken off: c is what X shows of a shortage of its
own (queues for a connection or a thread, CPU, memory) that did not begin after the trouble. Its pool may be
too small, its process stuck, and the callee innocent. Where X waits for a callee that is not slow, a change
of X that is nearer than any of the callee's adds twice what it is nearer. Where there is neither, the way
to the callee stays suspect. X's own trouble is explained by the callee's that much less (`dependencies`).
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
ILL = frozenset({"err", "lat", "sat", "stale", "log", "flow"})
"""What a callee says of itself; that it works or holds a little more follows from more calls."""
CLEAR = 2.0 * FLOOR
"""From here on the callee says itself that it is ill. Tried 1, 1.5, 2 times the floor: two differ."""
AFTER_MS = 60_000
"""A shortage that began so much later is what the trouble brought on."""
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
    """What speaks for the loudest witness of a service's trouble being the one in trouble."""
    mine = scene.evidence.get(service)
    began = mine.onset_ms if mine is not None else None
    if mine is None or began is None or not mine.callers or service not in scene.heard:
        return NONE
    whole = mine.severity
    left, caller = min((sum(v for _, v in mine.counted_without(c)), c) for c in mine.callers)
    said = 1.0 - left / whole
    witness = scene.evidence.get(caller)
    if witness is None or mine.own_word(ILL) > CLEAR:
        return NONE
    strained = max(
        (
            e.anomaly.peak_score * OWN[e.anomaly.signal.family].up - FLOOR
            for e in witness.episodes.values()
            if e.anomaly.service == caller
            and e.anomaly.direction == "up"
            and e.anomaly.onset_ms <= began + AFTER_MS
            and _is_shortage(e.anomaly.signal)
        ),
        default=0.0,
    )
    strained = max(0.0, strained)
    if mine.value("gap") > WAITS:
        strained += CHANGED * max(0.0, changed(caller, scene) - changed(service, scene) - ORDINARY)
    if strained <= 0.0:
        return NONE
    return Doubt(said * SHARE * strained / (strained + 2.0), caller, strained)


def changed(service: str, scene: Scene) -> float:
    """How near the nearest change of a service is, by `change.weight_of`; jobs left out."""
    return max(
        (weight_of(c, scene)[1] for c in scene.changes.get(service, ()) if c.kind is not ChangeKind.JOB),
        default=0.0,
    )


def measure(candidate: Candidate, scene: Scene) -> Term | None:
    """Minus what the loudest witness's own trouble explains."""
    doubted = doubt(candidate.service, scene)
    if doubted.share <= 0.0:
        return None
    return Term(
        doubted.strained,
        -doubted.share * scene.severity(candidate.service),
        lambda: (
            f"it is mostly {doubted.witness} that sees it, and {doubted.witness} is short of resources of "
            "its own, or was just changed"
        ),
    )


def _is_shortage(signal: Signal) -> bool:
    """Whether a rise of it can only mean that there was not enough of something."""
    if signal.family is Family.SATURATION:
        return QUEUES.search(signal.metric) is not None
    return signal.family in EXHAUSTIBLE

"""Change proximity, against the service's own base rate of changes.

A change of age a on a service that is changed λ times an hour is as near by chance with p = 1 − e^(−λ·a); its
surprise −log10 p, capped at 1, scales 1.5·e^(−a/15 min) for what acts at once, plus .3·2^(−a/3.5 d) for what
acts late (a setting of last week and today's load). Nothing is counted for a service that shows nothing
itself: recency is no evidence. Base rates as in ChangeRCA's critique of "latest change" (.38).
"""

from __future__ import annotations

import math

from correlator.evidence import Change, ChangeKind
from correlator.factors.term import Candidate, Term
from correlator.scene import Scene

NAME = "change_proximity"
AT_ONCE, AT_ONCE_MS = 1.5, 15 * 60_000
LATE, LATE_HALF_LIFE_MS = 0.3, 3.5 * 86_400_000
PRIOR_CHANGES, PRIOR_HOURS = 1.0, 48.0
"""Of a service never seen to change we assume one change in two days, and learn."""


def slack_ms(scene: Scene) -> int:
    """How far a change may seem to follow the onset and still precede it: one sampling interval."""
    return scene.interval_ms


def weight_of(change: Change, scene: Scene) -> tuple[float, float]:
    """(age in ms, contribution) of a change, before asking whether its service is ill."""
    age_ms = scene.onset_ms - change.ts_ms
    if age_ms < -slack_ms(scene):
        return float(age_ms), 0.0
    age_ms = max(age_ms, 0)
    mine = scene.changes.get(change.service, [])
    span_h = (scene.onset_ms - mine[0].ts_ms) / 3_600_000 if len(mine) > 1 else 0.0
    rate = (max(len(mine) - 1, 0) + PRIOR_CHANGES) / (max(span_h, 0.0) + PRIOR_HOURS)
    chance = 1.0 - math.exp(-rate * max(age_ms, 60_000) / 3_600_000)
    surprise = min(1.0, -math.log10(max(chance, 1e-9)))
    at_once = AT_ONCE * math.exp(-age_ms / AT_ONCE_MS) * surprise
    late = LATE * 0.5 ** (age_ms / LATE_HALF_LIFE_MS) if change.kind is not ChangeKind.JOB else 0.0
    return float(age_ms), at_once + late


def measure(candidate: Candidate, scene: Scene) -> Term | None:
    """What the candidate's change adds, if the candidate itself is ill."""
    change = candidate.change
    if change is None or scene.severity(candidate.service) <= 0.3:
        return None
    age_ms, contribution = weight_of(change, scene)
    if contribution <= 0:
        return None
    return Term(
        age_ms / 60_000,
        contribution,
        lambda: f"{change.kind.value} of {change.service} {_when(age_ms)}: {change.summary or change.id}",
        (change.id,),
    )


def _when(age_ms: float) -> str:
    minutes = age_ms / 60_000
    if minutes < 0.5:
        return "as it began"
    if minutes < 120:
        return f"{minutes:.0f} min before"
    return f"{minutes / 60:.0f} h before" if minutes < 2880 else f"{minutes / 1440:.0f} days before"

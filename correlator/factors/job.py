"""Recurrence: a scheduled job that was running when it began, judged against its own earlier runs.

A run with n ≥ 1 earlier ones that is longer than g times their median adds 1.5·min(1, log2(g)/1 + .3), for
jobs grow until they tip something over. A run no longer than usual that did no harm before adds .2 only: what
happened every night without an incident is not news. Without earlier runs it counts like any change.
"""

from __future__ import annotations

import math

from correlator.evidence import Change, ChangeKind
from correlator.factors.term import Candidate, Term
from correlator.scene import Scene

NAME = "job_recurrence"
WEIGHT = 1.5
USUAL = 0.2
TREND_RUNS = 6
"""Runs from which a trend in their length is believed."""
GRACE_MS = 300_000
"""A job that ended this long before the onset may still have left its queue behind."""


LONGEST_MS = 24 * 3_600_000
"""A job that began longer ago and never reported its end is taken as over."""
OVERDUE = 4
"""Times its longest earlier run after which a run that reported no end is taken as over: its end was lost.
Jobs grow by per cents from run to run; hours later an unreported end is likelier than such a growth."""


_PHASES = frozenset({"started", "finished", "ended", "completed", "running", "began", "done"})


def key(change: Change) -> tuple[str, str]:
    """What makes two runs the same job: its service and its name, or its summary without digits."""
    name = change.attributes.get("job") or change.attributes.get("name")
    words = (w for w in change.summary.lower().split() if w not in _PHASES and not any(map(str.isdigit, w)))
    return change.service, name or " ".join(words)


def running(change: Change, scene: Scene) -> bool:
    """Whether a job ran when the incident began."""
    if change.kind is not ChangeKind.JOB or change.ts_ms > scene.onset_ms + scene.interval_ms:
        return False
    if change.end_ms is not None:
        return change.end_ms + GRACE_MS >= scene.onset_ms
    age_ms = scene.onset_ms - change.ts_ms
    if age_ms > LONGEST_MS // 4:
        return False
    lengths = _lengths(_earlier(change, scene))
    return not lengths or age_ms <= OVERDUE * max(lengths) + GRACE_MS


def _earlier(change: Change, scene: Scene) -> list[Change]:
    """Earlier runs of the same job."""
    return [
        c
        for c in scene.changes.get(change.service, [])
        if c.kind is ChangeKind.JOB and c.ts_ms < change.ts_ms and key(c) == key(change)
    ]


def _lengths(runs: list[Change]) -> list[int]:
    """How long those that reported their end took, in ms."""
    return [c.end_ms - c.ts_ms for c in runs if c.end_ms is not None and c.end_ms > c.ts_ms]


def growth(change: Change, scene: Scene) -> tuple[int, float | None]:
    """(earlier runs, how much the job has grown); None where lengths are unknown.

    The larger of this run's length so far over the earlier ones' median, and, for it has only begun when it
    does harm, the last finished run's over the median of the first third.
    """
    earlier = _earlier(change, scene)
    lengths = _lengths(earlier)
    if not lengths:
        return len(earlier), None
    mine = min(change.end_ms or scene.now_ms, scene.now_ms) - change.ts_ms
    grown = mine / sorted(lengths)[len(lengths) // 2]
    if len(lengths) >= TREND_RUNS:
        first = sorted(lengths[: len(lengths) // 3])
        grown = max(grown, lengths[-1] / first[len(first) // 2])
    return len(earlier), grown


def measure(candidate: Candidate, scene: Scene) -> Term | None:
    """What a running job adds to the service that it loads."""
    change = candidate.change
    if change is None or not running(change, scene) or scene.severity(candidate.service) <= 0.3:
        return None
    runs, ratio = growth(change, scene)
    grown = max(0.0, math.log2(ratio)) if ratio else 0.0
    contribution = WEIGHT * min(1.0, grown + 0.3) if runs == 0 or grown > 0.1 else USUAL
    minutes = (min(change.end_ms or scene.now_ms, scene.now_ms) - change.ts_ms) / 60_000

    def why() -> str:
        text = f"job of {change.service} ({change.summary or change.id}) was running, for {minutes:.0f} min"
        if ratio is None:
            return text + (f"; {runs} earlier runs of unknown length" if runs else "; never seen before")
        return text + f", grown to {ratio:.1f} times its usual length over {runs} earlier runs"

    return Term(ratio or 0.0, contribution, why, (change.id,))

"""What one would suspect, and why it is not the cause."""

from __future__ import annotations

from correlator.chain import onset_of
from correlator.evidence import Change, ChangeKind
from correlator.factors import instances, job
from correlator.factors.change import slack_ms, weight_of
from correlator.factors.dependencies import explained
from correlator.incident import Exoneration
from correlator.narrative import what_is_wrong
from correlator.ranking import Scored
from correlator.scene import Scene
from correlator.spelling import clock

SUSPICIOUS_MS = 2 * 3_600_000
"""Changes of the last two hours are what a person asks about first."""
MOST = 8
WAITS = 0.6
"""Part of a service's trouble that ill callees must account for, to call it waiting."""
ALIKE = 0.25
"""Relative difference between versions under which they behave alike."""


def exonerate(ranked: list[Scored], scene: Scene) -> tuple[Exoneration, ...]:
    """Reasons for everything near that is not blamed: recent changes first, then the loudest symptom."""
    if not ranked:
        return ()
    blamed = ranked[0].candidate
    found: list[tuple[int, Exoneration]] = []
    for changes in scene.changes.values():
        for change in reversed(changes):
            if change.ts_ms < scene.onset_ms - job.LONGEST_MS:
                break
            near = scene.onset_ms - SUSPICIOUS_MS <= change.ts_ms <= scene.now_ms
            running = change.kind is ChangeKind.JOB and job.running(change, scene)
            if not (near or running) or (blamed.change and change.id == blamed.change.id):
                continue
            reason = _reason(change, blamed.service, scene)
            if reason:
                found.append(
                    (
                        abs(scene.onset_ms - change.ts_ms),
                        Exoneration(service=change.service, change_id=change.id, reason=reason),
                    )
                )
    found.sort(key=lambda f: (f[0], f[1].change_id or ""))
    out = [exoneration for _, exoneration in found[:MOST]]
    loudest = max(scene.ill, key=lambda s: (_loudness(s, scene), s), default=None)
    if loudest and loudest != blamed.service and blamed.service in _reachable(loudest, scene):
        mine = scene.evidence[loudest]
        own = "its own resources show nothing" if mine.cause_excess <= 0 else "it shows less of its own"
        out.append(
            Exoneration(
                service=loudest,
                reason=f"loudest ({what_is_wrong(mine)}), but it waits for {blamed.service} and {own}",
            )
        )
    return tuple(out)


def _reason(change: Change, blamed: str, scene: Scene) -> str | None:
    what = f"{change.kind.value} of {change.service} at {clock(change.ts_ms)}"
    age_ms, weight = weight_of(change, scene)
    mine = scene.evidence.get(change.service)
    if age_ms < -slack_ms(scene):
        return f"{what}: came {-age_ms / 60_000:.0f} min after it began"
    new, old, _ = instances.split(change, scene)
    if max(new, old) > 0 and abs(new - old) <= ALIKE * max(new, old):
        return f"{what}: instances of the new and the old version behave alike"
    if change.kind is ChangeKind.JOB:
        runs, ratio = job.growth(change, scene)
        if runs and (ratio is None or ratio <= 1.1):
            return f"{what}: ran {runs} times before without harm, no longer than usual"
    if mine is None or mine.excess <= 0:
        return f"{what}: {change.service}'s own signals did not change after it"
    if change.service != blamed:
        began = mine.onset_ms
        if began is not None and began < change.ts_ms - slack_ms(scene):
            return f"{what}: {change.service} deviated before it"
        if blamed in _reachable(change.service, scene) and mine.cause_excess <= 0:
            return f"{what}: {change.service} waits for {blamed}; its own time and resources did not change"
        accounted, by = explained(change.service, scene)
        if accounted >= WAITS * mine.severity:
            share = min(accounted / mine.severity, 1.0)
            return f"{what}: {share:.0%} of what {change.service} shows is what {by}, which it calls, causes"
        later_s = (onset_of(scene, change.service) - onset_of(scene, blamed)) / 1000
        if later_s > scene.interval_ms / 1000:
            return f"{what}: {change.service} began to deviate {later_s:.0f} s after {blamed}"
        return None
    if weight < 0.1:
        return f"{what}: too long ago, and {change.service} is changed often"
    return None


def _loudness(service: str, scene: Scene) -> float:
    return max((g.value for g in scene.evidence[service].groups.values()), default=0.0)


def _reachable(service: str, scene: Scene, hops: int = 4) -> set[str]:
    """What the service (transitively) depends on."""
    reached, frontier = {service}, [service]
    for _ in range(hops):
        frontier = [
            n.service for current in frontier for n in scene.callees(current) if n.service not in reached
        ]
        reached |= set(frontier)
    return reached - {service}

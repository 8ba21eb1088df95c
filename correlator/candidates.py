"""Where it may have begun: the ill, their silent dependencies, what was changed, what ran."""

from __future__ import annotations

from correlator.evidence import Change, ChangeKind
from correlator.factors import job
from correlator.factors.change import weight_of
from correlator.factors.silent import implied
from correlator.factors.term import Candidate
from correlator.scene import Scene

MOST = 60
"""Candidates scored in full; the rest are weaker than all of these by own evidence."""
WORTH = 0.1
"""Contribution from which a change is named at all."""


def candidates(scene: Scene) -> list[Candidate]:
    """All plausible roots, strongest own evidence first, at most `MOST` with evidence of their own."""
    jobs = jobs_by_target(scene)
    found = [Candidate(s, likeliest_change(s, scene, jobs)) for s in scene.ill[:MOST]]
    present = set(scene.ill)
    silent = {
        neighbour.service
        for service in scene.ill[:MOST]
        for neighbour in scene.callees(service)
        if neighbour.service not in present and neighbour.service not in scene.heard
    }
    for service in sorted(silent):
        if implied(service, scene)[0] > 0:
            found.append(Candidate(service, likeliest_change(service, scene, jobs), silent=True))
    return found


def jobs_by_target(scene: Scene) -> dict[str, list[Change]]:
    """Jobs that ran at the onset, under each service that they load: their own and what it calls."""
    found: dict[str, list[Change]] = {}
    for service, changes in scene.changes.items():
        for change in changes:
            if change.kind is not ChangeKind.JOB or not job.running(change, scene):
                continue
            targets = {service} | {n.service for n in scene.callees(service)}
            targets |= {v for v in change.attributes.values() if v in scene.topology}
            for target in targets:
                found.setdefault(target, []).append(change)
    return found


def likeliest_change(service: str, scene: Scene, jobs: dict[str, list[Change]]) -> Change | None:
    """The change that is most likely to have made this service ill, or None where none is near."""
    found: dict[str, tuple[float, int, Change]] = {}
    for change in scene.changes.get(service, []):
        weight = weight_of(change, scene)[1]
        if weight > WORTH:
            found[change.id] = (weight, change.ts_ms, change)
    for change in jobs.get(service, []):
        runs, ratio = job.growth(change, scene)
        weight = 1.2 if ratio is not None and ratio > 1.1 else 0.5 if runs == 0 else 0.15
        held = found.get(change.id)
        found[change.id] = (max(weight, held[0] if held else 0.0), change.ts_ms, change)
    if not found:
        return None
    return max(found.values(), key=lambda f: (f[0], f[1], f[2].id))[2]

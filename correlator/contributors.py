"""The trigger that made it surface now, and what else contributes beside the root."""

from __future__ import annotations

from correlator.factors.change import weight_of
from correlator.incident import CauseKind, Contributor, Role
from correlator.narrative import summary
from correlator.ranking import Scored
from correlator.scene import Scene

FRESH_MS = 3_600_000
"""A change older than this needs something else to have made it surface now."""
SHARE = 0.5
"""Part of the first score from which an unrelated second is a cause of its own."""


def contributors(scored: Scored, ranked: list[Scored], scene: Scene) -> tuple[Contributor, ...]:
    """Trigger and contributing causes of one hypothesis; most incidents have none."""
    found: list[Contributor] = []
    root = scored.candidate.service
    risen = rising_demand(scene)
    if risen is not None:
        service, ratio = risen
        found.append(
            Contributor(
                service=service,
                role=Role.TRIGGER,
                kind=CauseKind.TRAFFIC,
                why=f"load of {service} rose to {ratio:.1f} times the usual",
            )
        )
    change = scored.candidate.change
    if change is not None and not any(n in ("change_proximity", "job_recurrence") for n, _ in scored.terms):
        age_ms, weight = weight_of(change, scene)
        if weight > 0 and age_ms > FRESH_MS:
            found.append(
                Contributor(
                    service=root,
                    role=Role.CONTRIBUTING,
                    kind=CauseKind.CHANGE,
                    change_id=change.id,
                    why=f"{change.kind.value} {age_ms / 3_600_000:.0f} h earlier",
                )
            )
    for other in ranked[1:3] if ranked and ranked[0] is scored else []:
        service = other.candidate.service
        mine = scene.evidence.get(service)
        if (
            mine is not None
            and other.score >= SHARE * scored.score
            and mine.cause_excess >= SHARE * mine.excess > 0
            and service not in scene.downstream_of(root)
            and root not in scene.downstream_of(service)
        ):
            found.append(
                Contributor(
                    service=service,
                    role=Role.CONTRIBUTING,
                    kind=CauseKind.SERVICE,
                    why=summary(other, scene),
                )
            )
    return tuple(found)


def rising_demand(scene: Scene) -> tuple[str, float] | None:
    """The furthest upstream service whose load rose, with observed over expected; None where none did."""
    best: tuple[float, str, float] | None = None
    for service in sorted(scene.evidence):
        load = scene.evidence[service].groups.get("load")
        if load is None or load.episode.anomaly.direction != "up":
            continue
        _, observed, expected = load.episode.worst or (0.0, 0.0, 0.0)
        if expected <= 0 or observed < 1.2 * expected or load.episode.anomaly.peak_score < 3.0:
            continue
        risen = {s for s, e in scene.evidence.items() if "load" in e.groups}
        if any(n.service in risen for n in scene.callers(service)):
            continue
        entry = (load.value, service, observed / expected)
        best = entry if best is None or entry > best else best
    return None if best is None else (best[1], best[2])

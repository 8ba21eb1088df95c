"""From a ranked scene to the incident as published."""

from __future__ import annotations

from correlator.abstention import abstain
from correlator.chain import chain, discovered, onset_of
from correlator.confidence import LEAST, Calibration, features, spread
from correlator.contradictions import contradictions
from correlator.contributors import contributors
from correlator.exoneration import exonerate
from correlator.gaps import not_checked
from correlator.grouping import OpenIncident
from correlator.incident import Factor, Hop, Hypothesis, Impact, Incident
from correlator.narrative import evidence_line, kind_of, summary, title, what_is_wrong
from correlator.ranking import Scored
from correlator.scene import Scene

RIPE_MS = 60_000
"""How long an incident must last before a model may be asked: the first tick rarely shows the whole."""
SHOWN = 10
"""Hypotheses published; recall beyond ten helps nobody."""
CITED = 60
"""Anomalies listed in full; the others stay cited by id."""


def compose(
    state: OpenIncident,
    scene: Scene,
    ranked: list[Scored],
    calibration: Calibration,
    domain: str,
) -> Incident:
    """Fill one revision; `revision`, `status` and `what_changed` are the caller's to set.

    What its confidence rests on is left in `state.looks`, for a verdict to learn from.
    """
    state.looks = features(ranked, scene, state) if ranked else {}
    first = calibration.probability(state.looks) if ranked else LEAST
    confidences = spread(ranked, first)
    hypotheses = tuple(
        _hypothesis(scored, confidence, scene, ranked)
        for scored, confidence in zip(ranked[:SHOWN], confidences, strict=False)
    )
    services = tuple(s for s in scene.ill if s in state.services) or tuple(sorted(state.services))
    ids = {i for h in hypotheses[:3] for f in h.factors for i in f.evidence}
    ids |= {i for h in hypotheses[:3] for hop in h.chain for i in hop.evidence} | state.evidence
    cited = {
        episode.anomaly.id: episode
        for mine in scene.evidence.values()
        for episode in mine.episodes.values()
        if episode.anomaly.id in ids
    }
    hops = hypotheses[0].chain if hypotheses else ()
    abstention = abstain(ranked, scene, first)
    root = hypotheses[0].service if hypotheses else None
    impact = tuple(
        Impact(
            service=service,
            user_facing=not scene.callers(service) and bool(scene.callees(service)),
            summary=what_is_wrong(scene.evidence.get(service)),
            onset_ms=onset_of(scene, service),
        )
        for service in services
        if service != root and scene.evidence.get(service) and scene.evidence[service].suffering() > 0
    )
    return Incident(
        id=state.id,
        domain=domain,
        revision=max(1, state.revision),
        published_ms=scene.now_ms,
        opened_ms=state.opened_ms,
        onset_ms=scene.onset_ms,
        severity=_severity(services, impact),
        title=title(list(services), scene),
        is_candidate=state.was_candidate or _passes_gate(state, scene, ranked, abstention is not None),
        services=services,
        hypotheses=hypotheses,
        abstention=abstention,
        calibrated=calibration.calibrated,
        impact=impact,
        exonerated=exonerate(ranked, scene),
        not_checked=not_checked(ranked, hops, scene),
        conflicts=tuple(c.text for c in contradictions(scene.topology, scene.onset_ms, _on(hops)))[:6],
        discovered=discovered(hops),
        evidence=tuple(
            evidence_line(e)
            for e in sorted(cited.values(), key=lambda e: (e.anomaly.onset_ms, e.anomaly.id))[:CITED]
        ),
        supersedes=state.supersedes,
    )


def _hypothesis(scored: Scored, confidence: float, scene: Scene, ranked: list[Scored]) -> Hypothesis:
    change = scored.candidate.change
    kind = kind_of(scored, scene)
    return Hypothesis(
        service=scored.candidate.service,
        kind=kind,
        change_id=change.id if change is not None and kind in ("change", "job") else None,
        confidence=round(confidence, 4),
        score=round(scored.score, 4),
        onset_ms=onset_of(scene, scored.candidate.service),
        summary=summary(scored, scene),
        others=contributors(scored, ranked, scene),
        chain=chain(scored.candidate.service, scene),
        factors=tuple(
            Factor(
                name=name,
                value=round(term.value, 4),
                contribution=round(term.contribution, 4),
                why=term.why(),
                evidence=term.evidence,
            )
            for name, term in scored.terms
        ),
    )


def _severity(services: tuple[str, ...], impact: tuple[Impact, ...]) -> str:
    if any(i.user_facing for i in impact):
        return "critical" if len(impact) >= 3 else "high"
    return "warning" if len(services) < 4 else "high"


def _passes_gate(state: OpenIncident, scene: Scene, ranked: list[Scored], abstained: bool) -> bool:
    """Only chains of more than one piece of evidence, a minute old, are worth a model's time."""
    waited_ms = scene.now_ms - state.opened_ms
    if abstained or not ranked or waited_ms < max(RIPE_MS, min(state.interval_ms, 2 * RIPE_MS)):
        return False
    pieces = sum(len(e.strong_groups) for e in scene.evidence.values())
    return pieces >= 2


def _on(hops: tuple[Hop, ...]) -> set[str]:
    return {h.source for h in hops} | {h.target for h in hops}

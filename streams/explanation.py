"""The deterministic explanation as a message: published first, and stands alone."""

from __future__ import annotations

from correlator.incident import Hypothesis, Incident
from streams.wire.messages import Citation, Explanation


def explain(incident: Incident) -> Explanation:
    """Say in words what the incident says in fields; the same incident gives the same words."""
    first = incident.hypotheses[0] if incident.hypotheses and incident.abstention is None else None
    if first is not None:
        summary = f"{first.service}: {first.summary}"
    else:
        summary = incident.abstention.reason if incident.abstention else incident.title
    return Explanation(
        incident_id=incident.id,
        revision=incident.revision,
        origin="deterministic",
        summary=summary,
        steps=tuple(_steps(first)) if first is not None else (),
        next_question=incident.abstention.next_question if incident.abstention else "",
    )


def _steps(first: Hypothesis) -> list[Citation]:
    steps = [
        Citation(
            text=f"{hop.source} → {hop.target}: deviates {hop.lag_s:+.0f} s after it.", evidence=hop.evidence
        )
        for hop in first.chain
    ]
    steps += [
        Citation(text=factor.why, evidence=factor.evidence)
        for factor in first.factors
        if factor.contribution > 0
    ]
    return steps

"""From an incident and its explanation to the alert that a person or a tool receives."""

from __future__ import annotations

from correlator.incident import Hypothesis, Incident
from correlator.reasoning import speaks_against, why_lower
from streams.wire.messages import (
    Confidence,
    EnrichedAlert,
    Explanation,
    RootCause,
    RunnerUp,
    Term,
)

LIKELY_CAUSE = "likely_cause"
RUNNERS_UP = 3
"""More alternatives than a person on call will read."""


def compose(incident: Incident, explanation: Explanation, revision: int) -> EnrichedAlert:
    """Return the alert of one revision. What is not in the incident is not in the alert."""
    abstention = incident.abstention
    first = incident.hypotheses[0] if incident.hypotheses else None
    named = first if abstention is None else None
    return EnrichedAlert(
        incident_id=incident.id,
        revision=revision,
        domain=incident.domain,
        status="firing" if incident.status == "open" else "resolved",
        verdict=abstention.type.value if abstention else LIKELY_CAUSE,
        severity=incident.severity,
        title=incident.title,
        started_ms=incident.onset_ms,
        detected_ms=incident.opened_ms,
        resolved_ms=incident.closed_ms,
        root_cause=_root_cause(named),
        confidence=Confidence(
            probability=first.confidence if first else 0.0,
            calibrated=incident.calibrated,
            terms=tuple(
                Term(name=factor.name, contribution=factor.contribution, why=factor.why)
                for factor in (first.factors if first else ())
            ),
        ),
        chain=named.chain if named else (),
        impact=incident.impact,
        runners_up=tuple(
            RunnerUp(entity=other.service, probability=other.confidence, why_lower=why_lower(first, other))
            for other in incident.hypotheses[1 : 1 + RUNNERS_UP]
            if first is not None
        ),
        speaks_against=speaks_against(first) if first else (),
        exonerated=tuple(f"{each.service}: {each.reason}" for each in incident.exonerated),
        conflicts=incident.conflicts,
        not_checked=incident.not_checked,
        next_question=abstention.next_question if abstention else explanation.next_question,
        explanation=explanation,
        incident=incident,
    )


def _root_cause(named: Hypothesis | None) -> RootCause | None:
    if named is None:
        return None
    return RootCause(
        entity=named.service,
        kind=named.kind.value,
        change_id=named.change_id,
        onset_ms=named.onset_ms,
        summary=named.summary,
    )

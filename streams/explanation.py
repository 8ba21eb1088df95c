"""Explanations as messages. The deterministic one is published first, and stands alone."""

from __future__ import annotations

from typing import Literal

from correlator.incident import Incident
from correlator.reasoning import Answer
from correlator.reasoning import explain as explain_deterministically
from streams.wire.messages import Citation, Explanation, ModelUse


def explain(incident: Incident) -> Explanation:
    """Say in words what the incident says in fields; the same incident gives the same words."""
    return message_of(incident, explain_deterministically(incident), "deterministic")


def message_of(
    incident: Incident, answer: Answer, origin: Literal["deterministic", "model"], use: ModelUse | None = None
) -> Explanation:
    """Wrap an answer about one revision of an incident."""
    return Explanation(
        incident_id=incident.id,
        revision=incident.revision,
        origin=origin,
        summary=answer.summary.text,
        steps=tuple(Citation(text=step.text, evidence=step.evidence) for step in answer.steps),
        next_question=answer.next_question,
        use=use,
    )

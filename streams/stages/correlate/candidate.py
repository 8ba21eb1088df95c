"""What may be shown to a model about an incident, named by its content."""

from __future__ import annotations

import hashlib

from correlator.incident import Incident
from streams.wire.codec import canonical
from streams.wire.messages import Candidate

BOOKKEEPING = {"revision", "published_ms", "settled", "what_changed"}
"""Fields that change with every revision and say nothing about the incident itself."""


def candidate_of(incident: Incident) -> Candidate:
    """Wrap a revision; equal content has an equal digest, so that one answer serves all revisions of it."""
    content = incident.model_dump(mode="json", by_alias=True, exclude=BOOKKEEPING)
    return Candidate(
        incident_id=incident.id,
        revision=incident.revision,
        domain=incident.domain,
        digest=hashlib.sha256(canonical(content)).hexdigest()[:32],
        incident=incident,
    )

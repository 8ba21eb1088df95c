"""What may be shown to a model about an incident, named by its content."""

from __future__ import annotations

from correlator.incident import Incident
from correlator.reasoning import pack
from streams.wire.messages import Candidate


def candidate_of(incident: Incident) -> Candidate:
    """Wrap a revision; its digest is that of what a model would see."""
    return Candidate(
        incident_id=incident.id,
        revision=incident.revision,
        domain=incident.domain,
        digest=pack(incident).digest,
        incident=incident,
    )

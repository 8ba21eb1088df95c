"""What was published about an incident, in the shape that `--incidents` writes and the scorer reads."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import orjson

from correlator.incident import Incident, Role


@dataclass(frozen=True, slots=True)
class Cause:
    """One place in a ranking."""

    service: str
    role: str
    change_id: str | None
    kind: str
    confidence: float


@dataclass(frozen=True, slots=True)
class Revision:
    """A ranking as it stood from `published_ms` on."""

    published_ms: int
    confidence: float
    """Of the first-ranked root; 0 when nothing is ranked."""
    abstained: str | None
    """The abstention's type, when no cause is named."""
    ranked: tuple[Cause, ...]
    """Roots best first, then the triggers and contributing causes of the best."""

    @property
    def services(self) -> tuple[str, ...]:
        """Distinct services blamed as root, best first."""
        return tuple(dict.fromkeys(cause.service for cause in self.ranked if cause.role == Role.ROOT))

    @property
    def change_id(self) -> str | None:
        """The change that the best hypothesis blames."""
        return self.ranked[0].change_id if self.ranked else None


@dataclass(frozen=True, slots=True)
class Published:
    """One incident with all its revisions, in order of publication."""

    recording: str
    incident_id: str
    opened_ms: int
    onset_ms: int
    closed_ms: int | None
    severity: str
    is_candidate: bool
    """Whether any revision was one that a model may be asked about."""
    chain: tuple[dict[str, Any], ...]
    revisions: tuple[Revision, ...]

    def standing(self, at_ms: int) -> Revision:
        """The newest revision at or before a time; the first one before that."""
        return next((r for r in reversed(self.revisions) if r.published_ms <= at_ms), self.revisions[0])

    def line(self) -> bytes:
        """One line of JSON, the same bytes for the same incident."""
        return orjson.dumps(asdict(self)) + b"\n"


class Ledger:
    """Folds revisions as they are published; of all but the newest only the ranking is kept."""

    def __init__(self, recording: str, since_ms: int) -> None:
        self._recording = recording
        self._since_ms = since_ms
        self._rankings: dict[str, list[Revision]] = {}
        self._newest: dict[str, Incident] = {}
        self._candidates: set[str] = set()

    def take(self, incident: Incident) -> None:
        """Add a revision; those of incidents that opened at or before `since_ms` are history."""
        if incident.opened_ms <= self._since_ms:
            return
        self._rankings.setdefault(incident.id, []).append(ranking_of(incident))
        self._newest[incident.id] = incident
        if incident.is_candidate:
            self._candidates.add(incident.id)

    def incidents(self) -> tuple[Published, ...]:
        """All that was published, in (opening, id) order."""
        ordered = sorted(self._newest.values(), key=lambda incident: (incident.opened_ms, incident.id))
        return tuple(self._published(incident) for incident in ordered)

    def settled(self) -> dict[str, Incident]:
        """The newest revision of every incident that has settled, by id, in the same order."""
        ordered = sorted(self._newest.values(), key=lambda incident: (incident.opened_ms, incident.id))
        return {incident.id: incident for incident in ordered if incident.settled}

    def _published(self, last: Incident) -> Published:
        chain = last.hypotheses[0].chain if last.hypotheses else ()
        return Published(
            recording=self._recording,
            incident_id=last.id,
            opened_ms=last.opened_ms,
            onset_ms=last.onset_ms,
            closed_ms=last.closed_ms,
            severity=last.severity,
            is_candidate=last.id in self._candidates,
            chain=tuple({"from": hop.source, "to": hop.target, "onset_ms": hop.onset_ms} for hop in chain),
            revisions=tuple(self._rankings[last.id]),
        )


def ranking_of(incident: Incident) -> Revision:
    """The ranking that one revision states."""
    best = incident.hypotheses[:1]
    roots = [
        Cause(h.service, str(Role.ROOT), h.change_id, str(h.kind), h.confidence) for h in incident.hypotheses
    ]
    others = [
        Cause(other.service, str(other.role), other.change_id, str(other.kind), h.confidence)
        for h in best
        for other in h.others
    ]
    return Revision(
        published_ms=incident.published_ms,
        confidence=best[0].confidence if best else 0.0,
        abstained=str(incident.abstention.type) if incident.abstention else None,
        ranked=(*roots, *others),
    )

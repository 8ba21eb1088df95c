"""Incidents and alerts as CloudEvents 1.0 in structured mode, for readers that are not headwater.

Written by hand because the bytes must be canonical; a test reads them back with the `cloudevents` library.
Spec: CloudEvents 1.0.2, "Kafka Protocol Binding" section 3.3 (structured content mode).
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson
from pydantic import BaseModel

from correlator.incident import Incident
from streams.errors import DecodeError
from streams.wire.codec import Model, canonical, revive
from streams.wire.messages import EnrichedAlert, IncidentRecord

CONTENT_TYPE = b"application/cloudevents+json; charset=UTF-8"
HEADERS: list[tuple[str, bytes]] = [("content-type", CONTENT_TYPE)]
"""Headers of every record that this module writes."""

ALERT_TYPE = "io.headwater.alert.v1"


def incident_type(incident: Incident) -> str:
    """Name the CloudEvents type of a revision: opened, updated or resolved."""
    if incident.status == "closed":
        return "io.headwater.incident.resolved.v1"
    return f"io.headwater.incident.{'opened' if incident.revision == 1 else 'updated'}.v1"


def encode_incident(incident: Incident) -> bytes:
    """Wrap one revision; equal revisions are equal bytes, in every replay."""
    data = IncidentRecord(incident=incident)
    return _event(incident_type(incident), incident, incident.revision, data, "incident-record")


def encode_alert(alert: EnrichedAlert) -> bytes:
    """Wrap one enriched alert; its time is the revision's, not the clock's."""
    return _event(ALERT_TYPE, alert.incident, alert.revision, alert, "enriched-alert")


def decode_incident(value: bytes) -> IncidentRecord:
    """Read what `encode_incident` wrote; `DecodeError` otherwise."""
    return _data(value, "io.headwater.incident.", IncidentRecord)


def decode_alert(value: bytes) -> EnrichedAlert:
    """Read what `encode_alert` wrote; `DecodeError` otherwise."""
    return _data(value, "io.headwater.alert.", EnrichedAlert)


def rfc3339(ts_ms: int) -> str:
    """Spell Unix milliseconds as CloudEvents wants time.

    Examples
    --------
    >>> rfc3339(1_790_000_000_123)
    '2026-09-21T14:13:20.123Z'
    """
    moment = datetime.fromtimestamp(ts_ms // 1000, UTC).replace(microsecond=ts_ms % 1000 * 1000)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _event(kind: str, incident: Incident, revision: int, data: BaseModel, schema: str) -> bytes:
    envelope: dict[str, Any] = {
        "specversion": "1.0",
        "type": kind,
        # id must be unique per source: a revision is one event however often it is replayed.
        "id": f"{incident.id}.{revision}",
        "source": f"/headwater/{incident.domain}",
        "time": rfc3339(incident.published_ms),
        "datacontenttype": "application/json",
        "dataschema": f"urn:headwater:schema:{schema}:1",
        "partitionkey": incident.id,
        "data": data.model_dump(mode="json", by_alias=True),
    }
    if incident.hypotheses and incident.abstention is None:
        envelope["subject"] = incident.hypotheses[0].service
    return canonical(envelope)


def _data(value: bytes, prefix: str, model: type[Model]) -> Model:
    try:
        envelope = orjson.loads(value)
    except orjson.JSONDecodeError as error:
        raise DecodeError(f"not JSON: {error}") from None
    if not isinstance(envelope, dict) or "specversion" not in envelope:
        raise DecodeError("not a CloudEvent in structured mode", field="specversion")
    kind = envelope.get("type")
    if not isinstance(kind, str) or not kind.startswith(prefix):
        raise DecodeError(f"{kind!r} is not a {prefix}* event", field="type")
    if not kind.endswith(".v1"):
        raise DecodeError(f"{kind} is newer than this version of headwater; upgrade it", field="type")
    try:
        return revive(model, envelope.get("data"))
    except DecodeError as error:
        raise DecodeError(error.reason, field=f"data.{error.field}" if error.field else "data") from None

"""Changes, alerts and declared edges as their producers would announce them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

from correlator.evidence import Alert, Change, ChangeKind, Edge
from streams.wire.cloudevents import rfc3339
from streams.wire.codec import canonical, encode
from streams.wire.encoders.outgoing import OutgoingRecord

CDEVENTS_SPEC = "0.5.1"
DEPLOYED = "dev.cdevents.service.deployed.0.3.0"


def change(item: Change) -> OutgoingRecord:
    """A deploy as a CDEvent in a structured CloudEvent, anything else as native JSON."""
    if item.kind is ChangeKind.DEPLOY:
        return OutgoingRecord(
            "cdevents",
            item.service.encode(),
            canonical(_cloudevent(item)),
            (("content-type", b"application/cloudevents+json; charset=UTF-8"),),
        )
    return OutgoingRecord("headwater.config-changes", item.service.encode(), encode(item))


def alert(item: Alert) -> OutgoingRecord:
    """An alert as native JSON."""
    return OutgoingRecord("headwater.alerts-in", item.service.encode(), encode(item))


def topology(edges: Iterable[Edge]) -> list[OutgoingRecord]:
    """Declared edges, one record a caller: the topic is compacted by caller, so a record holds all of its."""
    callers: dict[str, list[Edge]] = {}
    for edge in edges:
        callers.setdefault(edge.caller, []).append(edge)
    return [
        OutgoingRecord(
            "headwater.topology", caller.encode(), canonical([edge.model_dump(mode="json") for edge in known])
        )
        for caller, known in callers.items()
    ]


def _cloudevent(item: Change) -> dict[str, Any]:
    event = _cdevent(item)
    return {
        "specversion": "1.0",
        "id": item.id,
        "source": event["context"]["source"],
        "type": DEPLOYED,
        "time": event["context"]["timestamp"],
        "subject": event["subject"]["id"],
        "datacontenttype": "application/json",
        "data": event,
    }


def _cdevent(item: Change) -> dict[str, Any]:
    content: dict[str, Any] = {"environment": {"id": item.domain}}
    if item.version_after is not None:
        # A purl wants the version percent-encoded; a name with slashes is given by the subject.
        name = quote(item.service.rsplit("/", 1)[-1], safe="")
        content["artifactId"] = f"pkg:generic/{name}@{quote(item.version_after, safe='')}"
    custom: dict[str, Any] = {"summary": item.summary, "attributes": dict(item.attributes)}
    if item.version_before is not None:
        custom["version_before"] = item.version_before
    if item.end_ms is not None:
        custom["end_ms"] = item.end_ms
    return {
        "context": {
            "specversion": CDEVENTS_SPEC,
            "id": item.id,
            "source": "/headwater/replay",
            "type": DEPLOYED,
            "timestamp": rfc3339(item.ts_ms),
        },
        "subject": {"id": f"service/{item.service}", "content": content},
        "customData": custom,
        "customDataContentType": "application/json",
    }

"""headwater's own JSON, for what no producer emits yet; one object or a list of them a record.

Times are `ts_ms` (Unix milliseconds) or `timestamp` (RFC 3339); without either, the record's own stamp.
`domain` may be left out (the default domain), unknown fields are ignored.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

from correlator.evidence import Alert, Change, ChangeKind, Edge, EdgeSource
from detectors.telemetry import Kind, Series
from streams.errors import DecodeError
from streams.wire.codec import canonical, revive
from streams.wire.decoders.reading import (
    mapping,
    number,
    optional_text,
    required_text,
    sequence,
    text,
    time_ms,
)
from streams.wire.decoders.resource import canonical_labels
from streams.wire.record import RawRecord
from streams.wire.telemetry import TelemetryBuilder

_KINDS: dict[Any, Kind] = {None: Kind.GAUGE, **{kind.value: kind for kind in Kind}}
_CHANGE_KINDS = {kind.value for kind in ChangeKind}


def take_metrics(document: Any, record: RawRecord, into: TelemetryBuilder) -> int:
    """`{"service", "metric", "value", "ts_ms"}` and, optionally, unit, kind, instance, peer, version, labels.

    `kind` is gauge (default), counter or delta; `value` may be null or "NaN" for a missing sample.
    """
    taken = 0
    for where, sample in _each(document):
        service, metric = sample.get("service"), sample.get("metric")
        if not isinstance(service, str) or not isinstance(metric, str) or not service or not metric:
            required_text(service, where + "service")
            required_text(metric, where + "metric")
        kind = _KINDS.get(sample.get("kind")) if isinstance(sample.get("kind"), str | None) else None
        if kind is None:
            raise DecodeError("expected gauge, counter or delta", field=where + "kind")
        value = sample.get("value")
        if value is None:
            if "value" not in sample:
                raise DecodeError("is missing", field=where + "value")
            continue
        series = Series(
            service,  # type: ignore[arg-type]  # checked above, on the way of one comparison
            metric,  # type: ignore[arg-type]
            optional_text(sample.get("instance"), where + "instance"),
            optional_text(sample.get("peer"), where + "peer"),
            optional_text(sample.get("unit"), where + "unit"),
            kind,
            optional_text(sample.get("version"), where + "version"),
            _labels(sample.get("labels"), where),
        )
        taken += into.sample(
            _domain(sample, where, into),
            series,
            _time(sample, where, record),
            value if type(value) is float else number(value, where + "value"),
        )
    return taken


def take_logs(document: Any, record: RawRecord, into: TelemetryBuilder) -> int:
    """`{"service", "body", "ts_ms", "severity"?, "instance"?}`."""
    taken = 0
    for where, line in _each(document):
        taken += into.log(
            _domain(line, where, into),
            _time(line, where, record),
            required_text(line.get("service"), where + "service"),
            optional_text(line.get("instance"), where + "instance"),
            optional_text(line.get("severity"), where + "severity"),
            text(line.get("body"), where + "body"),
        )
    return taken


def take_changes(document: Any, record: RawRecord, into: TelemetryBuilder) -> int:
    """A `Change` without `domain`, `id` or `kind` if need be: the topic tells deploys from config changes.

    Without `id`, the content is the id, so that the same change sent twice is one.
    """
    taken = 0
    default_kind = ChangeKind.DEPLOY if "deploy" in record.topic else ChangeKind.CONFIG
    for where, change in _each(document):
        kind = change.get("kind", default_kind.value)
        attributes = {
            key: value if isinstance(value, str) else canonical(value).decode()
            for key, value in mapping(change.get("attributes"), where + "attributes").items()
        }
        if kind not in _CHANGE_KINDS:
            attributes["kind"], kind = required_text(kind, where + "kind"), ChangeKind.OTHER.value
        filled = {
            **change,
            "type": "change",
            "domain": _domain(change, where, into),
            "id": change.get("id") or _content_id("chg", change, record),
            "ts_ms": _time(change, where, record),
            "kind": kind,
            "service": required_text(change.get("service"), where + "service"),
            "attributes": attributes,
        }
        taken += into.item(_revive(Change, filled, where))
    return taken


def take_alerts(document: Any, record: RawRecord, into: TelemetryBuilder) -> int:
    """An `Alert`: `{"service", "name", "ts_ms", "id"?, "severity"?, "status"?, "summary"?}`."""
    taken = 0
    for where, alert in _each(document):
        filled = {
            **alert,
            "type": "alert",
            "domain": _domain(alert, where, into),
            "id": alert.get("id") or _content_id("al", alert, record),
            "ts_ms": _time(alert, where, record),
            "service": required_text(alert.get("service"), where + "service"),
        }
        taken += into.item(_revive(Alert, filled, where))
    return taken


def take_topology(document: Any, record: RawRecord, into: TelemetryBuilder) -> int:
    """Declared edges: an `Edge`, or a recording's `topology.json` with a `domain`."""
    if isinstance(document, dict) and "edges" in document:
        kinds = {
            required_text(mapping(node, "nodes").get("service"), "nodes.service"): node.get("kind")
            for node in sequence(document.get("nodes"), "nodes")
        }
        document = [
            {
                "domain": document.get("domain"),
                "callee_kind": kinds.get(str(mapping(edge, f"edges[{index}]").get("callee"))),
                **edge,
            }
            for index, edge in enumerate(sequence(document["edges"], "edges"))
        ]
    taken = 0
    for where, edge in _each(document):
        seen = [edge.get("first_seen_ms"), edge.get("last_seen_ms")]
        stamp = None if all(each is not None for each in seen) else _time(edge, where, record)
        filled = {
            "first_seen_ms": stamp,
            "last_seen_ms": stamp,
            "source": EdgeSource.DECLARED.value,
            **edge,
            "type": "edge",
            "domain": _domain(edge, where, into),
            "caller": required_text(edge.get("caller"), where + "caller"),
            "callee": required_text(edge.get("callee"), where + "callee"),
        }
        taken += into.item(_revive(Edge, filled, where))
    return taken


def _each(document: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(document, dict):
        yield "", document
        return
    for index, each in enumerate(sequence(document, "")):
        yield f"[{index}].", mapping(each, f"[{index}]")


def _revive(model: type[Any], document: dict[str, Any], where: str) -> Any:
    try:
        return revive(model, document)
    except DecodeError as error:
        raise DecodeError(error.reason, field=where + (error.field or "")) from None


def _domain(document: dict[str, Any], where: str, into: TelemetryBuilder) -> str:
    return optional_text(document.get("domain"), where + "domain") or into.default_domain


def _time(document: dict[str, Any], where: str, record: RawRecord) -> int:
    stamp = document.get("ts_ms")
    if stamp is not None:
        return time_ms(stamp, where + "ts_ms")
    if document.get("timestamp") is not None:
        return time_ms(document["timestamp"], where + "timestamp")
    if record.timestamp_ms > 0:
        return record.timestamp_ms
    raise DecodeError("is missing, and the record has no stamp", field=where + "ts_ms")


def _labels(value: Any, where: str) -> str:
    if not value:
        return ""
    labels = mapping(value, where + "labels")
    return canonical_labels(
        {key: each if isinstance(each, str) else canonical(each).decode() for key, each in labels.items()}
    )


def _content_id(prefix: str, document: dict[str, Any], record: RawRecord) -> str:
    stamp = "" if "ts_ms" in document or "timestamp" in document else str(record.timestamp_ms)
    return f"{prefix}-" + hashlib.sha256(canonical(document) + stamp.encode()).hexdigest()[:16]

"""CDEvents 0.3–0.5 in CloudEvents (binary, structured) or bare: deploys, config changes, incidents.

Types are matched by subject and predicate; the version behind them is ignored, since what is read here
has not changed since 0.3. Spec: cdevents.dev, CloudEvents Kafka binding 1.0.2.
"""

from __future__ import annotations

from base64 import b64decode
from binascii import Error as BinasciiError
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from cloudevents.core.bindings.kafka import KafkaMessage, from_kafka_event

from correlator.evidence import Alert, Change, ChangeKind
from streams.errors import DecodeError
from streams.wire.codec import canonical
from streams.wire.decoders.reading import mapping, optional_text, parse, required_text, text, time_ms
from streams.wire.record import RawRecord
from streams.wire.telemetry import TelemetryBuilder

PREFIX = "dev.cdevents."
_CHANGES = {
    "service.deployed": (ChangeKind.DEPLOY, "deployed"),
    "service.upgraded": (ChangeKind.DEPLOY, "upgraded"),
    "service.rolledback": (ChangeKind.DEPLOY, "rolled back"),
    "service.removed": (ChangeKind.DEPLOY, "removed"),
    "environment.modified": (ChangeKind.CONFIG, "environment modified"),
}
_INCIDENTS = {"incident.detected": "firing", "incident.reported": "firing", "incident.resolved": "resolved"}


def decode(record: RawRecord, into: TelemetryBuilder) -> int:
    """Decode a CloudEvent of either mode, or a bare CDEvent."""
    if not record.value:
        raise DecodeError("empty record")
    if _is_binary(record) or _is_structured(record):
        return take(_from_cloudevent(record), record, into)
    return decode_document(parse(record.value), record, into)


def decode_document(document: Any, record: RawRecord, into: TelemetryBuilder) -> int:
    """Decode parsed JSON: a structured CloudEvent without its header, or a bare CDEvent."""
    event = mapping(document, "")
    if "specversion" in event:
        return take(_from_cloudevent(record), record, into)
    if "context" in event:
        return take(event, record, into)
    raise DecodeError("neither a CloudEvent (`specversion`) nor a CDEvent (`context`)")


def is_shape(document: Any) -> bool:
    """Whether a JSON document is a structured CloudEvent or a CDEvent."""
    if not isinstance(document, dict):
        return False
    return ("specversion" in document and "type" in document) or (
        "context" in document and "subject" in document
    )


def claims(record: RawRecord) -> bool:
    """Whether the headers say that this is a CloudEvent."""
    return bool(record.headers) and (_is_binary(record) or _is_structured(record))


def take(event: dict[str, Any], record: RawRecord, into: TelemetryBuilder) -> int:
    """Turn one CDEvent into a change or an alert; kinds that say nothing of running systems give none."""
    context = mapping(event.get("context"), "context")
    kind = required_text(context.get("type"), "context.type")
    if not kind.startswith(PREFIX):
        raise DecodeError(f"{kind!r} is not a CDEvents type ({PREFIX}…)", field="context.type")
    what = ".".join(kind.removeprefix(PREFIX).split(".")[:2])
    if what not in _CHANGES and what not in _INCIDENTS:
        return 0
    subject = mapping(event.get("subject"), "subject")
    content = mapping(subject.get("content"), "subject.content")
    custom = event.get("customData") if isinstance(event.get("customData"), dict) else {}
    environment = mapping(content.get("environment"), "subject.content.environment")
    domain = optional_text(environment.get("id"), "subject.content.environment.id") or into.default_domain
    ts_ms = (
        time_ms(context["timestamp"], "context.timestamp")
        if context.get("timestamp") is not None
        else record.timestamp_ms
    )
    identity = required_text(context.get("id"), "context.id")
    if what in _INCIDENTS:
        return into.item(_alert(identity, domain, ts_ms, what, subject, content))
    return into.item(_change(identity, domain, ts_ms, what, subject, content, custom or {}))


def _change(
    identity: str,
    domain: str,
    ts_ms: int,
    what: str,
    subject: dict[str, Any],
    content: dict[str, Any],
    custom: dict[str, Any],
) -> Change:
    kind, verb = _CHANGES[what]
    artifact = optional_text(content.get("artifactId"), "subject.content.artifactId")
    version = _version_of(artifact)
    subject_id = optional_text(subject.get("id"), "subject.id")
    service = _service_of(subject_id, artifact)
    if what.startswith("environment."):
        # The environment itself was changed: its whole domain, unless a service is named.
        service = _optional(custom, "service") or subject_id or domain
        domain = subject_id or domain
    if not service:
        raise DecodeError("names no service", field="subject.id")
    extra = {
        key: value if isinstance(value, str) else canonical(value).decode()
        for key, value in mapping(custom.get("attributes"), "customData.attributes").items()
    }
    before, end_ms = _optional(custom, "version_before"), custom.get("end_ms")
    summary = _optional(custom, "summary")
    if summary is None:
        summary = f"{service} {verb}" + (f" {version}" if version else "")
    return Change(
        id=identity,
        domain=domain,
        ts_ms=ts_ms,
        kind=kind,
        service=service,
        summary=summary,
        version_before=before,
        version_after=version,
        end_ms=None if end_ms is None else time_ms(end_ms, "customData.end_ms"),
        attributes=extra,
    )


def _alert(
    identity: str, domain: str, ts_ms: int, what: str, subject: dict[str, Any], content: dict[str, Any]
) -> Alert:
    named = mapping(content.get("service"), "subject.content.service")
    service = _service_of(
        optional_text(named.get("id"), "subject.content.service.id"),
        optional_text(content.get("artifactId"), "subject.content.artifactId"),
    )
    if not service:
        raise DecodeError("names no service", field="subject.content.service.id")
    subject_id = optional_text(subject.get("id"), "subject.id")
    return Alert(
        # One incident is one alert: its later events update the first.
        id=subject_id or identity,
        domain=domain,
        ts_ms=ts_ms,
        service=service,
        name="incident",
        status="resolved" if _INCIDENTS[what] == "resolved" else "firing",
        summary=optional_text(content.get("description"), "subject.content.description") or "",
    )


def _service_of(identity: str | None, artifact: str | None) -> str | None:
    """`service/shop/cart` → `shop/cart`; a path or URL → its last part; otherwise the id as it stands."""
    if identity:
        if identity.startswith("pkg:"):
            return _purl_name(identity)
        if identity.startswith("service/") and identity != "service/":
            return identity.removeprefix("service/")
        if identity.startswith("/") or "://" in identity:
            identity = identity.rstrip("/").rsplit("/", 1)[-1]
        if identity:
            return identity
    return _purl_name(artifact) if artifact else None


def _purl_name(purl: str) -> str | None:
    path = purl.removeprefix("pkg:").split("?")[0].split("#")[0]
    return unquote(path.rsplit("/", 1)[-1].split("@")[0]) or None


def _version_of(artifact: str | None) -> str | None:
    """The version in a purl: its `tag` qualifier, else what stands behind `@`."""
    if not artifact:
        return None
    try:
        query = parse_qs(urlsplit(artifact).query)
    except ValueError as error:
        raise DecodeError(f"not a package URL: {error}", field="subject.content.artifactId") from None
    if query.get("tag"):
        return query["tag"][0]
    name = artifact.split("?")[0].split("#")[0]
    return unquote(name.rsplit("@", 1)[1]) if "@" in name else None


def _optional(document: dict[str, Any], key: str) -> str | None:
    value = document.get(key)
    return None if value is None else text(value, f"customData.{key}")


def _is_binary(record: RawRecord) -> bool:
    return record.header("ce_specversion") is not None


def _is_structured(record: RawRecord) -> bool:
    return (record.header("content-type") or "").lower().startswith("application/cloudevents")


def _from_cloudevent(record: RawRecord) -> dict[str, Any]:
    headers = {name.lower(): value for name, value in record.headers if value is not None}
    value = record.value or b""
    if not _is_binary(record):
        value = canonical(_envelope(parse(value)))
    try:
        event = from_kafka_event(KafkaMessage(headers, record.key, value))
        data: Any = event.get_data()
        kind = event.get_type()
    except Exception as error:  # the library has no common base for what it raises on foreign input
        raise DecodeError(f"not a CloudEvent: {type(error).__name__}: {str(error)[:200]}") from None
    if isinstance(data, bytes | str):
        data = parse(data.encode() if isinstance(data, str) else data)
    if data is None:
        raise DecodeError("is missing", field="data")
    found = mapping(data, "data")
    if "context" not in found and not kind.startswith(PREFIX):
        raise DecodeError(f"CloudEvents type {kind!r} is not known here", field="type")
    return found


def _envelope(document: Any) -> dict[str, Any]:
    """Check what the library takes without a word, or refuses without saying why."""
    if isinstance(document, list):
        raise DecodeError("a batch of CloudEvents; on Kafka each event is a record of its own")
    envelope = mapping(document, "")
    try:
        b64decode(text(envelope.get("data_base64") or "", "data_base64"), validate=True)
    except BinasciiError:
        raise DecodeError("expected base64", field="data_base64") from None
    return envelope

"""Alerts of Alertmanager: its event recorder (0.33 and newer), its webhook (v4), and Grafana's webhook."""

from __future__ import annotations

from typing import Any

from correlator.evidence import Alert
from streams.errors import DecodeError
from streams.wire.decoders.reading import mapping, optional_text, parse, sequence, text, time_ms
from streams.wire.decoders.resource import UNNAMED
from streams.wire.record import RawRecord
from streams.wire.telemetry import TelemetryBuilder

OWN_NAMES = frozenset({"HeadwaterIncident"})
"""Our own alerts come back through Alertmanager: taking them as evidence would be hearing an echo."""
SERVICE_LABELS = ("service", "service_name", "app_kubernetes_io_name", "app", "deployment", "workload", "job")
NAMESPACE_LABEL = "service_namespace"
DOMAIN_LABELS = (
    "deployment_environment_name",
    "deployment_environment",
    "environment",
    "env",
    "k8s_cluster_name",
    "cluster",
)
_ZERO_TIME = "0001-01-01T00:00:00Z"


def decode(record: RawRecord, into: TelemetryBuilder) -> int:
    """Decode one event or one notification."""
    if not record.value:
        raise DecodeError("empty record")
    return decode_document(parse(record.value), record, into)


def decode_document(document: Any, record: RawRecord, into: TelemetryBuilder) -> int:
    """Decode parsed JSON of either shape."""
    event = mapping(document, "")
    if isinstance(event.get("alerts"), list):
        return sum(
            _webhook(mapping(alert, f"alerts[{index}]"), f"alerts[{index}]", record, into)
            for index, alert in enumerate(event["alerts"])
        )
    if "data" in event:
        return _recorded(event, record, into)
    raise DecodeError("neither a notification (`alerts`) nor a recorded event (`data`)")


def is_shape(document: Any) -> bool:
    """Whether a JSON document is a notification or a recorded event."""
    if not isinstance(document, dict):
        return False
    return ("alerts" in document and "receiver" in document) or (
        "@timestamp" in document and isinstance(document.get("data"), dict) and "instance" in document
    )


def _webhook(alert: dict[str, Any], where: str, record: RawRecord, into: TelemetryBuilder) -> int:
    labels = _labels(alert.get("labels"), f"{where}.labels")
    annotations = _labels(alert.get("annotations"), f"{where}.annotations")
    resolved = alert.get("status") == "resolved"
    starts = _time(alert.get("startsAt"), f"{where}.startsAt") or record.timestamp_ms
    ends = _time(alert.get("endsAt"), f"{where}.endsAt") if resolved else None
    fingerprint = optional_text(alert.get("fingerprint"), f"{where}.fingerprint") or ""
    return _emit(
        labels, annotations, fingerprint, starts, ends if resolved and ends else None, resolved, into
    )


def _recorded(event: dict[str, Any], record: RawRecord, into: TelemetryBuilder) -> int:
    data = mapping(event.get("data"), "data")
    for kind in ("alertCreated", "alertResolved"):
        if kind not in data:
            continue
        where = f"data.{kind}.alert"
        alert = mapping(mapping(data[kind], f"data.{kind}").get("alert"), where)
        labels = _labels(alert.get("labels"), f"{where}.labels")
        labels.setdefault("alertname", optional_text(alert.get("name"), f"{where}.name") or "")
        said = _time(event.get("@timestamp"), "@timestamp") or record.timestamp_ms
        starts = _time(alert.get("startsAt"), f"{where}.startsAt") or said
        ends = _time(alert.get("endsAt"), f"{where}.endsAt") or said
        annotations = _labels(alert.get("annotations"), f"{where}.annotations")
        resolved = kind == "alertResolved"
        return _emit(
            labels,
            annotations,
            _hex(alert.get("fingerprint"), f"{where}.fingerprint"),
            starts,
            ends if resolved else None,
            resolved,
            into,
        )
    return 0  # groupings, notifications, silences


def _emit(
    labels: dict[str, str],
    annotations: dict[str, str],
    fingerprint: str,
    starts_ms: int,
    ends_ms: int | None,
    resolved: bool,
    into: TelemetryBuilder,
) -> int:
    name = labels.get("alertname") or "alert"
    # Watchdog and InfoInhibitor fire always, by design, and mark themselves with this severity.
    if name in OWN_NAMES or labels.get("severity") == "none":
        return 0
    service = next((labels[key] for key in SERVICE_LABELS if labels.get(key)), UNNAMED)
    namespace = labels.get(NAMESPACE_LABEL)
    domain = next((labels[key] for key in DOMAIN_LABELS if labels.get(key)), into.default_domain)
    return into.item(
        Alert(
            # The fingerprint is of the labels; the start makes it one episode, fired and resolved.
            id=f"{fingerprint or name}-{starts_ms}",
            domain=domain,
            ts_ms=ends_ms or starts_ms,
            service=f"{namespace}/{service}" if namespace else service,
            name=name,
            severity=labels.get("severity") or "warning",
            status="resolved" if resolved else "firing",
            summary=annotations.get("summary") or annotations.get("description") or "",
        )
    )


def _labels(value: Any, where: str) -> dict[str, str]:
    """Labels as a mapping, from either the webhook's mapping or the recorder's list of pairs."""
    found = value
    if isinstance(value, dict):
        inner = value.get("labels", value.get("annotations"))
        found = inner if isinstance(inner, list) else value
    if isinstance(found, list):
        pairs = [mapping(each, f"{where}[{index}]") for index, each in enumerate(sequence(found, where))]
        found = {text(pair.get("key", ""), where): pair.get("value", "") for pair in pairs}
    return {key: each if isinstance(each, str) else str(each) for key, each in mapping(found, where).items()}


def _time(value: Any, where: str) -> int | None:
    return None if value is None or value in ("", _ZERO_TIME) else time_ms(value, where)


def _hex(value: Any, where: str) -> str:
    """The recorder writes fingerprints as decimal uint64, everything else writes 16 hex digits."""
    if value is None:
        return ""
    spelled = str(value) if isinstance(value, int) else text(value, where)
    decimal = spelled.isascii() and spelled.isdigit() and len(spelled) <= 20
    return format(int(spelled), "016x") if decimal else spelled

"""OTLP logs: log lines, and the changes that hide among them (Kubernetes events, flag evaluations)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from google.protobuf.message import DecodeError as ProtobufError
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, LogsData

from streams.errors import DecodeError
from streams.wire.decoders import flags, kubernetes, otlp, otlp_json
from streams.wire.decoders.logs_fast import SEVERITIES, TELLING, LogsScanner, word_of
from streams.wire.decoders.otlp_metrics import note_version
from streams.wire.decoders.reading import document_of, integer, mapping, sequence, text
from streams.wire.decoders.resource import Attributes, Resource, identify
from streams.wire.record import RawRecord
from streams.wire.telemetry import TelemetryBuilder

BODY_KEYS = ("message", "msg", "log", "body")
"""Where structured bodies keep their text."""


class LogEntry(NamedTuple):
    """One OTLP log record as plain values."""

    attributes: dict[str, str]
    """Those of `TELLING`; others may be left out."""
    time_ns: int
    severity_text: str
    severity_number: int
    body: Any
    event_name: str


def decode(record: RawRecord, into: TelemetryBuilder) -> int:
    """Decode protobuf or JSON; returns the lines and items taken."""
    if not record.value:
        raise DecodeError("empty record")
    document = document_of(record.value)
    if document is not None:
        return decode_document(document, record, into)
    scanner = into.cache(LogsScanner)

    def on_other(message: LogRecord, ts_ms: int, attributes: Attributes, resource: Resource) -> int:
        return _take_entry(_entry_of(message), ts_ms, attributes, resource, into)

    def on_resource(resource: Resource, newest_ms: int) -> None:
        note_version(resource, newest_ms, into)

    taken = scanner.decode(record, into, on_other, on_resource)
    return decode_walking(record, into) if taken is None else taken


def decode_walking(record: RawRecord, into: TelemetryBuilder) -> int:
    """Decode protobuf by the library alone: the scanner's measure, and what it falls back on."""
    if not record.value:
        raise DecodeError("empty record")
    return _take(_from_protobuf(record.value), record, into)


def decode_document(document: Any, record: RawRecord, into: TelemetryBuilder) -> int:
    """Decode parsed OTLP/JSON; the same result as its protobuf."""
    return _take(_from_json(document), record, into)


def is_shape(document: Any) -> bool:
    """Whether a JSON document is an OTLP logs request."""
    return isinstance(document, dict) and "resourceLogs" in document


def severity_of(entry: LogEntry) -> str | None:
    """The producer's word for the severity, else OpenTelemetry's for its number, else None."""
    if entry.severity_text:
        return entry.severity_text
    return word_of(entry.severity_number)


def line_of(entry: LogEntry) -> str | None:
    """The text of a line; None where there is none."""
    body = entry.body
    if isinstance(body, dict):
        body = next((body[key] for key in BODY_KEYS if isinstance(body.get(key), str)), body)
    if body is not None and body != "":
        return body if isinstance(body, str) else otlp.compact(body)
    exception = [entry.attributes.get(f"exception.{part}", "") for part in ("type", "message")]
    return ": ".join(part for part in exception if part) or entry.event_name or body


def _take(
    resources: Iterable[tuple[dict[str, str], list[LogEntry]]], record: RawRecord, into: TelemetryBuilder
) -> int:
    taken = 0
    for attributes, entries in resources:
        resource = identify(attributes, into.default_domain)
        newest_ms = 0
        for entry in entries:
            ts_ms = entry.time_ns // 1_000_000 or record.timestamp_ms
            newest_ms = max(newest_ms, ts_ms)
            taken += _take_entry(entry, ts_ms, attributes, resource, into)
        note_version(resource, newest_ms, into)
    return taken


def _take_entry(
    entry: LogEntry, ts_ms: int, attributes: Attributes, resource: Resource, into: TelemetryBuilder
) -> int:
    if flags.is_evaluation(entry.event_name, entry.attributes):
        return flags.take(entry.attributes, ts_ms, resource, into)
    line = line_of(entry)
    if kubernetes.is_event(entry.attributes):
        return kubernetes.take(
            entry.attributes, attributes, line or "", severity_of(entry), ts_ms, resource, into
        )
    if line is None:
        return 0
    return into.log(resource.domain, ts_ms, resource.service, resource.instance, severity_of(entry), line)


def _from_protobuf(value: bytes) -> Iterator[tuple[dict[str, str], list[LogEntry]]]:
    data = LogsData()
    try:
        data.ParseFromString(value)
    except ProtobufError as error:
        raise DecodeError(f"not OTLP logs in protobuf: {error}", field="LogsData") from None
    for resource in data.resource_logs:
        yield (
            otlp.attributes_of(resource.resource.attributes),
            [_entry_of(entry) for scope in resource.scope_logs for entry in scope.log_records],
        )


def _entry_of(entry: LogRecord) -> LogEntry:
    return LogEntry(
        _telling(entry.attributes),
        entry.time_unix_nano or entry.observed_time_unix_nano,
        entry.severity_text,
        entry.severity_number,
        entry.body.string_value or otlp.plain(entry.body),
        entry.event_name or "",
    )


def _telling(pairs: Any) -> dict[str, str]:
    """Only the attributes that are read; most lines have others, and spelling them would be half the cost."""
    return {pair.key: otlp.text_of(pair.value) for pair in pairs if pair.key.startswith(TELLING)}


def _from_json(document: Any) -> Iterator[tuple[dict[str, str], list[LogEntry]]]:
    for r, resource in enumerate(otlp_json.resources(document, "resourceLogs")):
        where = f"resourceLogs[{r}]"
        entries = []
        for s, scope in enumerate(sequence(mapping(resource, where).get("scopeLogs"), f"{where}.scopeLogs")):
            there = f"{where}.scopeLogs[{s}]"
            records = sequence(mapping(scope, there).get("logRecords"), f"{there}.logRecords")
            for index, entry in enumerate(records):
                place = f"{there}.logRecords[{index}]"
                entries.append(_entry(mapping(entry, place), place))
        yield otlp_json.resource_attributes(resource, where), entries


def _entry(entry: dict[str, Any], where: str) -> LogEntry:
    number = entry.get("severityNumber")
    if isinstance(number, str) and number.startswith("SEVERITY_NUMBER_"):
        word = number.removeprefix("SEVERITY_NUMBER_").rstrip("1234")
        number = SEVERITIES.index(word) * 4 + 1 if word in SEVERITIES else 0
    return LogEntry(
        otlp_json.attributes_of(entry.get("attributes"), f"{where}.attributes"),
        otlp_json.unsigned(entry.get("timeUnixNano"), f"{where}.timeUnixNano")
        or otlp_json.unsigned(entry.get("observedTimeUnixNano"), f"{where}.observedTimeUnixNano"),
        text(entry.get("severityText") or "", f"{where}.severityText"),
        integer(number, f"{where}.severityNumber"),
        otlp_json.plain(entry.get("body"), f"{where}.body"),
        text(entry.get("eventName") or "", f"{where}.eventName"),
    )

"""Parting a record by service: what re-keying needs, with as little decoding as it takes.

A batch of a collector holds many services, and a Kafka record has one key. Each split returns (service,
value) pairs in order of first appearance; the values together say what the record said. Protobuf is cut
between its top-level messages, so every byte stays what it was; a record of one service stays whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import Any

import orjson
from google.protobuf.message import DecodeError as ProtobufError
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from streams.errors import DecodeError
from streams.wire.decoders import otlp, otlp_json, prometheus, remote_write
from streams.wire.decoders.reading import document_of, mapping, parse, required_text, sequence
from streams.wire.decoders.remote_write_pb import TimeSeries
from streams.wire.decoders.resource import identify
from streams.wire.record import RawRecord

Parts = list[tuple[str, bytes]]
"""(service, value) pairs."""
_FIRST_FIELD = 0x0A
"""Tag of field 1, length-delimited: resource_metrics, resource_logs, timeseries, resource, labels."""
MAX_KNOWN = 100_000
"""Resources and label sets whose service is held; about 1 kB each."""


def split_otlp(field: str) -> Callable[[RawRecord, Any], Parts]:
    """Make a split of OTLP requests; `field` is the JSON name of their list of resources."""

    def split(record: RawRecord, document: Any) -> Parts:
        value = record.value or b""
        if document is None:
            document = document_of(value)
        if document is None:
            return _grouped(value, _messages(value, _service_of_message))
        resources = sequence(mapping(document, "").get(field), field)
        keyed = [(_service_of_json(each, f"{field}[{i}]"), each) for i, each in enumerate(resources)]
        return _grouped_json(value, keyed, lambda chosen: {**document, field: chosen})

    return split


def split_remote_write(record: RawRecord, _document: Any) -> Parts:
    """Part a remote-write request by the service that its series' labels name."""
    from cramjam import snappy

    unpacked = remote_write.unpack(record.value)
    parts = _grouped(unpacked, _messages(unpacked, _service_of_series))
    if len(parts) == 1:
        return [(parts[0][0], record.value or b"")]
    return [(service, bytes(snappy.compress_raw(value))) for service, value in parts]


def split_adapter(record: RawRecord, document: Any) -> Parts:
    """Name the service of a prometheus-kafka-adapter sample."""
    found = parse(record.value or b"") if document is None else document
    labels = mapping(mapping(found, "").get("labels"), "labels")
    return [(prometheus.identify(labels, "")[0].service, record.value or b"")]


def split_native(record: RawRecord, document: Any) -> Parts:
    """Part headwater's own JSON, one object or a list of them, by `service`."""
    found = parse(record.value or b"") if document is None else document
    if isinstance(found, dict):
        return [(required_text(found.get("service"), "service"), record.value or b"")]
    keyed = [
        (required_text(mapping(each, f"[{i}]").get("service"), f"[{i}].service"), each)
        for i, each in enumerate(sequence(found, ""))
    ]
    return _grouped_json(record.value or b"", keyed, lambda chosen: chosen)


def _grouped(value: bytes, keyed: Iterable[tuple[str | None, bytes]]) -> Parts:
    groups: dict[str, list[bytes]] = {}
    rest: list[bytes] = []
    for service, span in keyed:
        if service is None:
            rest.append(span)
        else:
            groups.setdefault(service, []).append(span)
    if not groups:
        raise DecodeError("nothing in it to find a service by")
    if len(groups) == 1:
        return [(next(iter(groups)), value)]
    parts = [(service, b"".join(spans)) for service, spans in groups.items()]
    parts[0] = parts[0][0], parts[0][1] + b"".join(rest)
    return parts


def _grouped_json(value: bytes, keyed: list[tuple[str, Any]], wrapped: Callable[[list[Any]], Any]) -> Parts:
    groups: dict[str, list[Any]] = {}
    for service, each in keyed:
        groups.setdefault(service, []).append(each)
    if not groups:
        raise DecodeError("nothing in it to find a service by")
    if len(groups) == 1:
        return [(next(iter(groups)), value)]
    return [(service, orjson.dumps(wrapped(chosen))) for service, chosen in groups.items()]


def _messages(value: bytes, service_of: Callable[[bytes], str]) -> Iterator[tuple[str | None, bytes]]:
    """Walk a request; yields (service, bytes with tag and length), and None for all that is not field 1."""
    for tag, start, content, end in _fields(value):
        yield (service_of(value[content:end]) if tag == _FIRST_FIELD else None), value[start:end]


def _fields(value: bytes) -> Iterator[tuple[int, int, int, int]]:
    """Walk a message; yields (tag, begin of the tag, begin of the content, end) of each field."""
    at = 0
    while at < len(value):
        start = at
        tag, at = _varint(value, at)
        content = at
        match tag & 7:
            case 0:
                _, at = _varint(value, at)
            case 1:
                at += 8
            case 2:
                length, content = _varint(value, at)
                at = content + length
            case 5:
                at += 4
            case kind:
                raise DecodeError(f"is no protobuf: wire type {kind}")
        if at > len(value):
            raise DecodeError("is cut short")
        yield tag, start, content, at


def _service_of_message(message: bytes) -> str:
    """Name the service of a ResourceMetrics or ResourceLogs."""
    for tag, _, content, end in _fields(message):
        if tag == _FIRST_FIELD:
            return _service_of(message[content:end])
    return _service_of(b"")


def _service_of_series(series: bytes) -> str:
    end = 0
    for tag, _, _, after in _fields(series):
        if tag != _FIRST_FIELD:
            break  # labels stand before samples
        end = after
    return _service_of_labels(series[:end])


def _varint(value: bytes, at: int) -> tuple[int, int]:
    result = shift = 0
    while at < len(value) and shift < 64:
        byte = value[at]
        at += 1
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            return result, at
        shift += 7
    raise DecodeError("is cut short")


@lru_cache(MAX_KNOWN)
def _service_of(resource: bytes) -> str:
    try:
        return identify(otlp.attributes_of(Resource.FromString(resource).attributes), "").service
    except ProtobufError as error:
        raise DecodeError(f"not OTLP in protobuf: {error}") from None


def _service_of_json(holder: Any, where: str) -> str:
    return identify(otlp_json.resource_attributes(mapping(holder, where), where), "").service


@lru_cache(MAX_KNOWN)
def _service_of_labels(labels: bytes) -> str:
    try:
        found = remote_write.labels_of(TimeSeries.FromString(labels))
    except ProtobufError as error:
        raise DecodeError(f"not a remote-write 1.0 request: {error}") from None
    return prometheus.identify(found, "")[0].service

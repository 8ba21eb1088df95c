"""OTLP spans: who calls whom. Only edges are taken from them; their durations come as service-graph metrics.

A client span and the server span below it make an edge between services. A client span without a server
span makes an edge to what its attributes name: that is how a datastore nobody declared is found. Pairs may
be split over records, not over partitions: key `otlp_spans` by trace id, or take edges from a service graph.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from google.protobuf.message import DecodeError as ProtobufError
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from correlator.evidence import Edge, EdgeSource
from streams.errors import DecodeError
from streams.wire.decoders import otlp, otlp_json
from streams.wire.decoders.edges import announce
from streams.wire.decoders.otlp_metrics import note_version
from streams.wire.decoders.peers import is_address, peer_of
from streams.wire.decoders.reading import document_of, integer, mapping, sequence, text
from streams.wire.decoders.resource import Resource, identify
from streams.wire.record import RawRecord
from streams.wire.telemetry import TelemetryBuilder

_KINDS = {
    f"SPAN_KIND_{name}": number
    for number, name in enumerate(("UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"))
}


class Span(NamedTuple):
    """What of a span tells about edges; ids are lower-case hex."""

    trace_id: str
    span_id: str
    parent_id: str
    kind: int
    end_ns: int
    attributes: dict[str, str]


def decode(record: RawRecord, into: TelemetryBuilder) -> int:
    """Decode protobuf or JSON; returns the items taken."""
    if not record.value:
        raise DecodeError("empty record")
    document = document_of(record.value)
    if document is not None:
        return decode_document(document, record, into)
    return _take(_from_protobuf(record.value), record, into)


def decode_document(document: Any, record: RawRecord, into: TelemetryBuilder) -> int:
    """Decode parsed OTLP/JSON; the same result as its protobuf."""
    return _take(_from_json(document), record, into)


def is_shape(document: Any) -> bool:
    """Whether a JSON document is an OTLP traces request."""
    return isinstance(document, dict) and "resourceSpans" in document


def _take(
    resources: Iterable[tuple[dict[str, str], list[Span]]], record: RawRecord, into: TelemetryBuilder
) -> int:
    taken = 0
    for attributes, spans in resources:
        resource = identify(attributes, into.default_domain)
        newest_ms = 0
        for span in spans:
            ts_ms = span.end_ns // 1_000_000 or record.timestamp_ms
            newest_ms = max(newest_ms, ts_ms)
            if resource.named:
                taken += _take_span(span, ts_ms, resource, into)
        note_version(resource, newest_ms, into)
    return taken


def _take_span(span: Span, ts_ms: int, resource: Resource, into: TelemetryBuilder) -> int:
    match span.kind:
        case 3:  # CLIENT
            peer = peer_of(span.attributes, resource)
            # Datastores and queues send no server spans: waiting for one would only crowd out others.
            if peer is None or peer.kind in (None, "external"):
                call = f"{resource.domain}\x1f{span.trace_id}{span.span_id}"
                callee = into.state.meet(call, "caller", resource.service)
                if callee is not None:
                    return _edge(resource.domain, resource.service, callee, None, ts_ms, into)
            # A bare address may be any pod's; the server's own span will tell better, if there is one.
            if peer is None or (is_address(peer.service) and peer.kind is None):
                return 0
            return _edge(resource.domain, resource.service, peer.service, peer.kind, ts_ms, into)
        case 2 if span.parent_id:  # SERVER
            call = f"{resource.domain}\x1f{span.trace_id}{span.parent_id}"
            caller = into.state.meet(call, "callee", resource.service)
            if caller is None:
                return 0
            return _edge(resource.domain, caller, resource.service, None, ts_ms, into)
        case 4 | 5:  # PRODUCER, CONSUMER: both need the queue
            peer = peer_of(span.attributes, resource)
            if peer is None or not span.attributes.get("messaging.system"):
                return 0
            return _edge(resource.domain, resource.service, peer.service, peer.kind, ts_ms, into)
    return 0


def _edge(domain: str, caller: str, callee: str, kind: str | None, ts_ms: int, into: TelemetryBuilder) -> int:
    return announce(
        into,
        Edge(
            domain=domain,
            caller=caller,
            callee=callee,
            source=EdgeSource.SPAN,
            callee_kind=kind,
            first_seen_ms=ts_ms,
            last_seen_ms=ts_ms,
        ),
    )


def _from_protobuf(value: bytes) -> Iterator[tuple[dict[str, str], list[Span]]]:
    data = TracesData()
    try:
        data.ParseFromString(value)
    except ProtobufError as error:
        raise DecodeError(f"not OTLP spans in protobuf: {error}", field="TracesData") from None
    for resource in data.resource_spans:
        yield (
            otlp.attributes_of(resource.resource.attributes),
            [
                Span(
                    span.trace_id.hex(),
                    span.span_id.hex(),
                    span.parent_span_id.hex(),
                    span.kind,
                    span.end_time_unix_nano,
                    otlp.attributes_of(span.attributes),
                )
                for scope in resource.scope_spans
                for span in scope.spans
            ],
        )


def _from_json(document: Any) -> Iterator[tuple[dict[str, str], list[Span]]]:
    for r, resource in enumerate(otlp_json.resources(document, "resourceSpans")):
        where = f"resourceSpans[{r}]"
        spans = []
        for s, scope in enumerate(
            sequence(mapping(resource, where).get("scopeSpans"), f"{where}.scopeSpans")
        ):
            there = f"{where}.scopeSpans[{s}]"
            for index, span in enumerate(sequence(mapping(scope, there).get("spans"), f"{there}.spans")):
                spans.append(_span(mapping(span, f"{there}.spans[{index}]"), f"{there}.spans[{index}]"))
        yield otlp_json.resource_attributes(resource, where), spans


def _span(span: dict[str, Any], where: str) -> Span:
    kind = span.get("kind")
    return Span(
        _hex(span, "traceId", where),
        _hex(span, "spanId", where),
        _hex(span, "parentSpanId", where),
        _KINDS[kind] if isinstance(kind, str) and kind in _KINDS else integer(kind, f"{where}.kind"),
        otlp_json.unsigned(span.get("endTimeUnixNano"), f"{where}.endTimeUnixNano"),
        otlp_json.attributes_of(span.get("attributes"), f"{where}.attributes"),
    )


def _hex(span: dict[str, Any], key: str, where: str) -> str:
    value = text(span.get(key) or "", f"{where}.{key}").lower()
    try:
        return bytes.fromhex(value).hex()
    except ValueError:
        raise DecodeError("expected hex digits", field=f"{where}.{key}") from None

"""OTLP metrics records: every point becomes samples of series, service graphs become edges."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

from correlator.evidence import Change, ChangeKind
from detectors.telemetry import Kind, Series
from streams.errors import DecodeError
from streams.wire.decoders.distributions import interval, quantile
from streams.wire.decoders.edges import EdgeCollector
from streams.wire.decoders.otlp import (
    CUMULATIVE,
    DELTA,
    ExponentialPoint,
    HistogramPoint,
    Metric,
    NumberPoint,
    SummaryPoint,
    metrics_from_protobuf,
)
from streams.wire.decoders.otlp_fast import MetricsScanner
from streams.wire.decoders.otlp_json import metrics_from_json
from streams.wire.decoders.reading import document_of
from streams.wire.decoders.resource import Resource, identify, labels_of, stream_of
from streams.wire.record import RawRecord
from streams.wire.telemetry import TelemetryBuilder

DAY_MS = 86_400_000


def decode(record: RawRecord, into: TelemetryBuilder) -> int:
    """Decode protobuf or JSON; returns the samples taken.

    A histogram becomes `.count`, `.mean`, `.p50` and `.p95`; a summary its quantiles and `.count`.
    """
    if not record.value:
        raise DecodeError("empty record")
    document = document_of(record.value)
    if document is not None:
        return decode_document(document, record, into)
    edges = EdgeCollector(into)

    def on_metric(metric: Metric, resource: Resource) -> int:
        if edges.take(metric, resource, record.timestamp_ms):
            return 0
        return take_metric(metric, resource, record.timestamp_ms, into)

    def on_resource(resource: Resource, newest_ns: int) -> None:
        note_version(resource, newest_ns // 1_000_000, into)

    taken = into.cache(MetricsScanner).decode(record, into, on_metric, on_resource)
    if taken is None:
        return decode_walking(record, into)
    return taken + edges.flush()


def decode_walking(record: RawRecord, into: TelemetryBuilder) -> int:
    """Decode protobuf by the library alone: slower, and the measure of what `decode` must say."""
    if not record.value:
        raise DecodeError("empty record")
    return _take(metrics_from_protobuf(record.value), record, into)


def decode_document(document: Any, record: RawRecord, into: TelemetryBuilder) -> int:
    """Decode parsed OTLP/JSON; the same result as its protobuf."""
    return _take(metrics_from_json(document), record, into)


def is_shape(document: Any) -> bool:
    """Whether a JSON document is an OTLP metrics request."""
    return isinstance(document, dict) and "resourceMetrics" in document


def _take(
    resources: Iterable[tuple[dict[str, str], list[Metric]]], record: RawRecord, into: TelemetryBuilder
) -> int:
    taken = 0
    edges = EdgeCollector(into)
    for attributes, metrics in resources:
        resource = identify(attributes, into.default_domain)
        newest_ns = 0
        for metric in metrics:
            for point in metric.points:
                newest_ns = max(newest_ns, point.time_ns)
            if not edges.take(metric, resource, record.timestamp_ms):
                taken += take_metric(metric, resource, record.timestamp_ms, into)
        note_version(resource, newest_ns // 1_000_000, into)
    return taken + edges.flush()


def take_metric(metric: Metric, resource: Resource, fallback_ms: int, into: TelemetryBuilder) -> int:
    """Take the points of one metric that describes an entity; returns the samples taken."""
    kind = _kind(metric)
    taken = 0
    for point in metric.points:
        ts_ms = point.time_ns // 1_000_000 or fallback_ms
        labels = labels_of(resource, point.attributes)

        def put(
            suffix: str, value: float, unit: str | None, how: Kind, ts_ms: int = ts_ms, labels: str = labels
        ) -> int:
            series = Series(
                resource.service,
                metric.name + suffix,
                resource.instance,
                None,
                unit,
                how,
                resource.version,
                labels,
            )
            return into.sample(resource.domain, series, ts_ms, value)

        match point:
            case NumberPoint():
                taken += put("", point.value, metric.unit, kind)
            case SummaryPoint():
                for q, value in point.quantiles:
                    taken += put(f".p{q * 100:g}", value, metric.unit, Kind.GAUGE)
                if point.total:
                    taken += put(".count", float(point.total), "1", Kind.COUNTER)
            case HistogramPoint() | ExponentialPoint():
                stream = stream_of(resource, metric.name, point.attributes)
                found = interval(point, metric.temporality, stream, into)
                if found is None:
                    continue
                taken += put(".count", float(found.total), "1", Kind.DELTA)
                if found.total and found.sum is not None:
                    taken += put(".mean", found.sum / found.total, metric.unit, Kind.GAUGE)
                for q, suffix in ((0.5, ".p50"), (0.95, ".p95")):
                    bound = quantile(found.cells, q)
                    if bound is not None:
                        taken += put(suffix, bound, metric.unit, Kind.GAUGE)
    return taken


def _kind(metric: Metric) -> Kind:
    if metric.shape != "sum":
        return Kind.GAUGE
    if metric.temporality == DELTA:
        return Kind.DELTA
    return Kind.COUNTER if metric.monotonic and metric.temporality == CUMULATIVE else Kind.GAUGE


def note_version(resource: Resource, ts_ms: int, into: TelemetryBuilder) -> None:
    """Announce a deploy when a service shows a `service.version` that it did not have lately.

    The id holds the day, so that metrics and logs, or two partitions, announce one roll-out once.
    """
    if not resource.version or not resource.named or ts_ms <= 0:
        return
    subject = f"version\x1f{resource.domain}\x1f{resource.service}"
    before = into.state.changed(subject, resource.version, min(ts_ms, into.latest_ms))
    if before is None:
        return
    parts = (resource.domain, resource.service, before, resource.version, str(ts_ms // DAY_MS))
    into.item(
        Change(
            id="ver-" + hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:16],
            domain=resource.domain,
            ts_ms=ts_ms,
            kind=ChangeKind.DEPLOY,
            service=resource.service,
            summary=f"service.version {before} → {resource.version}",
            version_before=before,
            version_after=resource.version,
            attributes={"source": "service.version"},
        )
    )

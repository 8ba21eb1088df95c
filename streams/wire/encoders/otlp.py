"""Samples and log lines as OTLP protobuf, the way a collector's Kafka exporter writes them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from struct import Struct
from typing import NamedTuple

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, LogsData, ResourceLogs, ScopeLogs
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    AGGREGATION_TEMPORALITY_CUMULATIVE,
    AGGREGATION_TEMPORALITY_DELTA,
    Metric,
    MetricsData,
    NumberDataPoint,
    ScopeMetrics,
    Sum,
    Summary,
    SummaryDataPoint,
)
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from detectors.telemetry import Kind, Series
from streams.wire.decoders.edges import GAP_METRIC, GRAPH_PREFIX

MS_NS = 1_000_000
SCOPE = "headwater.replay"
_SIDE_METRICS = {
    "client_p50_s": ("client_seconds", 0.5),
    "client_p95_s": ("client_seconds", 0.95),
    "server_p50_s": ("server_seconds", 0.5),
    "server_p95_s": ("server_seconds", 0.95),
}
_SUM_METRICS = {"calls": "total", "errors": "failed_total"}


class Run(NamedTuple):
    """Consecutive samples of one series."""

    series: Series
    ts_ms: Sequence[int]
    values: Sequence[float]


class Line(NamedTuple):
    """One log line."""

    ts_ms: int
    service: str
    instance: str | None
    severity: str | None
    body: str


def metrics(domain: str, runs: Iterable[Run]) -> bytes:
    """Encode samples of entities, one resource per service instance.

    Gauges are gauges, counters cumulative sums, deltas delta sums. The start of a cumulative sum is unknown
    and left out, as the specification allows. What repeats from record to record is encoded once and kept:
    a recording has a few hundred series and a million points.
    """
    scopes: dict[tuple[str, str | None, str | None], list[bytes]] = {}
    for series, ts_ms, values in runs:
        metric = _run_bytes(series, ts_ms, values)
        scopes.setdefault((series.service, series.instance, series.version), []).append(metric)
    return b"".join(
        delimited(
            _RESOURCE_METRICS,
            _resource_bytes(domain, *key)
            + delimited(_SCOPE_METRICS, _SCOPE_BYTES + b"".join(delimited(_METRICS, each) for each in found)),
        )
        for key, found in scopes.items()
    )


# Field numbers of opentelemetry/proto/metrics/v1/metrics.proto.
_RESOURCE_METRICS, _RESOURCE, _SCOPE_METRICS, _METRICS = 1, 1, 2, 2
_GAUGE, _SUM, _DATA_POINTS = 5, 7, 1
_SCOPE_BYTES = ScopeMetrics(scope=InstrumentationScope(name=SCOPE)).SerializeToString()


def _run_bytes(series: Series, ts_ms: Sequence[int], values: Sequence[float]) -> bytes:
    head, field, tail = _series_bytes(series)
    points = b"".join(
        # One point: its length (18), time_unix_nano (field 3, fixed64), as_double (field 4, fixed64).
        _POINT.pack(_DATA_POINTS << 3 | 2, 18, 0x19, at_ms * MS_NS, 0x21, value)
        for at_ms, value in zip(ts_ms, values, strict=True)
    )
    return head + delimited(field, points + tail)


_POINT = Struct("<BBBQBd")


@lru_cache(maxsize=100_000)
def _series_bytes(series: Series) -> tuple[bytes, int, bytes]:
    """What stands before a series' points, the field that holds them, and what stands behind them."""
    head = Metric(name=series.metric, unit=series.unit or "").SerializeToString()
    if series.kind is Kind.GAUGE:
        return head, _GAUGE, b""
    cumulative = series.kind is Kind.COUNTER
    temporality = AGGREGATION_TEMPORALITY_CUMULATIVE if cumulative else AGGREGATION_TEMPORALITY_DELTA
    return head, _SUM, Sum(aggregation_temporality=temporality, is_monotonic=True).SerializeToString()


@lru_cache(maxsize=100_000)
def _resource_bytes(domain: str, service: str, instance: str | None, version: str | None) -> bytes:
    return delimited(_RESOURCE, resource(domain, service, instance, version).SerializeToString())


def delimited(field: int, content: bytes) -> bytes:
    """One length-delimited protobuf field, numbered below 16."""
    length = len(content)
    spelled = bytearray((field << 3 | 2,))
    while length > 0x7F:
        spelled.append(length & 0x7F | 0x80)
        length >>= 7
    spelled.append(length)
    return bytes(spelled) + content


def service_graph(domain: str, runs: Iterable[Run]) -> bytes:
    """Encode samples of edges as the service-graph connector names them.

    Quantiles are summaries, so that they arrive exactly as they were recorded; the connector itself writes
    histograms, which could only come close.
    """
    data = MetricsData()
    data.resource_metrics.add(resource=Resource(attributes=_pairs({"deployment.environment.name": domain})))
    scope = data.resource_metrics[0].scope_metrics.add()
    scope.scope.name = "traces_service_graph"
    sums: dict[str, Metric] = {}
    summaries: dict[str, dict[tuple[str, str, int], SummaryDataPoint]] = {}
    for series, ts_ms, values in runs:
        ends = {"client": series.service, "server": series.peer or ""}
        if series.metric in _SUM_METRICS:
            name = GRAPH_PREFIX + _SUM_METRICS[series.metric]
            metric = sums.get(name)
            if metric is None:
                metric = sums[name] = Metric(
                    name=name,
                    sum=Sum(aggregation_temporality=AGGREGATION_TEMPORALITY_DELTA, is_monotonic=True),
                )
            metric.sum.data_points.extend(_points(ts_ms, values, ends))
            continue
        suffix, q = _SIDE_METRICS.get(series.metric, ("", 0.95))
        points = summaries.setdefault(GRAPH_PREFIX + suffix if suffix else GAP_METRIC, {})
        for at_ms, value in zip(ts_ms, values, strict=True):
            key = (series.service, series.peer or "", at_ms)
            point = points.get(key)
            if point is None:
                point = points[key] = SummaryDataPoint(time_unix_nano=at_ms * MS_NS, attributes=_pairs(ends))
            point.quantile_values.add(quantile=q, value=value)
    scope.metrics.extend(sums.values())
    scope.metrics.extend(
        Metric(name=name, unit="s", summary=Summary(data_points=points.values()))
        for name, points in summaries.items()
    )
    return bytes(data.SerializeToString())


def logs(domain: str, lines: Iterable[Line]) -> bytes:
    """Encode log lines, one resource per service instance."""
    data = LogsData()
    scopes: dict[tuple[str, str | None], ScopeLogs] = {}
    for line in lines:
        key = (line.service, line.instance)
        scope = scopes.get(key)
        if scope is None:
            holder = ResourceLogs(resource=resource(domain, *key, None))
            data.resource_logs.append(holder)
            scope = scopes[key] = data.resource_logs[-1].scope_logs.add()
        scope.log_records.append(
            LogRecord(
                time_unix_nano=line.ts_ms * MS_NS,
                severity_text=line.severity or "",
                body=AnyValue(string_value=line.body),
            )
        )
    return bytes(data.SerializeToString())


def resource(domain: str, service: str, instance: str | None, version: str | None) -> Resource:
    """Describe an entity instance so that `identify` finds the same one."""
    namespace, slash, name = service.partition("/")
    attributes = (
        {"service.namespace": namespace, "service.name": name} if slash and namespace and name else {}
    )
    attributes = attributes or {"service.name": service}
    if instance:
        attributes["service.instance.id"] = instance
    if version:
        attributes["service.version"] = version
    attributes["deployment.environment.name"] = domain
    return Resource(attributes=_pairs(attributes))


def _points(
    ts_ms: Sequence[int], values: Sequence[float], attributes: dict[str, str]
) -> list[NumberDataPoint]:
    pairs = _pairs(attributes)
    return [
        NumberDataPoint(time_unix_nano=at_ms * MS_NS, as_double=value, attributes=pairs)
        for at_ms, value in zip(ts_ms, values, strict=True)
    ]


def _pairs(attributes: dict[str, str]) -> list[KeyValue]:
    return [KeyValue(key=key, value=AnyValue(string_value=value)) for key, value in attributes.items()]

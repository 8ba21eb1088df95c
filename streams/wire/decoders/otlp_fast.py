"""OTLP metrics in protobuf at line speed: scanned in place, decoded on first sight only.

The result is that of the plain walk (`otlp_metrics.decode_walking`), proved by property tests; only the order
of samples within a record may differ. Text in fields that nobody reads (descriptions, exemplars) is not
checked for valid UTF-8, as the library would.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from google.protobuf.message import DecodeError as ProtobufError
from numpy.typing import NDArray
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric as MetricMessage
from opentelemetry.proto.metrics.v1.metrics_pb2 import NumberDataPoint
from opentelemetry.proto.resource.v1.resource_pb2 import Resource as ResourceMessage

from detectors.telemetry import Kind, Series
from streams.errors import DecodeError
from streams.wire.decoders import otlp, scan_metrics
from streams.wire.decoders.edges import GAP_METRIC, GRAPH_PREFIX
from streams.wire.decoders.resource import Resource, identify, labels_of
from streams.wire.decoders.scan import GIVE_UP, TOO_SMALL
from streams.wire.decoders.series_table import SeriesTable
from streams.wire.record import RawRecord
from streams.wire.telemetry import TelemetryBuilder

_KINDS = {scan_metrics.GAUGE: Kind.GAUGE, scan_metrics.COUNTER: Kind.COUNTER, scan_metrics.DELTA: Kind.DELTA}
_NEEDLES: NDArray[np.uint8] = np.array(
    [list(GRAPH_PREFIX[:21].encode()), list(GAP_METRIC[:21].encode())], dtype=np.uint8
)
MAX_RESOURCES = 100_000
"""Identified resources held; about 1 kB each. Beyond it they are identified anew."""

SlowMetric = Callable[[otlp.Metric, Resource], int]
"""Takes a metric that is not of plain points; returns the samples taken."""
SeenResource = Callable[[Resource, int], None]
"""Told once per resource of a record, with its newest event time in ns."""


class MetricsScanner:
    """Scans records for one builder, whose series numbers it remembers."""

    def __init__(self) -> None:
        self._table = SeriesTable()
        self._resources: dict[tuple[int, int], Resource] = {}
        self._counts = np.zeros(4, dtype=np.int64)
        self._allocate(1024)

    def _allocate(self, points: int) -> None:
        self._series = np.empty(points, dtype=np.int64)
        self._time_ns = np.empty(points, dtype=np.int64)
        self._value = np.empty(points, dtype=np.float64)
        self._hashes = np.empty((points, 2), dtype=np.uint64)
        self._found = np.empty((points, scan_metrics.RESOURCE_COLUMNS), dtype=np.int64)
        self._misses = np.empty((points, scan_metrics.MISS_COLUMNS), dtype=np.int64)
        self._slow = np.empty((points, scan_metrics.SLOW_COLUMNS), dtype=np.int64)

    def decode(
        self, record: RawRecord, into: TelemetryBuilder, on_metric: SlowMetric, on_resource: SeenResource
    ) -> int | None:
        """Take a record's samples; None if it is not plain enough and nothing was taken.

        Raises
        ------
        DecodeError
            A part that had to be decoded by the library is malformed.
        """
        value = record.value or b""
        buffer = np.frombuffer(value, dtype=np.uint8)
        while True:
            status = scan_metrics.scan_metrics(
                buffer,
                _NEEDLES,
                *self._table.looked_up,
                self._series,
                self._time_ns,
                self._value,
                self._value.view(np.uint64),
                self._hashes,
                self._found,
                self._misses,
                self._slow,
                self._counts,
            )
            if status != TOO_SMALL:
                break
            self._allocate(2 * len(self._series))
        if status == GIVE_UP:
            return None
        points, found, missed, slowed = self._counts.tolist()
        try:
            resources = [self._resource(row, value, into) for row in self._found[:found].tolist()]
            for row in self._misses[:missed].tolist():
                self._first_sight(row, value, resources[row[1]], into)
            taken = self._hand_over(points, record.timestamp_ms, into)
            newest = self._found[:found, 4].tolist()
            slow = self._slow[:slowed].tolist()
            for number, resource in enumerate(resources):
                while slow and slow[0][0] == number:
                    _, start, end = slow.pop(0)
                    metric = otlp.metric_of(MetricMessage.FromString(value[start:end]))
                    if metric is not None:
                        newest[number] = max([newest[number], *(point.time_ns for point in metric.points)])
                        taken += on_metric(metric, resource)
                on_resource(resource, newest[number])
        except ProtobufError as error:
            raise DecodeError(f"not OTLP metrics in protobuf: {error}", field="MetricsData") from None
        except UnicodeDecodeError as error:
            raise DecodeError(f"not OTLP metrics in protobuf: {error}", field="Metric") from None
        return taken

    def _resource(self, row: list[int], value: bytes, into: TelemetryBuilder) -> Resource:
        key = (row[2], row[3])
        known = self._resources.get(key)
        if known is None:
            message = ResourceMessage.FromString(value[row[0] : row[1]])
            known = identify(otlp.attributes_of(message.attributes), into.default_domain)
            if len(self._resources) >= MAX_RESOURCES:
                self._resources.clear()
            self._resources[key] = known
        return known

    def _first_sight(self, row: list[int], value: bytes, resource: Resource, into: TelemetryBuilder) -> None:
        point, _, name_start, name_end, unit_start, unit_end, kind, start, end = row
        low, high = self._hashes[point]
        packed = self._table.find(low, high)
        if packed < 0:
            series = Series(
                resource.service,
                value[name_start:name_end].decode(),
                resource.instance,
                None,
                value[unit_start:unit_end].decode() or None,
                _KINDS[kind],
                resource.version,
                labels_of(
                    resource, otlp.attributes_of(NumberDataPoint.FromString(value[start:end]).attributes)
                ),
            )
            packed = self._table.insert(low, high, resource.domain, into.number(resource.domain, series))
        self._series[point] = packed

    def _hand_over(self, points: int, fallback_ms: int, into: TelemetryBuilder) -> int:
        ts_ms = self._time_ns[:points] // 1_000_000
        if fallback_ms and not ts_ms.all():
            ts_ms = np.where(ts_ms == 0, fallback_ms, ts_ms)
        return self._table.hand_over(self._series[:points], ts_ms, self._value[:points], into)

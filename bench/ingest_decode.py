"""Decoding speed: bytes → series number, time, value; one core, against the plain walk of the library.

Run `python bench/ingest_decode.py [--json]`. Each figure is the best of several rounds in one process, so
that a busy machine slows all contestants alike; ratios are what counts.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import cramjam
import orjson
from opentelemetry.proto.logs.v1.logs_pb2 import LogsData
from opentelemetry.proto.metrics.v1.metrics_pb2 import MetricsData

from detectors.catalog import Catalog
from streams.wire.decoders import Decoders, otlp, otlp_metrics, remote_write
from streams.wire.decoders.remote_write_pb import WriteRequest
from streams.wire.record import RawRecord
from streams.wire.telemetry import TelemetryBuilder

RESOURCES, METRICS, POINTS = 20, 5, 5
"""500 points a record, as a collector batches them."""
T0_NS = 1_790_000_000_000_000_000


def request(step: int) -> bytes:
    """One export request: 20 pods, 5 metrics each, 5 attribute sets of 4 attributes."""
    data = MetricsData()
    for pod in range(RESOURCES):
        holder = data.resource_metrics.add()
        described = {
            "service.name": f"service-{pod % 10}",
            "service.namespace": "shop",
            "service.version": "1.4.2",
            "k8s.pod.name": f"service-{pod % 10}-579f59597d-{pod:05d}",
            "k8s.node.name": f"node-{pod % 3}",
            "deployment.environment.name": "production",
        }
        for key, text in described.items():
            pair = holder.resource.attributes.add(key=key)
            pair.value.string_value = text
        scope = holder.scope_metrics.add()
        for number in range(METRICS):
            metric = scope.metrics.add(name=f"http.server.metric.{number}", unit="1")
            if number % 2:
                metric.sum.aggregation_temporality = 2
                metric.sum.is_monotonic = True
            points = metric.sum.data_points if number % 2 else metric.gauge.data_points
            for route in range(POINTS):
                point = points.add(time_unix_nano=T0_NS + step * 15_000_000_000, as_double=step + route / 7)
                attributes = {
                    "http.request.method": "GET",
                    "http.route": f"/api/v1/items/{route}",
                    "http.response.status_code": "200",
                    "url.scheme": "https",
                }
                for key, text in attributes.items():
                    pair = point.attributes.add(key=key)
                    pair.value.string_value = text
    return bytes(data.SerializeToString())


def write_request(step: int, copy: int = 0) -> bytes:
    """One remote-write request: 500 series of 8 labels, one sample each; `copy` tells such sets apart."""
    request = WriteRequest()
    for number in range(500):
        series = request.timeseries.add()
        labels = {
            "__name__": f"http_server_metric_{number % 25}_total",
            "cluster": "production",
            "instance": f"10.{copy}.{number % 20}.7:9090",
            "job": f"shop/service-{number % 10}",
            "method": "GET",
            "pod": f"service-{number % 10}-579f59597d-{copy * 20 + number % 20:05d}",
            "route": f"/api/v1/items/{number % 5}",
            "status": "200",
        }
        for name, text in labels.items():
            series.labels.add(name=name, value=text)
        series.samples.add(timestamp=T0_NS // 1_000_000 + step * 15_000, value=float(step + number))
    return bytes(cramjam.snappy.compress_raw(request.SerializeToString()))


def log_request(step: int) -> bytes:
    """One export request: 500 log lines of 10 pods, 3 attributes each."""
    data = LogsData()
    for pod in range(10):
        holder = data.resource_logs.add()
        for key, text in {"service.name": f"service-{pod}", "k8s.pod.name": f"service-{pod}-0"}.items():
            holder.resource.attributes.add(key=key).value.string_value = text
        scope = holder.scope_logs.add()
        for line in range(50):
            entry = scope.log_records.add(time_unix_nano=T0_NS + step * 10**9 + line, severity_text="INFO")
            entry.body.string_value = (
                f"GET /api/v1/items/{line} took {line * 7 % 93} ms for user {step}{line}"
            )
            for key, text in {"code.function": "handle", "thread.name": "http-1", "logger": "shop"}.items():
                entry.attributes.add(key=key).value.string_value = text
    return bytes(data.SerializeToString())


def native_record(number: int) -> bytes:
    """One sample as headwater's own JSON."""
    sample = {
        "service": f"service-{number % 50}",
        "metric": "cpu",
        "value": number / 7,
        "ts_ms": T0_NS // 1_000_000 + number,
        "instance": f"pod-{number % 7}",
        "labels": {"core": "1"},
    }
    return orjson.dumps(sample)


def builder() -> TelemetryBuilder:
    """A builder with fresh catalogs."""
    catalogs: dict[str, Catalog] = {}
    return TelemetryBuilder(lambda domain: catalogs.setdefault(domain, Catalog()))


def points_per_second(
    decode: Callable[[RawRecord, TelemetryBuilder], int], records: list[RawRecord]
) -> float:
    """The best of five rounds, after one to warm up."""
    into = builder()
    best = float("inf")
    points = 0
    for _ in range(6):
        began = time.perf_counter()
        points = sum(decode(record, into) for record in records)
        best = min(best, time.perf_counter() - began)
        into.take()
    return points / best


def parse_only(record: RawRecord, _into: TelemetryBuilder) -> int:
    """The library's parser without any walk: nothing built on its objects can be faster."""
    data = MetricsData()
    data.ParseFromString(record.value or b"")
    return RESOURCES * METRICS * POINTS


def walk_only(record: RawRecord, _into: TelemetryBuilder) -> int:
    """The plain walk: every point's attributes, time and value into Python objects, and nothing more."""
    return sum(
        len(metric.points)
        for _, metrics in otlp.metrics_from_protobuf(record.value or b"")
        for metric in metrics
    )


def measure() -> dict[str, Any]:
    """All contestants on the same records."""
    records = [RawRecord("otlp_metrics", 0, step, None, request(step)) for step in range(20)]
    decoders = Decoders()
    figures = {
        "parse_only": points_per_second(parse_only, records),
        "plain_walk": points_per_second(walk_only, records),
        "walk_to_series": points_per_second(otlp_metrics.decode_walking, records),
        "headwater": points_per_second(decoders.decode, records),
    }
    pushed = [RawRecord("prometheus", 0, step, None, write_request(step)) for step in range(20)]
    remote = {
        "walk_to_series": points_per_second(remote_write.decode_walking, pushed),
        "headwater": points_per_second(Decoders({"prometheus": "prometheus_remote_write"}).decode, pushed),
    }
    lines = [RawRecord("otlp_logs", 0, step, None, log_request(step)) for step in range(20)]
    single = [
        RawRecord("headwater.metrics", 0, number, None, native_record(number)) for number in range(10_000)
    ]
    return {
        "otlp_log_lines_per_s": {"headwater": round(points_per_second(decoders.decode, lines))},
        "json_samples_per_s": {
            "orjson_alone": round(
                points_per_second(lambda each, _: bool(orjson.loads(each.value or b"")), single)
            ),
            "headwater": round(points_per_second(decoders.decode, single)),
        },
        "remote_write_samples_per_s": {name: round(value) for name, value in remote.items()},
        "otlp_protobuf_points_per_s": {name: round(value) for name, value in figures.items()},
        "times_the_plain_walk": round(figures["headwater"] / figures["plain_walk"], 2),
        "bytes_per_point": round(len(records[0].value or b"") / (RESOURCES * METRICS * POINTS), 1),
    }


if __name__ == "__main__":
    found = measure()
    if "--json" in sys.argv:
        print(json.dumps(found))
    else:
        for what in [name for name in found if name.endswith("_per_s")]:
            print(what)
            for name, value in found[what].items():
                print(f"  {name:<16}{value:>12,}")
        print(f"headwater is {found['times_the_plain_walk']} × the plain walk")

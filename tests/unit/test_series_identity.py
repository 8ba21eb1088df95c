"""What different things say of themselves stays apart, and what is one thing stays one."""

import orjson
import pytest

from detectors.catalog import Catalog
from streams.wire.decoders import Decoders
from streams.wire.record import RawRecord
from streams.wire.telemetry import TelemetryBuilder

START_MS = 1_700_000_000_000
POD = {"k8s.pod.name": "cart-579f59597d-wc2lz", "k8s.pod.uid": "u1", "k8s.namespace.name": "shop"}


def attributes_of(described):
    return [{"key": key, "value": {"stringValue": value}} for key, value in described.items()]


def request(described, metric):
    resource = {"attributes": attributes_of(described)}
    return orjson.dumps(
        {"resourceMetrics": [{"resource": resource, "scopeMetrics": [{"metrics": [metric]}]}]}
    )


def gauge(described, step=0):
    point = {"timeUnixNano": str((START_MS + 15_000 * step) * 10**6), "asDouble": 1.0}
    return request(described, {"name": "used", "gauge": {"dataPoints": [point]}})


def calls(described, number, step):
    call = attributes_of({"client": "web", "server": "cart"})
    stamp = str((START_MS + 15_000 * step) * 10**6)
    point = {"timeUnixNano": stamp, "asInt": number, "attributes": call}
    of_all = {"aggregationTemporality": 2, "isMonotonic": True, "dataPoints": [point]}
    return request(described, {"name": "traces_service_graph_request_total", "sum": of_all})


def durations(described, number, step):
    stamp = str((START_MS + 15_000 * step) * 10**6)
    point = {"timeUnixNano": stamp, "count": number, "sum": number, "bucketCounts": []}
    return request(
        described, {"name": "t", "histogram": {"aggregationTemporality": 2, "dataPoints": [point]}}
    )


def read(*records):
    """The series that the records are of, and their values."""
    catalog = Catalog()
    builder, decoders = TelemetryBuilder(lambda _: catalog), Decoders()
    for record in records:
        decoders.decode(RawRecord("otlp_metrics", 0, 0, None, record, (), START_MS), builder)
    samples = builder.take()["default"].samples
    return [(catalog[each], value) for each, value in zip(samples.series, samples.value, strict=True)]


@pytest.mark.parametrize(
    ("one", "other", "service"),
    [
        (POD | {"k8s.container.name": "cart"}, POD | {"k8s.container.name": "proxy"}, "cart"),
        (POD | {"k8s.volume.name": "data"}, POD | {"k8s.volume.name": "tmp"}, "cart"),
        (
            {"k8s.deployment.name": "cart", "k8s.namespace.name": "a"},
            {"k8s.deployment.name": "cart", "k8s.namespace.name": "b"},
            "cart",
        ),
        (
            {"k8s.replicaset.name": "cart-579f59597d", "k8s.namespace.name": "shop"},
            {"k8s.replicaset.name": "web-68c66d57d5", "k8s.namespace.name": "shop"},
            None,
        ),
        (
            {"k8s.namespace.name": "a", "k8s.hpa.name": "x"},
            {"k8s.namespace.name": "a", "k8s.hpa.name": "y"},
            "a",
        ),
        (
            {"host.name": "n1", "container.name": "redis", "container.id": "1"},
            {"host.name": "n1", "container.name": "cart", "container.id": "2"},
            None,
        ),
        ({"host.name": "n1", "process.pid": "7"}, {"host.name": "n1", "process.pid": "8"}, "n1"),
        (
            {"postgresql.database.name": "orders", "postgresql.table.name": "a"},
            {"postgresql.database.name": "orders", "postgresql.table.name": "b"},
            "unknown_service",
        ),
        (
            {"server.address": "redis-a", "server.port": "6379"},
            {"server.address": "redis-b", "server.port": "6379"},
            "unknown_service",
        ),
    ],
)
def test_two_things_that_a_receiver_reports_are_two_series(one, other, service):
    (first, _), (second, _) = read(gauge(one), gauge(other))
    assert first != second
    assert service is None or first.service == second.service == service


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (POD | {"k8s.deployment.name": "cart", "k8s.container.name": "cart", "container.id": "1"},
         POD | {"k8s.deployment.name": "cart", "k8s.container.name": "cart", "container.id": "2"}),
        ({"host.name": "n1", "container.name": "cart", "container.id": "1", "container.hostname": "1"},
         {"host.name": "n1", "container.name": "cart", "container.id": "2", "container.hostname": "2"}),
        ({"service.name": "cart", "host.name": "n1", "process.pid": "7", "telemetry.sdk.version": "1"},
         {"service.name": "cart", "host.name": "n1", "process.pid": "8", "telemetry.sdk.version": "2"}),
        ({"server.address": "a", "redis.version": "7"}, {"server.address": "a", "redis.version": "8"}),
    ],
)  # fmt: skip
def test_a_restart_is_no_new_series(before, after):
    (first, _), (second, _) = read(gauge(before), gauge(after))
    assert first == second


def test_each_collector_counts_calls_from_its_own_sum():
    one, other = {"service.instance.id": "collector-1"}, {"service.instance.id": "collector-2"}
    records = [calls(who, total, step) for step, (who, total) in enumerate(
        [(one, 1_000), (other, 10), (one, 1_005), (other, 11), (one, 1_010), (other, 12)]
    )]  # fmt: skip
    assert [value for _, value in read(*records)] == [5.0, 1.0, 5.0, 1.0]


def test_each_version_in_a_rollout_counts_from_its_own_sum():
    old, new = ({"service.name": "cart", "service.version": version} for version in "12")
    records = [durations(who, total, step) for step, (who, total) in enumerate(
        [(old, 1_000), (new, 10), (old, 1_005), (new, 11), (old, 1_010), (new, 12)]
    )]  # fmt: skip
    counted = [(series.version, value) for series, value in read(*records) if series.metric == "t.count"]
    assert counted == [("1", 5.0), ("2", 1.0), ("1", 5.0), ("2", 1.0)]

"""Parting a record by service loses nothing and gives every part one service."""

import contextlib

import pytest
from google.protobuf import json_format
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.logs.v1.logs_pb2 import LogsData
from opentelemetry.proto.metrics.v1.metrics_pb2 import MetricsData

from detectors import Catalog
from streams.errors import DecodeError
from streams.wire.decoders import Decoders
from streams.wire.decoders.remote_write_pb import WriteRequest
from streams.wire.record import RawRecord
from streams.wire.telemetry import TelemetryBuilder

SERVICES = st.lists(st.sampled_from(["cart", "payment", "frontend"]), min_size=1, max_size=8)
DECODERS = Decoders({"pushed": "prometheus_remote_write"})
STAMP_MS = 1_790_000_000_000


def said(topic, values):
    """Samples and lines of some values, as a sorted list, and the services that they name."""
    catalogs = {}
    into = TelemetryBuilder(lambda domain: catalogs.setdefault(domain, Catalog()))
    for value in values:
        DECODERS.decode(RawRecord(topic, 0, 0, None, value, (), STAMP_MS), into)
    found, services = [], set()
    for domain, telemetry in into.take().items():
        samples, logs = telemetry.samples, telemetry.logs
        for ts_ms, number, value in zip(samples.ts_ms, samples.series, samples.value, strict=True):
            found.append((domain, str(catalogs[domain][int(number)]), int(ts_ms), float(value)))
            services.add(catalogs[domain][int(number)].service)
        found += [(domain, *map(str, line)) for line in zip(logs.ts_ms, logs.service, logs.body, strict=True)]
        services |= set(logs.service)
    return sorted(found), services


def metrics_of(services):
    data = MetricsData()
    for number, service in enumerate(services):
        holder = data.resource_metrics.add()
        holder.resource.attributes.add(key="service.name").value.string_value = service
        metric = holder.scope_metrics.add().metrics.add(name="cpu")
        metric.gauge.data_points.add(time_unix_nano=(STAMP_MS + number) * 10**6, as_double=number)
    return data.SerializeToString()


def logs_of(services):
    data = LogsData()
    for number, service in enumerate(services):
        holder = data.resource_logs.add()
        holder.resource.attributes.add(key="service.name").value.string_value = service
        line = holder.scope_logs.add().log_records.add(time_unix_nano=(STAMP_MS + number) * 10**6)
        line.body.string_value = f"line {number}"
    return data.SerializeToString()


def pushed_by(services):
    from cramjam import snappy

    request = WriteRequest()
    for number, service in enumerate(services):
        series = request.timeseries.add()
        for name, text in (("__name__", f"up_{number}"), ("job", service)):
            series.labels.add(name=name, value=text)
        series.samples.add(timestamp=STAMP_MS + number, value=number)
    # Metadata, as Prometheus sends it beside: field 3.
    return bytes(snappy.compress_raw(request.SerializeToString() + b"\x1a\x02\x08\x01"))


def native_of(services):
    import orjson

    each = [
        {"service": service, "metric": "cpu", "value": number, "ts_ms": STAMP_MS + number}
        for number, service in enumerate(services)
    ]
    return orjson.dumps(each)


MAKERS = {
    "otlp_metrics": metrics_of,
    "otlp_logs": logs_of,
    "pushed": pushed_by,
    "headwater.metrics": native_of,
}


@settings(deadline=None)  # the first call compiles the scanners
@given(SERVICES, st.sampled_from(sorted(MAKERS)))
def test_the_parts_say_what_the_record_said_and_each_is_of_one_service(services, topic):
    value = MAKERS[topic](services)
    parts = DECODERS.split(RawRecord(topic, 0, 0, None, value))

    assert [service for service, _ in parts] == list(dict.fromkeys(services))
    assert said(topic, [part for _, part in parts])[0] == said(topic, [value])[0]
    assert all(said(topic, [part])[1] == {service} for service, part in parts)
    if len(parts) == 1:
        assert parts[0][1] == value


@settings(deadline=None)
@given(SERVICES)
def test_otlp_in_json_is_parted_like_its_protobuf(services):
    value = json_format.MessageToJson(MetricsData.FromString(metrics_of(services))).encode()
    parts = DECODERS.split(RawRecord("otlp_metrics", 0, 0, None, value))

    assert [service for service, _ in parts] == list(dict.fromkeys(services))
    assert said("otlp_metrics", [part for _, part in parts]) == said("otlp_metrics", [value])


@given(st.binary(max_size=60), st.sampled_from(sorted(MAKERS)))
def test_garbage_is_refused_or_parted_and_nothing_else(value, topic):
    with contextlib.suppress(DecodeError):
        assert DECODERS.split(RawRecord(topic, 0, 0, None, value)) != []


@pytest.mark.parametrize("topic", ["cdevents", "headwater.deploys"])
def test_formats_without_a_split_are_left_whole(topic):
    assert DECODERS.split(RawRecord(topic, 0, 0, None, b'{"service": "cart"}')) == []

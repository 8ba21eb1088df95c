"""Prometheus samples: remote write 1.0 (snappy, protobuf) and prometheus-kafka-adapter's JSON.

Neither says what type a metric is: `_total`, `_count`, `_sum` and `_bucket` are counters by convention,
all else is a gauge. Buckets that come with their `+Inf` in one record become a histogram (and service
graphs edges); lone buckets are left out, for a counter a bucket would be many series that say one thing.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import inf, isnan
from typing import Any, NamedTuple

from google.protobuf.message import DecodeError as ProtobufError

from detectors.telemetry import Kind, Series
from streams.errors import DecodeError
from streams.wire.decoders.edges import GRAPH_PREFIX, EdgeCollector
from streams.wire.decoders.otlp import CUMULATIVE, HistogramPoint, Metric, NumberPoint
from streams.wire.decoders.otlp_metrics import take_metric
from streams.wire.decoders.reading import mapping, number, required_text, text, time_ms
from streams.wire.decoders.resource import UNNAMED, Resource, canonical_labels
from streams.wire.record import RawRecord
from streams.wire.telemetry import TelemetryBuilder

COUNTER_SUFFIXES = ("_total", "_count", "_sum", "_bucket")
DOMAIN_LABELS = (
    "deployment_environment_name",
    "deployment_environment",
    "k8s_cluster_name",
    "cluster",
    "environment",
    "env",
)
SERVICE_LABELS = ("service_name", "app_kubernetes_io_name", "app", "job", "service")
INSTANCE_LABELS = ("service_instance_id", "k8s_pod_name", "pod", "instance")
MAX_UNPACKED = 128 * 1024 * 1024
"""Larger requests are refused before they are unpacked: snappy can claim any size in five bytes."""


class Sample(NamedTuple):
    """One sample of one Prometheus series."""

    labels: dict[str, str]
    ts_ms: int
    value: float


def decode_remote_write(record: RawRecord, into: TelemetryBuilder) -> int:
    """Decode a snappy block of a `prometheus.WriteRequest`; returns the samples taken."""
    if not record.value:
        raise DecodeError("empty record")
    from streams.wire.decoders.remote_write_pb import WriteRequest

    request = WriteRequest()
    try:
        request.ParseFromString(unpack(record.value))
    except ProtobufError as error:
        raise DecodeError(f"not a remote-write 1.0 request: {error}", field="WriteRequest") from None
    if not request.timeseries:
        # Remote write 2.0 has other field numbers and parses as nothing at all.
        raise DecodeError("no series in it; is it remote write 2.0?", field="WriteRequest.timeseries")
    samples = (
        Sample(labels, sample.timestamp, sample.value)
        for series in request.timeseries
        for labels in ({label.name: label.value for label in series.labels},)
        for sample in series.samples
    )
    return _take(samples, into)


def decode_adapter_document(document: Any, _record: RawRecord, into: TelemetryBuilder) -> int:
    """Decode one sample of prometheus-kafka-adapter; its time has whole seconds only, its value is text."""
    sample = mapping(document, "")
    labels = mapping(sample.get("labels"), "labels")
    known = {key: text(value, f"labels.{key}") for key, value in labels.items()}
    known.setdefault("__name__", required_text(sample.get("name"), "name"))
    return _take(
        [Sample(known, time_ms(sample.get("timestamp"), "timestamp"), number(sample.get("value"), "value"))],
        into,
    )


def is_adapter_shape(document: Any) -> bool:
    """Whether a JSON document is a sample of prometheus-kafka-adapter."""
    return isinstance(document, dict) and document.keys() >= {"timestamp", "value", "name", "labels"}


def unpack(value: bytes) -> bytes:
    """Undo snappy's block format.

    Raises
    ------
    DecodeError
        Not snappy, or larger than allowed; or the optional dependency is not installed.
    """
    try:
        from cramjam import snappy
    except ImportError:
        raise DecodeError("remote write needs the extra: pip install 'headwater[prometheus]'") from None
    try:
        size = snappy.decompress_raw_len(value)
        if size > MAX_UNPACKED:
            raise DecodeError(f"unpacks to {size} bytes; at most {MAX_UNPACKED} are read")
        return bytes(snappy.decompress_raw(value))
    except DecodeError:
        raise
    except Exception as error:  # cramjam's error types are private to its build
        raise DecodeError(f"not a snappy block: {str(error)[:200]}") from None


def identify(labels: dict[str, str], default_domain: str) -> tuple[Resource, dict[str, str]]:
    """Part a series' labels into the entity and the rest.

    By OpenTelemetry's rules of compatibility `job` is `service.namespace/service.name`.
    """
    rest = dict(labels)
    rest.pop("__name__", None)
    domain = _take_first(rest, DOMAIN_LABELS) or default_domain
    service = _take_first(rest, SERVICE_LABELS)
    namespace = rest.pop("service_namespace", None)
    instance = _take_first(rest, INSTANCE_LABELS)
    version = rest.pop("service_version", None) or rest.pop("version", None)
    name = service or UNNAMED
    qualified = f"{namespace}/{name}" if namespace and "/" not in name else name
    return Resource(domain, qualified, instance, version, namespace, service is not None), rest


def _take(samples: Iterable[Sample], into: TelemetryBuilder) -> int:
    taken = 0
    edges = EdgeCollector(into)
    buckets: dict[tuple[str, str, int], list[Sample]] = {}
    for sample in samples:
        name = sample.labels.get("__name__")
        if not name:
            raise DecodeError("a series has no __name__", field="labels")
        if isnan(sample.value):
            continue  # also Prometheus' stale marker, a NaN of its own
        if name.endswith("_bucket") and "le" in sample.labels:
            base = {key: value for key, value in sample.labels.items() if key not in ("le", "__name__")}
            key = (name.removesuffix("_bucket"), canonical_labels(base), sample.ts_ms)
            buckets.setdefault(key, []).append(sample)
            continue
        resource, rest = identify(sample.labels, into.default_domain)
        if name.startswith(GRAPH_PREFIX):
            point = NumberPoint(sample.labels, sample.ts_ms * 1_000_000, 0, sample.value)
            edges.take(Metric(name, None, "sum", CUMULATIVE, True, [point]), resource, sample.ts_ms)
            continue
        kind = Kind.COUNTER if name.endswith(COUNTER_SUFFIXES) else Kind.GAUGE
        series = Series(
            resource.service,
            name,
            resource.instance,
            None,
            None,
            kind,
            resource.version,
            canonical_labels(rest),
        )
        taken += into.sample(resource.domain, series, sample.ts_ms, sample.value)
    for (name, _, ts_ms), found in buckets.items():
        metric = _histogram(name, ts_ms, found)
        if metric is None:
            continue
        resource, rest = identify(found[0].labels, into.default_domain)
        if not edges.take(metric, resource, ts_ms):
            rest.pop("le", None)
            metric.points[0].attributes.clear()
            metric.points[0].attributes.update(rest)
            taken += take_metric(metric, resource, ts_ms, into)
    return taken + edges.flush()


def _histogram(name: str, ts_ms: int, found: list[Sample]) -> Metric | None:
    """Cumulative-by-`le` buckets as one histogram; None if they are not whole."""
    by_bound: dict[float, float] = {}
    for sample in found:
        try:
            by_bound[float(sample.labels["le"])] = sample.value
        except ValueError:
            raise DecodeError(f"{sample.labels['le'][:40]!r} is no bound", field="labels.le") from None
    bounds = sorted(by_bound)
    if not bounds or bounds[-1] != inf or any(isnan(bound) for bound in bounds):
        return None
    totals = [int(by_bound[bound]) if abs(by_bound[bound]) < 2**63 else 0 for bound in bounds]
    counts = [after - before for before, after in zip([0, *totals], totals, strict=False)]
    if any(count < 0 for count in counts):
        return None
    attributes = {key: value for key, value in found[0].labels.items() if key not in ("le", "__name__")}
    point = HistogramPoint(
        attributes, ts_ms * 1_000_000, 0, totals[-1], None, tuple(bounds[:-1]), tuple(counts)
    )
    return Metric(name, None, "histogram", CUMULATIVE, True, [point])


def _take_first(labels: dict[str, str], keys: tuple[str, ...]) -> str | None:
    for key in keys:
        if labels.get(key):
            return labels.pop(key)
    return None

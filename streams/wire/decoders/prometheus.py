"""Prometheus samples, from remote write and from prometheus-kafka-adapter's JSON.

Neither says what type a metric is: `_total`, `_count`, `_sum` and `_bucket` are counters by convention,
all else is a gauge. Buckets that come with their `+Inf` in one record become a histogram (and service
graphs edges); lone buckets are left out, for a counter a bucket would be many series that say one thing.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import inf, isnan
from typing import Any, NamedTuple

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


class Sample(NamedTuple):
    """One sample of one Prometheus series."""

    labels: dict[str, str]
    ts_ms: int
    value: float


def decode_adapter_document(document: Any, _record: RawRecord, into: TelemetryBuilder) -> int:
    """Decode one sample of prometheus-kafka-adapter; its time has whole seconds only, its value is text."""
    sample = mapping(document, "")
    labels = mapping(sample.get("labels"), "labels")
    known = {key: text(value, f"labels.{key}") for key, value in labels.items()}
    known.setdefault("__name__", required_text(sample.get("name"), "name"))
    return take(
        [Sample(known, time_ms(sample.get("timestamp"), "timestamp"), number(sample.get("value"), "value"))],
        into,
    )


def is_adapter_shape(document: Any) -> bool:
    """Whether a JSON document is a sample of prometheus-kafka-adapter."""
    return isinstance(document, dict) and document.keys() >= {"timestamp", "value", "name", "labels"}


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


def take(samples: Iterable[Sample], into: TelemetryBuilder) -> int:
    """Take samples of any series; returns how many samples they became."""
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
        elif name.startswith(GRAPH_PREFIX):
            resource, _ = identify(sample.labels, into.default_domain)
            point = NumberPoint(sample.labels, sample.ts_ms * 1_000_000, 0, sample.value)
            edges.take(Metric(name, None, "sum", CUMULATIVE, True, [point]), resource, sample.ts_ms)
        else:
            domain, series = series_of(sample.labels, into.default_domain)
            taken += into.sample(domain, series, sample.ts_ms, sample.value)
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


def series_of(labels: dict[str, str], default_domain: str) -> tuple[str, Series]:
    """Domain and identity of a series that stands for itself."""
    resource, rest = identify(labels, default_domain)
    name = labels["__name__"]
    kind = Kind.COUNTER if name.endswith(COUNTER_SUFFIXES) else Kind.GAUGE
    return resource.domain, Series(
        resource.service,
        name,
        resource.instance,
        None,
        None,
        kind,
        resource.version,
        canonical_labels(rest),
    )


def stands_for_itself(labels: dict[str, str]) -> bool:
    """Whether a series is neither part of a histogram nor of a service graph."""
    name = labels.get("__name__", "")
    return not (name.startswith(GRAPH_PREFIX) or (name.endswith("_bucket") and "le" in labels))


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

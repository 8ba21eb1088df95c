"""OTLP metrics as plain values, from protobuf and from JSON; the two agree (property test).

Spec: opentelemetry-proto 1.x. In JSON, 64-bit integers are strings (numbers are accepted too), enums are
integers (names are accepted too), keys are lowerCamelCase, byte ids are hex.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import orjson
from google.protobuf.message import DecodeError as ProtobufError
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import MetricsData

from streams.errors import DecodeError

NO_VALUE = 1
"""DATA_POINT_FLAGS_NO_RECORDED_VALUE_MASK: a stale marker."""
DELTA, CUMULATIVE = 1, 2
TEMPORALITY = {
    "AGGREGATION_TEMPORALITY_DELTA": DELTA,
    "AGGREGATION_TEMPORALITY_CUMULATIVE": CUMULATIVE,
    "AGGREGATION_TEMPORALITY_UNSPECIFIED": 0,
}


class NumberPoint(NamedTuple):
    """A point of a gauge or a sum."""

    attributes: dict[str, str]
    time_ns: int
    start_ns: int
    value: float


class HistogramPoint(NamedTuple):
    """A point of an explicit-bucket histogram; `counts` has one more entry than `bounds`, or none."""

    attributes: dict[str, str]
    time_ns: int
    start_ns: int
    total: int
    sum: float | None
    bounds: tuple[float, ...]
    counts: tuple[int, ...]


class ExponentialPoint(NamedTuple):
    """A point of an exponential histogram."""

    attributes: dict[str, str]
    time_ns: int
    start_ns: int
    total: int
    sum: float | None
    scale: int
    zero_count: int
    zero_threshold: float
    positive_offset: int
    positive: tuple[int, ...]
    negative_offset: int
    negative: tuple[int, ...]


class SummaryPoint(NamedTuple):
    """A point of a summary; `quantiles` are (q, value)."""

    attributes: dict[str, str]
    time_ns: int
    start_ns: int
    total: int
    sum: float
    quantiles: tuple[tuple[float, float], ...]


Point = NumberPoint | HistogramPoint | ExponentialPoint | SummaryPoint


class Metric(NamedTuple):
    """One metric of one resource."""

    name: str
    unit: str | None
    shape: str
    """gauge, sum, histogram, exponential or summary."""
    temporality: int
    monotonic: bool
    points: list[Point]


def metrics_from_protobuf(value: bytes) -> Iterator[tuple[dict[str, str], list[Metric]]]:
    """Walk an `ExportMetricsServiceRequest` (or `MetricsData`, the same bytes), one resource at a time.

    Raises
    ------
    DecodeError
        Not protobuf, or of another message.
    """
    data = MetricsData()
    try:
        data.ParseFromString(value)
    except ProtobufError as error:
        raise DecodeError(f"not OTLP metrics in protobuf: {error}", field="MetricsData") from None
    for resource in data.resource_metrics:
        metrics = [metric_of(metric) for scope in resource.scope_metrics for metric in scope.metrics]
        yield attributes_of(resource.resource.attributes), [metric for metric in metrics if metric]


def attributes_of(pairs: Any) -> dict[str, str]:
    """Attributes as text; a key given twice keeps its last value."""
    return {pair.key: text_of(pair.value) for pair in pairs}


def text_of(value: AnyValue) -> str:
    """Spell an attribute's value canonically, the same for protobuf and JSON."""
    kind = value.WhichOneof("value")
    match kind:
        case "string_value":
            return str(value.string_value)
        case "int_value":
            return str(value.int_value)
        case "bool_value":
            return "true" if value.bool_value else "false"
        case "double_value":
            return repr(value.double_value)
        case None:
            return ""
        case _:
            return compact(plain(value))


def plain(value: AnyValue) -> Any:
    """An attribute's value, or a log body, as plain JSON data."""
    kind = value.WhichOneof("value")
    match kind:
        case "array_value":
            return [plain(each) for each in value.array_value.values]
        case "kvlist_value":
            return {pair.key: plain(pair.value) for pair in value.kvlist_value.values}
        case "bytes_value":
            return value.bytes_value.hex()
        case None:
            return None
        case _:
            return getattr(value, kind)


def compact(document: Any) -> str:
    """Canonical JSON text of structured values."""
    try:
        return orjson.dumps(document, option=orjson.OPT_SORT_KEYS).decode()
    except TypeError as error:
        raise DecodeError(f"value cannot be spelled: {error}") from None


def metric_of(metric: Any) -> Metric | None:
    """One metric message as plain values; None if it holds no data."""
    which = metric.WhichOneof("data")
    if which is None:
        return None
    data: Any = getattr(metric, which)
    shape, read = _SHAPES[which]
    points: list[Point] = [read(each) for each in data.data_points if _has_value(which, each)]
    temporality = (
        CUMULATIVE if which == "summary" else 0 if which == "gauge" else data.aggregation_temporality
    )
    monotonic = data.is_monotonic if which == "sum" else which != "gauge"
    return Metric(metric.name, metric.unit or None, shape, temporality, monotonic, points)


def _has_value(which: str, point: Any) -> bool:
    if point.flags & NO_VALUE:
        return False
    return which not in ("gauge", "sum") or point.WhichOneof("value") is not None


def _number(point: Any) -> NumberPoint:
    return NumberPoint(
        attributes_of(point.attributes),
        point.time_unix_nano,
        point.start_time_unix_nano,
        point.as_double if point.WhichOneof("value") == "as_double" else float(point.as_int),
    )


def _histogram(point: Any) -> HistogramPoint:
    return HistogramPoint(
        attributes_of(point.attributes),
        point.time_unix_nano,
        point.start_time_unix_nano,
        point.count,
        point.sum if point.HasField("sum") else None,
        tuple(point.explicit_bounds),
        tuple(point.bucket_counts),
    )


def _exponential(point: Any) -> ExponentialPoint:
    return ExponentialPoint(
        attributes_of(point.attributes),
        point.time_unix_nano,
        point.start_time_unix_nano,
        point.count,
        point.sum if point.HasField("sum") else None,
        point.scale,
        point.zero_count,
        point.zero_threshold,
        point.positive.offset,
        tuple(point.positive.bucket_counts),
        point.negative.offset,
        tuple(point.negative.bucket_counts),
    )


def _summary(point: Any) -> SummaryPoint:
    return SummaryPoint(
        attributes_of(point.attributes),
        point.time_unix_nano,
        point.start_time_unix_nano,
        point.count,
        point.sum,
        tuple((each.quantile, each.value) for each in point.quantile_values),
    )


_SHAPES: dict[str, tuple[str, Callable[[Any], Point]]] = {
    "gauge": ("gauge", _number),
    "sum": ("sum", _number),
    "histogram": ("histogram", _histogram),
    "exponential_histogram": ("exponential", _exponential),
    "summary": ("summary", _summary),
}

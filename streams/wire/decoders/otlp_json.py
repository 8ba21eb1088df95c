"""OTLP/JSON as the same plain values as protobuf, without protobuf's slow and id-breaking JSON parser."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from streams.errors import DecodeError
from streams.wire.decoders.otlp import (
    CUMULATIVE,
    NO_VALUE,
    TEMPORALITY,
    ExponentialPoint,
    HistogramPoint,
    Metric,
    NumberPoint,
    Point,
    SummaryPoint,
    compact,
)
from streams.wire.decoders.reading import integer, mapping, number, sequence, text

_SHAPES = {
    "gauge": "gauge",
    "sum": "sum",
    "histogram": "histogram",
    "exponentialHistogram": "exponential",
    "summary": "summary",
}


def metrics_from_json(document: Any) -> Iterator[tuple[dict[str, str], list[Metric]]]:
    """Walk parsed OTLP/JSON, one resource at a time.

    Raises
    ------
    DecodeError
        Names the offending field by its path.
    """
    for r, resource in enumerate(resources(document, "resourceMetrics")):
        where = f"resourceMetrics[{r}]"
        found = []
        scopes = sequence(mapping(resource, where).get("scopeMetrics"), f"{where}.scopeMetrics")
        for s, scope in enumerate(scopes):
            there = f"{where}.scopeMetrics[{s}]"
            for m, metric in enumerate(sequence(mapping(scope, there).get("metrics"), f"{there}.metrics")):
                known = _metric(mapping(metric, f"{there}.metrics[{m}]"), f"{there}.metrics[{m}]")
                if known:
                    found.append(known)
        yield resource_attributes(resource, where), found


def resources(document: Any, key: str) -> list[Any]:
    """Return what is under the one key of a request; an empty object is a request without any.

    Raises
    ------
    DecodeError
        It is something else.
    """
    request = mapping(document, "")
    if request and key not in request:
        raise DecodeError("is missing (OTLP/JSON spells names in lowerCamelCase)", field=key)
    return sequence(request.get(key), key)


def resource_attributes(holder: dict[str, Any], where: str) -> dict[str, str]:
    """The attributes of `holder["resource"]`."""
    resource = mapping(mapping(holder, where).get("resource"), f"{where}.resource")
    return attributes_of(resource.get("attributes"), f"{where}.resource.attributes")


def attributes_of(pairs: Any, where: str) -> dict[str, str]:
    """Attributes as text; a key given twice keeps its last value."""
    found = {}
    for index, pair in enumerate(sequence(pairs, where)):
        known = mapping(pair, f"{where}[{index}]")
        found[_text(known.get("key"), f"{where}[{index}].key")] = text_of(
            known.get("value"), f"{where}[{index}].value"
        )
    return found


def text_of(value: Any, where: str) -> str:
    """Spell an attribute's value canonically, the same for protobuf and JSON."""
    found = plain(value, where)
    match found:
        case None:
            return ""
        case str():
            return found
        case bool():
            return "true" if found else "false"
        case int() | float():
            return repr(found)
        case _:
            return compact(found)


def plain(value: Any, where: str, depth: int = 0) -> Any:
    """An OTLP/JSON `AnyValue` as plain JSON data."""
    if depth > 32:
        raise DecodeError("nested deeper than 32 levels", field=where[:80])
    known = mapping(value, where)
    for kind, content in known.items():
        if content is None:
            continue
        match kind:
            case "stringValue":
                return text(content, where)
            case "intValue":
                return integer(content, where)
            case "boolValue":
                if not isinstance(content, bool):
                    raise DecodeError("expected true or false", field=where)
                return content
            case "doubleValue":
                return number(content, where)
            case "bytesValue":
                return _hex(text(content, where), where)
            case "arrayValue":
                values = sequence(mapping(content, where).get("values"), where)
                return [plain(each, where, depth + 1) for each in values]
            case "kvlistValue":
                pairs = sequence(mapping(content, where).get("values"), where)
                return {
                    _text(mapping(pair, where).get("key"), where): plain(pair.get("value"), where, depth + 1)
                    for pair in pairs
                }
    return None


def _text(value: Any, where: str) -> str:
    """Text; null is unset, as in all of protobuf's JSON."""
    return "" if value is None else text(value, where)


def _double(value: Any, where: str) -> float:
    return 0.0 if value is None else number(value, where)


def _hex(content: str, where: str) -> str:
    from base64 import b64decode
    from binascii import Error

    try:
        return b64decode(content, validate=True).hex()
    except (Error, ValueError):
        raise DecodeError("expected base64", field=where) from None


def _metric(metric: dict[str, Any], where: str) -> Metric | None:
    name = _text(metric.get("name"), f"{where}.name")
    unit = _text(metric.get("unit"), f"{where}.unit") or None
    key = next((each for each in _SHAPES if metric.get(each) is not None), None)
    if key is None:
        return None
    data = mapping(metric[key], f"{where}.{key}")
    inner = f"{where}.{key}.dataPoints"
    read = {
        "gauge": _number,
        "sum": _number,
        "histogram": _histogram,
        "exponentialHistogram": _exponential,
        "summary": _summary,
    }[key]
    points: list[Point] = []
    for index, each in enumerate(sequence(data.get("dataPoints"), inner)):
        there = f"{inner}[{index}]"
        point = mapping(each, there)
        if integer(point.get("flags"), f"{there}.flags") & NO_VALUE:
            continue
        found = read(point, there)
        if found:
            points.append(found)
    temporality = CUMULATIVE if key == "summary" else _temporality(data, f"{where}.{key}")
    monotonic = key not in ("gauge", "sum") or data.get("isMonotonic") is True
    return Metric(name, unit, _SHAPES[key], 0 if key == "gauge" else temporality, monotonic, points)


def _temporality(data: dict[str, Any], where: str) -> int:
    value = data.get("aggregationTemporality")
    if isinstance(value, str) and value in TEMPORALITY:
        return TEMPORALITY[value]
    return integer(value, f"{where}.aggregationTemporality")


def _times(point: dict[str, Any], where: str) -> tuple[int, int]:
    return (
        unsigned(point.get("timeUnixNano"), f"{where}.timeUnixNano"),
        unsigned(point.get("startTimeUnixNano"), f"{where}.startTimeUnixNano"),
    )


def unsigned(value: Any, where: str) -> int:
    """A whole number of 64 bits without sign; null and absent are 0."""
    found = integer(value, where)
    if not 0 <= found < 1 << 64:
        raise DecodeError("outside 64 bits", field=where)
    return found


def _attributes(point: dict[str, Any], where: str) -> dict[str, str]:
    return attributes_of(point.get("attributes"), f"{where}.attributes")


def _number(point: dict[str, Any], where: str) -> NumberPoint | None:
    if point.get("asDouble") is not None:
        value = number(point["asDouble"], f"{where}.asDouble")
    elif point.get("asInt") is not None:
        value = number(integer(point["asInt"], f"{where}.asInt"), f"{where}.asInt")
    else:
        return None
    return NumberPoint(_attributes(point, where), *_times(point, where), value)


def _counts(value: Any, where: str) -> tuple[int, ...]:
    return tuple(unsigned(each, f"{where}[{i}]") for i, each in enumerate(sequence(value, where)))


def _sum(point: dict[str, Any], where: str) -> float | None:
    return None if point.get("sum") is None else number(point["sum"], f"{where}.sum")


def _histogram(point: dict[str, Any], where: str) -> HistogramPoint:
    bounds = sequence(point.get("explicitBounds"), f"{where}.explicitBounds")
    return HistogramPoint(
        _attributes(point, where),
        *_times(point, where),
        unsigned(point.get("count"), f"{where}.count"),
        _sum(point, where),
        tuple(number(each, f"{where}.explicitBounds[{i}]") for i, each in enumerate(bounds)),
        _counts(point.get("bucketCounts"), f"{where}.bucketCounts"),
    )


def _exponential(point: dict[str, Any], where: str) -> ExponentialPoint:
    positive = mapping(point.get("positive"), f"{where}.positive")
    negative = mapping(point.get("negative"), f"{where}.negative")
    return ExponentialPoint(
        _attributes(point, where),
        *_times(point, where),
        unsigned(point.get("count"), f"{where}.count"),
        _sum(point, where),
        integer(point.get("scale"), f"{where}.scale"),
        unsigned(point.get("zeroCount"), f"{where}.zeroCount"),
        _double(point.get("zeroThreshold"), f"{where}.zeroThreshold"),
        integer(positive.get("offset"), f"{where}.positive.offset"),
        _counts(positive.get("bucketCounts"), f"{where}.positive.bucketCounts"),
        integer(negative.get("offset"), f"{where}.negative.offset"),
        _counts(negative.get("bucketCounts"), f"{where}.negative.bucketCounts"),
    )


def _summary(point: dict[str, Any], where: str) -> SummaryPoint:
    quantiles = []
    for index, each in enumerate(sequence(point.get("quantileValues"), f"{where}.quantileValues")):
        there = f"{where}.quantileValues[{index}]"
        known = mapping(each, there)
        quantiles.append(
            (
                _double(known.get("quantile"), f"{there}.quantile"),
                _double(known.get("value"), f"{there}.value"),
            )
        )
    return SummaryPoint(
        _attributes(point, where),
        *_times(point, where),
        unsigned(point.get("count"), f"{where}.count"),
        _double(point.get("sum"), f"{where}.sum"),
        tuple(quantiles),
    )

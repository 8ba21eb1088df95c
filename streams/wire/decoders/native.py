"""headwater's own JSON, for what no producer emits yet; one object or a list of them a record.

Times are `ts_ms` (Unix milliseconds) or `timestamp` (RFC 3339); without either, the record's own stamp.
`domain` may be left out (the default domain), unknown fields are ignored.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from typing import Any

import orjson

from correlator.evidence import Alert, Change, ChangeKind, Edge, EdgeSource
from detectors.telemetry import Kind, Series
from streams.errors import DecodeError
from streams.wire.codec import canonical, revive
from streams.wire.decoders.reading import (
    MAX_TS_MS,
    mapping,
    optional_text,
    required_text,
    sequence,
    text,
    time_ms,
)
from streams.wire.decoders.reading import number as number_of
from streams.wire.decoders.resource import canonical_labels
from streams.wire.record import RawRecord
from streams.wire.telemetry import TelemetryBuilder

_KINDS: dict[Any, Kind] = {None: Kind.GAUGE, **{kind.value: kind for kind in Kind}}
_CHANGE_KINDS = {kind.value for kind in ChangeKind}


def take_metrics(document: Any, record: RawRecord, into: TelemetryBuilder) -> int:
    """`{"service", "metric", "value", "ts_ms"}` and, optionally, unit, kind, instance, peer, version, labels.

    `kind` is gauge (default), counter or delta; `value` may be null or "NaN" for a missing sample.
    """
    if isinstance(document, dict):
        return _take_sample(document, "", record, into)
    return sum(_take_sample(sample, where, record, into) for where, sample in _each(document))


def is_metrics_shape(document: Any) -> bool:
    """Whether a JSON document is a native sample, or a list of them."""
    first = document[0] if isinstance(document, list) and document else document
    return isinstance(first, dict) and "metric" in first and "value" in first and "service" in first


class KnownSeries:
    """Series numbers by the words that a sample names its series with; one record, one look-up.

    Only samples that were checked get in, and all words are text or absent: equal words are the same series.
    """

    def __init__(self) -> None:
        self.numbers: dict[tuple[Any, ...], tuple[str, int]] = {}


MAX_KNOWN = 1_000_000


def _take_sample(sample: dict[str, Any], where: str, record: RawRecord, into: TelemetryBuilder) -> int:
    known = into.cache(KnownSeries).numbers
    get = sample.get
    words = _words(sample)
    try:
        found = known.get(words)
    except TypeError:  # unhashable: a list or an object where text belongs
        found = None
    if found is None:
        found = _check_series(sample, where, into)
        if len(known) >= MAX_KNOWN:
            known.clear()
        known[words] = found
    domain, number = found
    value = get("value")
    if type(value) is not float:
        if value is None:
            if "value" not in sample:
                raise DecodeError("is missing", field=where + "value")
            return 0
        value = number_of(value, where + "value")
    stamp = get("ts_ms")
    if type(stamp) is not int or not 0 <= stamp <= MAX_TS_MS:
        stamp = _time(sample, where, record)
    return into.numbered(domain, number, stamp, value)


def _words(sample: dict[str, Any]) -> tuple[Any, ...]:
    """Return all that names a sample's series."""
    get = sample.get
    labels = get("labels")
    return (
        get("service"),
        get("metric"),
        get("instance"),
        get("peer"),
        get("unit"),
        get("kind"),
        get("version"),
        get("domain"),
        orjson.dumps(labels) if labels else None,
    )


def known_samples(into: TelemetryBuilder) -> Callable[[bytes], tuple[str, int] | None]:
    """Return what takes one plain sample of a known series and tells its domain and number.

    Plain is one object with a number and a time in milliseconds. Of all else it says None, and leaves it
    untouched. It is good for one batch: between batches series may be retired.
    """
    known = into.cache(KnownSeries).numbers
    numbered = into.numbered

    def take(value: bytes) -> tuple[str, int] | None:
        try:
            sample = orjson.loads(value)
            if type(sample) is not dict:
                return None
            found = known.get(_words(sample))
        except (orjson.JSONDecodeError, TypeError):
            return None
        number, stamp = sample.get("value"), sample.get("ts_ms")
        if type(number) is int:
            number = float(number)
        if found is None or type(number) is not float or type(stamp) is not int:
            return None
        if not 0 <= stamp <= MAX_TS_MS:
            return None
        numbered(*found, stamp, number)
        return found

    return take


def _check_series(sample: dict[str, Any], where: str, into: TelemetryBuilder) -> tuple[str, int]:
    said = optional_text(sample.get("kind"), where + "kind")
    kind = _KINDS.get(said)
    if kind is None:
        raise DecodeError("expected gauge, counter or delta", field=where + "kind")
    series = Series(
        required_text(sample.get("service"), where + "service"),
        required_text(sample.get("metric"), where + "metric"),
        optional_text(sample.get("instance"), where + "instance"),
        optional_text(sample.get("peer"), where + "peer"),
        optional_text(sample.get("unit"), where + "unit"),
        kind,
        optional_text(sample.get("version"), where + "version"),
        _labels(sample.get("labels"), where),
    )
    domain = _domain(sample, where, into)
    return domain, into.number(domain, series)


def take_logs(document: Any, record: RawRecord, into: TelemetryBuilder) -> int:
    """`{"service", "body", "ts_ms", "severity"?, "instance"?}`."""
    taken = 0
    for where, line in _each(document):
        taken += into.log(
            _domain(line, where, into),
            _time(line, where, record),
            required_text(line.get("service"), where + "service"),
            optional_text(line.get("instance"), where + "instance"),
            optional_text(line.get("severity"), where + "severity"),
            text(line.get("body"), where + "body"),
        )
    return taken


def is_logs_shape(document: Any) -> bool:
    """Whether a JSON document is a native log line, or a list of them."""
    first = document[0] if isinstance(document, list) and document else document
    return isinstance(first, dict) and "body" in first and "service" in first


def take_changes(document: Any, record: RawRecord, into: TelemetryBuilder) -> int:
    """A `Change` without `domain`, `id` or `kind` if need be: the topic tells deploys from config changes.

    Without `id`, the content is the id, so that the same change sent twice is one.
    """
    taken = 0
    default_kind = ChangeKind.DEPLOY if "deploy" in record.topic else ChangeKind.CONFIG
    for where, change in _each(document):
        kind = change.get("kind", default_kind.value)
        attributes = {
            key: value if isinstance(value, str) else canonical(value).decode()
            for key, value in mapping(change.get("attributes"), where + "attributes").items()
        }
        if not isinstance(kind, str) or kind not in _CHANGE_KINDS:
            attributes["kind"], kind = required_text(kind, where + "kind"), ChangeKind.OTHER.value
        filled = {
            **change,
            "type": "change",
            "domain": _domain(change, where, into),
            "id": change.get("id") or _content_id("chg", change, record),
            "ts_ms": _time(change, where, record),
            "kind": kind,
            "service": required_text(change.get("service"), where + "service"),
            "attributes": attributes,
        }
        taken += into.item(_revive(Change, filled, where))
    return taken


def take_alerts(document: Any, record: RawRecord, into: TelemetryBuilder) -> int:
    """An `Alert`: `{"service", "name", "ts_ms", "id"?, "severity"?, "status"?, "summary"?}`."""
    taken = 0
    for where, alert in _each(document):
        filled = {
            **alert,
            "type": "alert",
            "domain": _domain(alert, where, into),
            "id": alert.get("id") or _content_id("al", alert, record),
            "ts_ms": _time(alert, where, record),
            "service": required_text(alert.get("service"), where + "service"),
        }
        taken += into.item(_revive(Alert, filled, where))
    return taken


def take_topology(document: Any, record: RawRecord, into: TelemetryBuilder) -> int:
    """Declared edges: an `Edge`, or a recording's `topology.json` with a `domain`."""
    named = ""
    if isinstance(document, dict) and "edges" in document:
        kinds = {
            required_text(mapping(node, "nodes").get("service"), "nodes.service"): node.get("kind")
            for node in sequence(document.get("nodes"), "nodes")
        }
        document = [
            {
                "domain": document.get("domain"),
                "callee_kind": kinds.get(str(mapping(edge, f"edges[{index}]").get("callee"))),
                **edge,
            }
            for index, edge in enumerate(sequence(document["edges"], "edges"))
        ]
        named = "edges"
    taken = 0
    for where, edge in _each(document, named):
        seen = [edge.get("first_seen_ms"), edge.get("last_seen_ms")]
        stamp = None if all(each is not None for each in seen) else _time(edge, where, record)
        filled = {
            "first_seen_ms": stamp,
            "last_seen_ms": stamp,
            "source": EdgeSource.DECLARED.value,
            **edge,
            "type": "edge",
            "domain": _domain(edge, where, into),
            "caller": required_text(edge.get("caller"), where + "caller"),
            "callee": required_text(edge.get("callee"), where + "callee"),
        }
        taken += into.item(_revive(Edge, filled, where))
    return taken


def _each(document: Any, named: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(document, dict):
        yield "", document
        return
    for index, each in enumerate(sequence(document, named)):
        yield f"{named}[{index}].", mapping(each, f"{named}[{index}]")


def _revive(model: type[Any], document: dict[str, Any], where: str) -> Any:
    try:
        return revive(model, document)
    except DecodeError as error:
        raise DecodeError(error.reason, field=where + (error.field or "")) from None


def _domain(document: dict[str, Any], where: str, into: TelemetryBuilder) -> str:
    return optional_text(document.get("domain"), where + "domain") or into.default_domain


def _time(document: dict[str, Any], where: str, record: RawRecord) -> int:
    stamp = document.get("ts_ms")
    if stamp is not None:
        return time_ms(stamp, where + "ts_ms")
    if document.get("timestamp") is not None:
        return time_ms(document["timestamp"], where + "timestamp")
    if record.timestamp_ms > 0:
        return record.timestamp_ms
    raise DecodeError("is missing, and the record has no stamp", field=where + "ts_ms")


def _labels(value: Any, where: str) -> str:
    if not value:
        return ""
    labels = mapping(value, where + "labels")
    return canonical_labels(
        {key: each if isinstance(each, str) else canonical(each).decode() for key, each in labels.items()}
    )


def _content_id(prefix: str, document: dict[str, Any], record: RawRecord) -> str:
    stamp = "" if "ts_ms" in document or "timestamp" in document else str(record.timestamp_ms)
    return f"{prefix}-" + hashlib.sha256(canonical(document) + stamp.encode()).hexdigest()[:16]

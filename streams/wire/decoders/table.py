"""Which decoder reads a record, and the one door through which records become telemetry.

Order: the topic's setting; headers (`x-headwater-decoder`, CloudEvents); the schema registry's magic byte;
the shape of JSON; the topic's default. Protobuf is never guessed: most bytes parse as some message.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Any

import orjson

from streams.errors import ConfigError, DecodeError
from streams.wire import topics
from streams.wire.decoders import (
    alertmanager,
    cdevents,
    kubernetes,
    native,
    otlp_logs,
    otlp_metrics,
    otlp_spans,
    prometheus,
    remote_write,
    splitting,
)
from streams.wire.decoders.reading import document_of, parse
from streams.wire.decoders.samples_fast import LongWay, SampleScanner
from streams.wire.decoders.splitting import Parts
from streams.wire.record import RawRecord
from streams.wire.telemetry import TelemetryBuilder

ENTRY_POINTS = "headwater.decoders"
"""Entry-point group: each point is a `Decoder`, its name the decoder's."""
MAX_BYTES = 64 * 1024 * 1024
"""Larger values are refused unread: brokers allow 1 MB by default, and parsing takes several copies."""


Quick = Callable[[Sequence[bytes | None], LongWay, TelemetryBuilder], None]


@dataclass(frozen=True, slots=True)
class Decoder:
    """One wire format.

    `decode` reads a record's bytes; `document` reads JSON that is already parsed, if `is_shape` says that it
    is of this format. Both add to the builder, return how many samples, lines and items they took, and raise
    `DecodeError` for what is not theirs.
    """

    name: str
    about: str
    decode: Callable[[RawRecord, TelemetryBuilder], int]
    document: Callable[[Any, RawRecord, TelemetryBuilder], int] | None = None
    is_shape: Callable[[Any], bool] | None = None
    single: bool = False
    """Whether one JSON object becomes one thing, added last, so that a failure leaves nothing to undo."""
    quick: Quick | None = None
    """Takes a batch's plainest records at once, and calls back for all others, each in its turn."""
    split: Callable[[RawRecord, Any], Parts] | None = None
    """Parts a record by service, for `--stage route`; a format without it is passed on as it came."""


def json_decoder(
    name: str,
    about: str,
    document: Callable[[Any, RawRecord, TelemetryBuilder], int],
    is_shape: Callable[[Any], bool] | None = None,
    *,
    single: bool = False,
    quick: Quick | None = None,
    split: Callable[[RawRecord, Any], Parts] | None = None,
) -> Decoder:
    """Make a decoder of plain JSON; a tombstone is nothing, an empty value is an error."""

    def decode(record: RawRecord, into: TelemetryBuilder) -> int:
        if record.value is None:
            return 0
        return document(parse(record.value), record, into)

    return Decoder(name, about, decode, document, is_shape, single, quick, split)


def _quick_samples(values: Sequence[bytes | None], long_way: LongWay, into: TelemetryBuilder) -> None:
    into.cache(SampleScanner).take(values, long_way, into)


BUILT_IN: tuple[Decoder, ...] = (
    Decoder(
        "otlp_metrics",
        "OpenTelemetry metrics, protobuf or JSON",
        otlp_metrics.decode,
        otlp_metrics.decode_document,
        otlp_metrics.is_shape,
        split=splitting.split_otlp("resourceMetrics"),
    ),
    Decoder(
        "otlp_logs",
        "OpenTelemetry logs, protobuf or JSON; Kubernetes events; flag evaluations",
        otlp_logs.decode,
        otlp_logs.decode_document,
        otlp_logs.is_shape,
        split=splitting.split_otlp("resourceLogs"),
    ),
    Decoder(
        "otlp_spans",
        "OpenTelemetry spans, protobuf or JSON: edges only",
        otlp_spans.decode,
        otlp_spans.decode_document,
        otlp_spans.is_shape,
    ),
    Decoder(
        "cdevents",
        "CDEvents 0.3–0.5, bare or in CloudEvents of either mode",
        cdevents.decode,
        cdevents.decode_document,
        cdevents.is_shape,
    ),
    Decoder(
        "alertmanager",
        "Alertmanager's event recorder and webhook, Grafana's webhook",
        alertmanager.decode,
        alertmanager.decode_document,
        alertmanager.is_shape,
    ),
    Decoder(
        "prometheus_remote_write",
        "Prometheus remote write 1.0 (snappy block of protobuf)",
        remote_write.decode,
        split=splitting.split_remote_write,
    ),
    json_decoder(
        "prometheus_json",
        "prometheus-kafka-adapter's JSON, one sample a record",
        prometheus.decode_adapter_document,
        prometheus.is_adapter_shape,
        split=splitting.split_adapter,
    ),
    json_decoder(
        "kubernetes_events",
        "kubernetes-event-exporter's JSON",
        kubernetes.take_exported,
        kubernetes.is_exported_shape,
    ),
    json_decoder(
        "native_metrics",
        "headwater's own JSON samples",
        native.take_metrics,
        native.is_metrics_shape,
        single=True,
        quick=_quick_samples,
        split=splitting.split_native,
    ),
    json_decoder(
        "native_logs",
        "headwater's own JSON log lines",
        native.take_logs,
        native.is_logs_shape,
        single=True,
        split=splitting.split_native,
    ),
    json_decoder("native_changes", "headwater's own JSON changes", native.take_changes),
    json_decoder("native_alerts", "headwater's own JSON alerts", native.take_alerts),
    json_decoder("native_topology", "headwater's own JSON edges", native.take_topology),
)


class Decoders:
    """The table of decoders with the topics' settings; `decode` is the only way in.

    Parameters
    ----------
    per_topic
        Decoder names that a user set for topics; they win over everything else.

    Raises
    ------
    ConfigError
        A setting names a decoder that does not exist.
    """

    def __init__(self, per_topic: Mapping[str, str] | None = None) -> None:
        self.table = {decoder.name: decoder for decoder in (*BUILT_IN, *_plugged_in())}
        self._explicit = {topic: self._named(topic, name) for topic, name in (per_topic or {}).items()}
        self._default = {
            topic.name: self.table[topic.decoder] for topic in topics.RAW if topic.decoder in self.table
        }
        self._short_cuts = {
            topic: decoder
            for topic, decoder in self._default.items()
            if decoder.single and topic not in self._explicit
        }
        self._shaped = [decoder for decoder in self.table.values() if decoder.is_shape and decoder.document]

    def decode(self, record: RawRecord, into: TelemetryBuilder) -> int:
        """Turn one record into telemetry, wholly or not at all; returns how much was taken.

        Raises
        ------
        DecodeError
            The record is poison; nothing of it is left in `into`.
        """
        value = record.value
        if value is None:
            return 0
        short_cut = self._short_cuts.get(record.topic)
        if short_cut is not None and not record.headers and len(value) <= MAX_BYTES:
            # Half the cost of a one-sample record would be choosing and marking; the outcome is the same.
            try:
                document = orjson.loads(value)
            except orjson.JSONDecodeError:
                document = None
            if type(document) is dict and short_cut.is_shape is not None and short_cut.is_shape(document):
                return self._apply(short_cut, document, record, into)
        marks = into.marks()
        decoder, document = self.choose(record)
        try:
            return self._apply(decoder, document, record, into)
        except DecodeError:
            into.undo(marks)
            raise

    def name_of(self, topic: str) -> str:
        """Return which decoder reads a topic's records if they say nothing else; empty if there is none."""
        decoder = self._explicit.get(topic) or self._default.get(topic)
        return decoder.name if decoder else ""

    def quick(self, topic: str) -> Quick | None:
        """Return what takes a batch of a topic's values, None where each needs `decode`.

        A record with headers is no plain one, whatever its value is: they may name another decoder. Making
        the record and choosing its decoder are half the cost of one sample, parsing it the other.
        """
        short_cut = self._short_cuts.get(topic)
        return short_cut.quick if short_cut is not None else None

    def split(self, record: RawRecord) -> Parts:
        """Part a record by service; an empty list if its format has no services to part it by.

        Raises
        ------
        DecodeError
            The record is poison.
        """
        if record.value is None:
            return []
        decoder, document = self.choose(record)
        if decoder.split is None:
            return []
        try:
            return decoder.split(record, document)
        except DecodeError:
            raise
        except Exception as error:
            name = type(error).__name__
            raise DecodeError(f"decoder {decoder.name} failed: {name}: {str(error)[:200]}") from error

    def _apply(self, decoder: Decoder, document: Any, record: RawRecord, into: TelemetryBuilder) -> int:
        try:
            if document is not None and decoder.document is not None:
                return decoder.document(document, record, into)
            return decoder.decode(record, into)
        except DecodeError:
            raise
        except Exception as error:
            # A defect of ours or of a plug-in; one record must not stop the partition.
            name = type(error).__name__
            raise DecodeError(f"decoder {decoder.name} failed: {name}: {str(error)[:200]}") from error

    def choose(self, record: RawRecord) -> tuple[Decoder, Any]:
        """Select the decoder, and return the parsed JSON if selecting needed it.

        Raises
        ------
        DecodeError
            Nothing claims the record, or its JSON is broken.
        """
        value = record.value or b""
        if len(value) > MAX_BYTES:
            raise DecodeError(f"{len(value)} bytes; at most {MAX_BYTES} are read")
        explicit = self._explicit.get(record.topic)
        if explicit is not None:
            return explicit, None
        if record.headers:
            named = record.header("x-headwater-decoder")
            if named is not None:
                if named not in self.table:
                    raise DecodeError(f"header x-headwater-decoder names {named!r}, which does not exist")
                return self.table[named], None
            if cdevents.claims(record):
                return self.table["cdevents"], None
        if value[:1] == b"\x00":
            value = _unframed(value)
        default = self._default.get(record.topic)
        document = document_of(value)
        if document is not None:
            return self._by_shape(document, default, record.topic)
        if default is None:
            raise DecodeError(f"topic {record.topic!r} has no decoder; set HEADWATER_DETECT__DECODERS")
        return default, None

    def _by_shape(self, document: Any, default: Decoder | None, topic: str) -> tuple[Decoder, Any]:
        if default is not None and default.is_shape is not None and default.is_shape(document):
            return default, document
        for decoder in self._shaped:
            if decoder is not default and decoder.is_shape is not None and decoder.is_shape(document):
                return decoder, document
        if default is None:
            raise DecodeError(f"JSON of no known shape, and topic {topic!r} has no decoder set")
        return default, document

    def _named(self, topic: str, name: str) -> Decoder:
        if name not in self.table:
            known = ", ".join(self.table)
            raise ConfigError(f"topic {topic!r}: there is no decoder {name!r}; there are: {known}")
        return self.table[name]


def _unframed(value: bytes) -> bytes:
    """Strip the schema registry's frame (0x00, four bytes of schema id) off JSON."""
    if value[5:6] in (b"{", b"["):
        return value[5:]
    raise DecodeError("framed by a schema registry (0x00 + id) and not JSON; publish plain OTLP or JSON")


def _plugged_in() -> list[Decoder]:
    found: list[Decoder] = []
    for point in entry_points(group=ENTRY_POINTS):
        where = f"entry point {ENTRY_POINTS}:{point.name}"
        try:
            decoder = point.load()
        except Exception as error:  # another package's code may raise anything
            raise ConfigError(
                f"{where} = {point.value} cannot be loaded: {error!r}; mend or remove it"
            ) from None
        if not isinstance(decoder, Decoder):
            raise ConfigError(f"{where} is no Decoder")
        if decoder.name in {each.name for each in (*BUILT_IN, *found)}:
            raise ConfigError(
                f"{where}: there is a decoder {decoder.name!r} already; give it a name of its own"
            )
        found.append(decoder)
    return found

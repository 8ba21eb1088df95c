"""OTLP logs in protobuf at line speed: lines are cut out where they stand, all else is the library's.

The result is that of the plain walk (`otlp_logs.decode_walking`), proved by property tests. A record that may
be more than a line (an event's name, attributes that tell of an exception, a flag or Kubernetes, a structured
body) is parsed by the library, alone. Text in fields that nobody reads (other attributes, scopes) is not
checked for valid UTF-8, as the library would.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from google.protobuf.message import DecodeError as ProtobufError
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.resource.v1.resource_pb2 import Resource as ResourceMessage

from streams.errors import DecodeError
from streams.wire.decoders import otlp
from streams.wire.decoders.resource import Resource, identify
from streams.wire.decoders.scan import GIVE_UP, TOO_SMALL
from streams.wire.decoders.scan_logs import LINE_COLUMNS, OTHER, RESOURCE_COLUMNS, scan_logs
from streams.wire.record import RawRecord
from streams.wire.telemetry import TelemetryBuilder

TELLING = ("k8s.", "feature_flag.", "event.name", "exception.")
"""Prefixes of the attributes that make a record more than a line."""
SEVERITIES = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")
"""By severity number: four numbers each, from 1."""
MAX_RESOURCES = 10_000
"""Identified resources held, under their bytes; about 2 kB each. Beyond it they are identified anew."""

Attributes = dict[str, str]
OtherRecord = Callable[[LogRecord, int, Attributes, Resource], int]
"""Takes a record that is more than a line, with its time in ms; returns what was taken."""
SeenResource = Callable[[Resource, int], None]
"""Told once per resource of a record, with its newest event time in ms."""


def word_of(severity_number: int) -> str | None:
    """Return OpenTelemetry's word for a severity that is given by number only."""
    return SEVERITIES[(severity_number - 1) // 4] if 1 <= severity_number <= 24 else None


class LogsScanner:
    """Scans records for one builder."""

    def __init__(self) -> None:
        heads = [prefix.encode() for prefix in TELLING]
        self._sizes = np.array([len(head) for head in heads], np.int64)
        self._heads = np.zeros((len(heads), max(map(len, heads))), np.uint8)
        for row, head in enumerate(heads):
            self._heads[row, : len(head)] = np.frombuffer(head, np.uint8)
        self._resources: dict[bytes, tuple[Attributes, Resource]] = {}
        self._counts = np.zeros(2, np.int64)
        self._allocate(1024)

    def _allocate(self, lines: int) -> None:
        self._lines = np.empty((lines, LINE_COLUMNS), np.int64)
        self._found = np.empty((lines, RESOURCE_COLUMNS), np.int64)

    def decode(
        self, record: RawRecord, into: TelemetryBuilder, on_other: OtherRecord, on_resource: SeenResource
    ) -> int | None:
        """Take a record's lines; None if it is not plain enough and nothing was taken.

        Raises
        ------
        DecodeError
            A part that was decoded is malformed.
        """
        value = record.value or b""
        buffer = np.frombuffer(value, np.uint8)
        while True:
            status = scan_logs(buffer, self._heads, self._sizes, self._lines, self._found, self._counts)
            if status != TOO_SMALL:
                break
            self._allocate(2 * len(self._lines))
        if status == GIVE_UP:
            return None
        rows, found = self._counts.tolist()
        lines = self._lines[:rows]
        times = lines[:, 0] // 1_000_000
        times[times == 0] = record.timestamp_ms
        # One character a byte: what is ASCII is cut out of it as it is.
        text = value.decode("latin-1")
        taken = first = 0
        try:
            for start, end, behind in self._found[:found].tolist():
                attributes, resource = self._resource(value[start:end], into)
                mine, stamps = lines[first:behind], times[first:behind]
                first = behind
                others = np.flatnonzero(mine[:, 6] == OTHER).tolist()
                begin = 0
                for at in [*others, len(mine)]:
                    taken += self._take(mine[begin:at], stamps[begin:at], value, text, resource, into)
                    if at < len(mine):
                        _, _, _, _, start, end, _ = mine[at].tolist()
                        other = LogRecord.FromString(value[start:end])
                        taken += on_other(other, int(stamps[at]), attributes, resource)
                    begin = at + 1
                on_resource(resource, max(0, int(stamps.max())) if len(stamps) else 0)
        except ProtobufError as error:
            raise DecodeError(f"not OTLP logs in protobuf: {error}", field="LogsData") from None
        except UnicodeDecodeError as error:
            raise DecodeError(f"not OTLP logs in protobuf: {error}", field="LogRecord") from None
        return taken

    def _take(
        self,
        lines: np.ndarray,
        stamps: np.ndarray,
        value: bytes,
        text: str,
        resource: Resource,
        into: TelemetryBuilder,
    ) -> int:
        if not len(lines):
            return 0
        _, begins, ends, numbers, starts, stops, kinds = lines.T.tolist()
        if not any(kinds):
            bodies = [text[start:stop] for start, stop in zip(starts, stops, strict=True)]
            words = [text[begin:end] for begin, end in zip(begins, ends, strict=True)]
        else:
            bodies = [value[start:stop].decode() for start, stop in zip(starts, stops, strict=True)]
            words = [value[begin:end].decode() for begin, end in zip(begins, ends, strict=True)]
        severities: list[str | None] = list(words)
        if not all(words):
            severities = [word or word_of(number) for word, number in zip(words, numbers, strict=True)]
        return into.logs(
            resource.domain, stamps.tolist(), resource.service, resource.instance, severities, bodies
        )

    def _resource(self, value: bytes, into: TelemetryBuilder) -> tuple[Attributes, Resource]:
        known = self._resources.get(value)
        if known is None:
            attributes = otlp.attributes_of(ResourceMessage.FromString(value).attributes)
            known = attributes, identify(attributes, into.default_domain)
            if len(self._resources) >= MAX_RESOURCES:
                self._resources.clear()
            self._resources[value] = known
        return known

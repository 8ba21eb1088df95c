"""Prometheus remote write 1.0: a snappy block of `prometheus.WriteRequest`, scanned in place."""

from __future__ import annotations

from typing import Any

import numpy as np
from google.protobuf.message import DecodeError as ProtobufError
from numpy.typing import NDArray

from streams.errors import DecodeError
from streams.wire.decoders import prometheus
from streams.wire.decoders.prometheus import Sample
from streams.wire.decoders.remote_write_pb import TimeSeries, WriteRequest
from streams.wire.decoders.scan import GIVE_UP, TOO_SMALL
from streams.wire.decoders.scan_remote_write import scan_remote_write
from streams.wire.decoders.series_table import SeriesTable
from streams.wire.record import RawRecord
from streams.wire.telemetry import TelemetryBuilder

MAX_UNPACKED = 128 * 1024 * 1024
"""Larger requests are refused before they are unpacked: snappy can claim any size in five bytes."""
_FRAMED = b"\xff\x06\x00\x00sNaPpY"
_ASIDE = 1 << 62
"""Marks table values of series that do not stand for themselves; below it, the index of their labels."""
MAX_ASIDE = 200_000
"""Label sets of such series (histogram buckets) held, about 1 kB each; further ones are read every time."""


def decode(record: RawRecord, into: TelemetryBuilder) -> int:
    """Decode one request; returns the samples taken."""
    value = unpack(record.value)
    taken = into.cache(RemoteWriteScanner).decode(value, into)
    return _walk(value, into) if taken is None else taken


def decode_walking(record: RawRecord, into: TelemetryBuilder) -> int:
    """Decode by the library alone: slower, and the measure of what `decode` must say."""
    return _walk(unpack(record.value), into)


def unpack(value: bytes | None) -> bytes:
    """Undo snappy's block format.

    Raises
    ------
    DecodeError
        Not snappy, or larger than allowed; or the optional dependency is not installed.
    """
    if not value:
        raise DecodeError("empty record")
    if value.startswith(_FRAMED):
        raise DecodeError("snappy's framing format; remote write is one snappy block")
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


def _walk(value: bytes, into: TelemetryBuilder) -> int:
    request = WriteRequest()
    try:
        request.ParseFromString(value)
    except ProtobufError as error:
        raise _malformed(error) from None
    if not request.timeseries and not request.metadata:
        raise DecodeError("no series in it; is it remote write 2.0?", field="WriteRequest.timeseries")
    return prometheus.take(
        (
            Sample(labels, sample.timestamp, sample.value)
            for series in request.timeseries
            for labels in (labels_of(series),)
            for sample in series.samples
        ),
        into,
    )


def labels_of(series: Any) -> dict[str, str]:
    """The labels of a TimeSeries message."""
    return {label.name: label.value for label in series.labels}


class RemoteWriteScanner:
    """Scans requests for one builder, whose series numbers it remembers."""

    def __init__(self) -> None:
        self._table = SeriesTable()
        self._aside: list[dict[str, str]] = []
        self._unheld: list[dict[str, str]] = []
        self._counts = np.zeros(3, dtype=np.int64)
        self._allocate(1024)

    def _allocate(self, samples: int) -> None:
        self._series = np.empty(samples, dtype=np.int64)
        self._ts_ms = np.empty(samples, dtype=np.int64)
        self._value = np.empty(samples, dtype=np.float64)
        self._misses = np.empty((samples, 4), dtype=np.int64)
        self._hashes = np.empty((samples, 2), dtype=np.uint64)

    def decode(self, value: bytes, into: TelemetryBuilder) -> int | None:
        """Take a request's samples; None if it is not plain enough and nothing was taken."""
        buffer: NDArray[np.uint8] = np.frombuffer(value, dtype=np.uint8)
        while True:
            status = scan_remote_write(
                buffer,
                *self._table.looked_up,
                self._series,
                self._ts_ms,
                self._value,
                self._value.view(np.uint64),
                self._misses,
                self._hashes,
                self._counts,
            )
            if status != TOO_SMALL:
                break
            self._allocate(2 * len(self._series))
        if status == GIVE_UP:
            return None
        samples, series, missed = self._counts.tolist()
        if not series:
            return None  # a request of descriptions, or none of this version
        self._unheld.clear()
        for miss, (start, end, first, last) in enumerate(self._misses[:missed].tolist()):
            if first == last:
                continue  # a series without samples says nothing, not even that its name is missing
            self._series[first:last] = self._first_sight(value[start:end], miss, into)
        return self._hand_over(samples, into)

    def _first_sight(self, message: bytes, miss: int, into: TelemetryBuilder) -> int:
        low, high = self._hashes[miss]
        known = self._table.find(low, high)
        if known >= 0:
            return known
        try:
            labels = labels_of(TimeSeries.FromString(message))
        except ProtobufError as error:
            raise _malformed(error) from None
        if not labels.get("__name__"):
            raise DecodeError("a series has no __name__", field="labels")
        if not prometheus.stands_for_itself(labels):
            if len(self._aside) >= MAX_ASIDE:
                self._unheld.append(labels)
                return _ASIDE + MAX_ASIDE + len(self._unheld) - 1
            self._aside.append(labels)
            return self._table.insert_value(low, high, _ASIDE + len(self._aside) - 1)
        domain, series = prometheus.series_of(labels, into.default_domain)
        return self._table.insert(low, high, domain, into.number(domain, series))

    def _hand_over(self, samples: int, into: TelemetryBuilder) -> int:
        packed, ts_ms, value = self._series[:samples], self._ts_ms[:samples], self._value[:samples]
        taken = 0
        aside = packed >= _ASIDE
        if aside.any():
            taken = prometheus.take(
                [
                    Sample(self._labels(which - _ASIDE), at_ms, each)
                    for which, at_ms, each in zip(
                        packed[aside].tolist(), ts_ms[aside].tolist(), value[aside].tolist(), strict=True
                    )
                ],
                into,
            )
            packed, ts_ms, value = packed[~aside], ts_ms[~aside], value[~aside]
        return taken + self._table.hand_over(packed, ts_ms, value, into)

    def _labels(self, index: int) -> dict[str, str]:
        return self._aside[index] if index < MAX_ASIDE else self._unheld[index - MAX_ASIDE]


def _malformed(error: Exception) -> DecodeError:
    return DecodeError(f"not a remote-write 1.0 request: {error}", field="WriteRequest")

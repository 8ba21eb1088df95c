"""Plain native samples at line speed: a batch of records is scanned at once, parsed on first sight only.

The result is that of taking them one by one (`native.take_metrics`), proved by property tests.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from streams.wire.decoders.native import KnownSeries, known_samples
from streams.wire.decoders.scan_samples import MAX_PLAIN_BYTES, ODD, UNKNOWN, scan_samples
from streams.wire.decoders.series_table import SeriesTable
from streams.wire.telemetry import TelemetryBuilder

LongWay = Callable[[int], None]
"""Takes the record with that index as any other."""

SPELLINGS = 4
"""Of a series, on average, that are remembered: what differs in each record would fill the table."""


class SampleScanner:
    """Scans batches for one builder, whose series numbers it remembers."""

    def __init__(self) -> None:
        self._table = SeriesTable()
        self._allocate(1024)

    def _allocate(self, records: int) -> None:
        self._series: NDArray[np.int64] = np.empty(records, dtype=np.int64)
        self._ts_ms: NDArray[np.int64] = np.empty(records, dtype=np.int64)
        self._value: NDArray[np.float64] = np.empty(records, dtype=np.float64)
        self._hashes: NDArray[np.uint64] = np.empty((records, 2), dtype=np.uint64)
        self._unrounded: NDArray[np.int64] = np.empty((records, 3), dtype=np.int64)

    def take(self, values: Sequence[bytes | None], long_way: LongWay, into: TelemetryBuilder) -> None:
        """Take all records of a batch in their order, calling back for each that is not plain and known."""
        # None has no length, and an empty record is not plain: both go the long way.
        parts: list[bytes] = list(filter(None, values))
        if len(parts) < len(values):
            parts = [each or b"" for each in values]
        joined, count = b"".join(parts), len(parts)
        if count > len(self._series):
            self._allocate(2 * count)
        ends = np.cumsum(np.fromiter(map(len, parts), dtype=np.int64, count=count))
        left = scan_samples(
            np.frombuffer(joined, dtype=np.uint8),
            ends,
            *self._table.looked_up,
            self._series,
            self._ts_ms,
            self._value,
            self._hashes,
            self._unrounded,
        )
        for record, start, end in self._unrounded[:left].tolist():
            self._value[record] = float(joined[start:end])
            if not np.isfinite(self._value[record]):
                self._series[record] = ODD  # the parser refuses it
        take_known = known_samples(into)
        spellings = SPELLINGS * len(into.cache(KnownSeries).numbers) + count
        done = 0
        for record in np.flatnonzero(self._series[:count] < 0).tolist():
            unknown = self._series[record] == UNKNOWN
            if unknown:
                found = self._table.find(*self._hashes[record])  # learned within this batch
                if found >= 0:
                    self._series[record] = found
                    continue
            self._hand_over(done, record, into)
            done = record + 1
            known = take_known(parts[record]) if 0 < len(parts[record]) <= MAX_PLAIN_BYTES else None
            if known is None:
                long_way(record)
            elif unknown and self._table.entries < spellings:
                low, high = self._hashes[record]
                self._table.insert(low, high, *known)
        self._hand_over(done, count, into)

    def _hand_over(self, start: int, end: int, into: TelemetryBuilder) -> None:
        if start < end:
            these = slice(start, end)
            self._table.hand_over(self._series[these], self._ts_ms[these], self._value[these], into)

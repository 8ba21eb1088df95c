"""From the hash of a series' raw bytes to its number: what the scanners look up."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streams.wire.decoders import hashed
from streams.wire.telemetry import TelemetryBuilder

MAX_ENTRIES = 4_000_000
"""24 bytes each at half load: 200 MB. Beyond it the table starts afresh; the catalog keeps the numbers."""
_DOMAIN_BITS = 32


class SeriesTable:
    """Open addressing over 128-bit hashes, at most half full.

    Values pack the domain's index (high 32 bits) and the series' number (low 32 bits). Hits are not
    compared with labels: any two series, whoever chose them, have one hash with a chance of (n/2⁶⁰)² at most,
    where n counts the words of seven bytes that name the longer (`hashed.mix`), over a secret that each table
    draws and nobody is told. Among 4 million series of 700 bytes, any collision has a chance below 10⁻¹⁹.
    """

    def __init__(self, capacity: int = 1 << 12) -> None:
        self.secret: NDArray[np.uint64] = hashed.drawn_secret()
        self.domains: list[str] = []
        self._index: dict[str, int] = {}
        self._allocate(capacity)

    def _allocate(self, capacity: int) -> None:
        self.keys: NDArray[np.uint64] = np.zeros((capacity, 2), dtype=np.uint64)
        self.values: NDArray[np.int64] = np.full(capacity, -1, dtype=np.int64)
        self.entries = 0

    @property
    def looked_up(self) -> tuple[NDArray[np.uint64], NDArray[np.uint64], NDArray[np.int64]]:
        """What a scanner looks series up with: secret, keys and values. They change with an insertion."""
        return self.secret, self.keys, self.values

    def insert(self, low: np.uint64, high: np.uint64, domain: str, number: int) -> int:
        """Remember a series under its hash; returns the packed value."""
        index = self._index.get(domain)
        if index is None:
            index = self._index[domain] = len(self.domains)
            self.domains.append(domain)
        return self.insert_value(low, high, index << _DOMAIN_BITS | number)

    def insert_value(self, low: np.uint64, high: np.uint64, value: int) -> int:
        """Remember any value (63 bits) under a hash; returns it."""
        if self.entries >= MAX_ENTRIES:
            self._allocate(1 << 12)
        elif 2 * (self.entries + 1) > len(self.values):
            keys, values, entries = self.keys, self.values, self.entries
            self._allocate(2 * len(values))
            hashed.rehash(keys, values, self.keys, self.values)
            self.entries = entries
        hashed.put(self.keys, self.values, low, high, np.int64(value))
        self.entries += 1
        return value

    def find(self, low: np.uint64, high: np.uint64) -> int:
        """The packed value under a hash, -1 if there is none."""
        return int(hashed.find(self.keys, self.values, low, high))

    def hand_over(
        self,
        packed: NDArray[np.int64],
        ts_ms: NDArray[np.int64],
        value: NDArray[np.float64],
        into: TelemetryBuilder,
    ) -> int:
        """Give samples to the builder by domain, without NaN and infinities; returns how many."""
        finite = np.isfinite(value)
        if not finite.all():
            packed, ts_ms, value = packed[finite], ts_ms[finite], value[finite]
        if not len(packed):
            return 0
        index = packed >> _DOMAIN_BITS
        numbers = packed.astype(np.int32)  # the low half
        if (index == index[0]).all():
            return into.samples(self.domains[int(index[0])], ts_ms, numbers, value)
        taken = 0
        for each in np.unique(index).tolist():
            mine = index == each
            taken += into.samples(self.domains[each], ts_ms[mine], numbers[mine], value[mine])
        return taken

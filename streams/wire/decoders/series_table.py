"""From the hash of a series' raw bytes to its number: what the scanners look up."""

from __future__ import annotations

import secrets

import numpy as np
from numpy.typing import NDArray

from streams.wire.decoders import scan

MAX_ENTRIES = 4_000_000
"""24 bytes each at half load: 200 MB. Beyond it the table starts afresh; the catalog keeps the numbers."""
_DOMAIN_BITS = 32


class SeriesTable:
    """Open addressing over 128-bit hashes, at most half full.

    Values pack the domain's index (high 32 bits) and the series' number (low 32 bits). Two series collide
    with a chance of 2⁻¹²⁸ a pair, for one million series 10⁻²⁷; the seed is secret to the process, so
    nobody can compute a collision beforehand. Nothing that is published depends on it.
    """

    def __init__(self, capacity: int = 1 << 12) -> None:
        self.seed: NDArray[np.uint64] = np.frombuffer(secrets.token_bytes(16), dtype=np.uint64)
        self.domains: list[str] = []
        self._index: dict[str, int] = {}
        self._allocate(capacity)

    def _allocate(self, capacity: int) -> None:
        self.keys: NDArray[np.uint64] = np.zeros((capacity, 2), dtype=np.uint64)
        self.values: NDArray[np.int64] = np.full(capacity, -1, dtype=np.int64)
        self.entries = 0

    def insert(self, low: np.uint64, high: np.uint64, domain: str, number: int) -> int:
        """Remember a series under its hash; returns the packed value."""
        index = self._index.get(domain)
        if index is None:
            index = self._index[domain] = len(self.domains)
            self.domains.append(domain)
        packed = index << _DOMAIN_BITS | number
        if self.entries >= MAX_ENTRIES:
            self._allocate(1 << 12)
        elif 2 * (self.entries + 1) > len(self.values):
            keys, values, entries = self.keys, self.values, self.entries
            self._allocate(2 * len(values))
            scan.rehash(keys, values, self.keys, self.values)
            self.entries = entries
        scan.put(self.keys, self.values, low, high, np.int64(packed))
        self.entries += 1
        return packed

    def find(self, low: np.uint64, high: np.uint64) -> int:
        """The packed value under a hash, -1 if there is none."""
        return int(scan.find(self.keys, self.values, low, high))

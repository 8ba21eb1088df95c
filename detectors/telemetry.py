"""What a detector is fed: series identities, columns of samples, log lines."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


class Kind(StrEnum):
    """How a series' values relate to time (OpenTelemetry's temporality, Prometheus' type)."""

    GAUGE = "gauge"
    """A value that holds at its time stamp."""
    COUNTER = "counter"
    """A cumulative, monotonic sum; a decrease is a reset."""
    DELTA = "delta"
    """A sum over the interval that ends at the time stamp."""


class Series(NamedTuple):
    """The identity of one metric of one entity instance.

    Two samples belong to one series exactly when all fields are equal. `service` is the entity whose
    cause is judged (`service.namespace/service.name`, without the namespace where there is none).
    """

    service: str
    metric: str
    instance: str | None = None
    peer: str | None = None
    """The callee, for a series that describes the edge `service` → `peer`."""
    unit: str | None = None
    kind: Kind = Kind.GAUGE
    version: str | None = None
    """`service.version` of the instance, where known."""
    labels: str = ""
    """Remaining attributes, canonical: `k=v` sorted by key, joined by commas."""


def _shared(text: Any) -> Any:
    return sys.intern(text) if type(text) is str else text


_EMPTY, _RETIRED = -1, -2


class Catalog:
    """Numbers series densely, in order of first sight; the same series always gets the same number.

    Numbers are never given to another. A series that was retired gets a new one when it comes back; whoever
    remembers numbers asks again when `generation` has changed.

    The index holds numbers alone, four bytes each, and compares with the series themselves: a dictionary of a
    million series would be 75 MB on top of them.

    Examples
    --------
    >>> catalog = Catalog()
    >>> catalog.intern(Series("cart", "cpu")), catalog.intern(Series("cart", "cpu"))
    (0, 0)
    >>> catalog[0].service
    'cart'
    """

    def __init__(self) -> None:
        self._series: list[Series | None] = []
        self._slots = array("i", [_EMPTY]) * 256
        self._used = 0
        """Slots that are not empty."""
        self.living = 0
        """Series that are known: all that were ever seen, but for those retired."""
        self.generation = 0
        """Times that series were retired."""

    def intern(self, series: Series) -> int:
        """Return the number of `series`, giving it the next free one on first sight. O(1)."""
        slot = self._slot(series)
        found = self._slots[slot]
        if found < 0:
            # Names and labels recur in thousands of series; decoders spell them anew each time.
            service, metric, instance, peer, unit, kind, version, labels = map(_shared, series)
            series = Series(service, metric, instance, peer, unit, kind, version, labels)
            found = self._slots[slot] = len(self._series)
            self._series.append(series)
            self.living += 1
            self._used += 1
            if 3 * self._used > 2 * len(self._slots):
                self._index()
        return found

    def number_of(self, series: Series) -> int | None:
        """Return the number of a series that the catalog has."""
        found = self._slots[self._slot(series)]
        return found if found >= 0 else None

    def _slot(self, series: Series) -> int:
        """Return where the number of a series stands, or is to be put."""
        slots, known, mask = self._slots, self._series, len(self._slots) - 1
        slot = hash(series) & mask
        while (number := slots[slot]) != _EMPTY:
            if number >= 0 and known[number] == series:
                break
            slot = (slot + 1) & mask
        return slot

    def _index(self) -> None:
        """Build the index anew, at most half full, without those that were retired."""
        size = 256
        while size < 2 * self.living:
            size *= 2
        self._slots = array("i", [_EMPTY]) * size
        slots, mask = self._slots, size - 1
        for number, series in enumerate(self._series):
            if series is not None:
                slot = hash(series) & mask
                while slots[slot] != _EMPTY:
                    slot = (slot + 1) & mask
                slots[slot] = number
        self._used = self.living

    def __getitem__(self, number: int) -> Series:
        found = self._series[number]
        if found is None:
            raise KeyError(f"series {number} was retired")
        return found

    def __contains__(self, number: int) -> bool:
        return self._series[number] is not None

    def retire(self, numbers: Iterable[int]) -> None:
        """Forget series; their numbers stay unused."""
        for number in numbers:
            series = self._series[number]
            if series is not None:
                self._slots[self._slot(series)] = _RETIRED
                self._series[number] = None
                self.living -= 1
        self.generation += 1

    def everything(self) -> list[Series | None]:
        """Return all series by number, None for those that were retired."""
        return list(self._series)

    def restore(self, series: list[Series | None]) -> None:
        """Take series in the order of their numbers; None is one that was retired."""
        self._series = series
        self.living = sum(each is not None for each in series)
        self._index()

    def __len__(self) -> int:
        return len(self._series)


@dataclass(frozen=True, slots=True)
class SampleBatch:
    """Samples as parallel columns; any order, duplicates and NaN allowed.

    Attributes
    ----------
    ts_ms : int64[n]
        Event time, Unix milliseconds. For an interval, its END.
    series : int32[n]
        Numbers from the `Catalog` of the detector that receives the batch.
    value : float64[n]
        NaN marks a missing sample.
    """

    ts_ms: NDArray[np.int64]
    series: NDArray[np.int32]
    value: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.ts_ms)


@dataclass(frozen=True, slots=True)
class LogBatch:
    """Log lines as parallel columns of equal length; `ts_ms` in Unix milliseconds, any order."""

    ts_ms: Sequence[int]
    service: Sequence[str]
    instance: Sequence[str | None]
    severity: Sequence[str | None]
    """As the producer wrote it (`ERROR`, `warn`, …); None where unknown."""
    body: Sequence[str]

    def __len__(self) -> int:
        return len(self.ts_ms)

"""What a batch of raw records becomes: columns of samples, log lines and evidence, per domain."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from math import isfinite
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from correlator.evidence import Alert, Change, Edge
from detectors.catalog import Catalog
from detectors.telemetry import LogBatch, SampleBatch, Series
from streams.wire.state import DecoderState, was_wrong

Item = Change | Edge | Alert
Cache = TypeVar("Cache")
Marks = dict[str, tuple[int, int, int]]
NEVER_MS = 2**63 // 1_000_000 - 1
"""The last millisecond whose nanoseconds fit into 64 bits."""


@dataclass(frozen=True, slots=True)
class DomainTelemetry:
    """Telemetry of one domain, in order of arrival."""

    samples: SampleBatch
    logs: LogBatch
    items: tuple[Item, ...]


@dataclass(slots=True)
class _Columns:
    catalog: Catalog
    ts_ms: array[int] = field(default_factory=lambda: array("q"))
    series: array[int] = field(default_factory=lambda: array("i"))
    value: array[float] = field(default_factory=lambda: array("d"))
    log_ts_ms: list[int] = field(default_factory=list)
    log_service: list[str] = field(default_factory=list)
    log_instance: list[str | None] = field(default_factory=list)
    log_severity: list[str | None] = field(default_factory=list)
    log_body: list[str] = field(default_factory=list)
    items: list[Item] = field(default_factory=list)

    def mark(self) -> tuple[int, int, int]:
        return len(self.ts_ms), len(self.log_ts_ms), len(self.items)

    def cut(self, samples: int, logs: int, items: int) -> None:
        for column in (self.ts_ms, self.series, self.value):
            del column[samples:]
        for lines in (self.log_ts_ms, self.log_service, self.log_instance, self.log_severity, self.log_body):
            del lines[logs:]
        del self.items[items:]

    def take(self) -> DomainTelemetry:
        found = DomainTelemetry(
            SampleBatch(
                np.array(self.ts_ms, dtype=np.int64),
                np.array(self.series, dtype=np.int32),
                np.array(self.value, dtype=np.float64),
            ),
            LogBatch(self.log_ts_ms, self.log_service, self.log_instance, self.log_severity, self.log_body),
            tuple(self.items),
        )
        self.log_ts_ms, self.log_service, self.log_body = [], [], []
        self.log_instance, self.log_severity = [], []
        self.cut(0, 0, 0)
        return found


class TelemetryBuilder:
    """Collects what decoders find; a record that turns out to be poison leaves nothing behind.

    Parameters
    ----------
    catalog
        The catalog of a domain's detector, so that series numbers are the detector's own. Called on the
        first sight of a domain.
    state
        What decoders remember between records (cumulative histograms, announced edges, versions). It is
        part of the partition's snapshot.
    default_domain
        Domain of telemetry that names none.
    """

    def __init__(
        self,
        catalog: Callable[[str], Catalog],
        state: DecoderState | None = None,
        *,
        default_domain: str = "default",
    ) -> None:
        self.state = state if state is not None else DecoderState()
        self.default_domain = default_domain
        self.latest_ms = NEVER_MS
        """Event times behind it are a wrong clock's; what is remembered under one must not outlast it."""
        self._catalog = catalog
        self._domains: dict[str, _Columns] = {}
        self._caches: dict[type[Any], Any] = {}
        self._generation = 0

    def cache(self, kind: type[Cache]) -> Cache:
        """The one `kind()` of this builder: what a decoder knows of the catalogs' numbers.

        Not part of the state; a restart begins without it, and nothing that is published depends on it.
        """
        generation = sum(columns.catalog.generation for columns in self._domains.values())
        if generation != self._generation:
            # Series were retired: what decoders know of their numbers leads nowhere any more.
            self._caches.clear()
            self._generation = generation
        found: Cache | None = self._caches.get(kind)
        if found is None:
            found = self._caches[kind] = kind()
        return found

    def sample(self, domain: str, series: Series, ts_ms: int, value: float) -> int:
        """Add one sample; returns 1, or 0 for NaN and infinities, which mean that there is none."""
        return self.numbered(domain, self.number(domain, series), ts_ms, value)

    def numbered(self, domain: str, number: int, ts_ms: int, value: float) -> int:
        """Add one sample of a series whose number is known; as `sample` otherwise."""
        if not isfinite(value):
            return 0
        columns = self._domains[domain]
        columns.ts_ms.append(ts_ms)
        columns.series.append(number)
        columns.value.append(value)
        return 1

    def samples(
        self,
        domain: str,
        ts_ms: NDArray[np.int64],
        numbers: NDArray[np.int32],
        value: NDArray[np.float64],
    ) -> int:
        """Add columns of samples whose series are numbered already (see `number`)."""
        columns = self._columns(domain)
        columns.ts_ms.frombytes(ts_ms.astype(np.int64, copy=False).tobytes())
        columns.series.frombytes(numbers.astype(np.int32, copy=False).tobytes())
        columns.value.frombytes(value.astype(np.float64, copy=False).tobytes())
        return len(ts_ms)

    def number(self, domain: str, series: Series) -> int:
        """The number of `series` in its domain's catalog."""
        return self._columns(domain).catalog.intern(series)

    def log(
        self,
        domain: str,
        ts_ms: int,
        service: str,
        instance: str | None,
        severity: str | None,
        body: str,
    ) -> int:
        """Add one log line; returns 1."""
        columns = self._columns(domain)
        columns.log_ts_ms.append(ts_ms)
        columns.log_service.append(service)
        columns.log_instance.append(instance)
        columns.log_severity.append(severity)
        columns.log_body.append(body)
        return 1

    def logs(
        self,
        domain: str,
        ts_ms: list[int],
        service: str,
        instance: str | None,
        severity: list[str | None],
        body: list[str],
    ) -> int:
        """Add log lines of one instance; returns how many."""
        columns = self._columns(domain)
        columns.log_ts_ms += ts_ms
        columns.log_service += [service] * len(ts_ms)
        columns.log_instance += [instance] * len(ts_ms)
        columns.log_severity += severity
        columns.log_body += body
        return len(ts_ms)

    def is_late(self, before_ns: int, at_ns: int) -> bool:
        """Whether a point of a cumulative stream is no newer than the one that is remembered."""
        return at_ns <= before_ns and not was_wrong(before_ns, at_ns, self.latest_ms * 1_000_000)

    def item(self, item: Item) -> int:
        """Add a change, an edge or an alert, under the domain that it names; returns 1."""
        self._columns(item.domain).items.append(item)
        return 1

    def marks(self) -> Marks:
        """How much there is now, for `undo`."""
        return {domain: columns.mark() for domain, columns in self._domains.items()}

    def undo(self, marks: Marks) -> None:
        """Take back everything that was added since `marks`: a record is taken wholly or not at all."""
        for domain, columns in self._domains.items():
            columns.cut(*marks.get(domain, (0, 0, 0)))

    def take(self) -> dict[str, DomainTelemetry]:
        """Hand over what was collected since the last call, by domain; those without any are left out."""
        return {domain: columns.take() for domain, columns in self._domains.items() if any(columns.mark())}

    def domains(self) -> Iterable[str]:
        """Every domain seen so far."""
        return self._domains.keys()

    def _columns(self, domain: str) -> _Columns:
        found = self._domains.get(domain)
        if found is None:
            found = self._domains[domain] = _Columns(self._catalog(domain))
        return found

"""What the newest records of a raw topic say, as DETECT would read them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from confluent_kafka import Message

from detectors import Catalog, SampleBatch, Series
from streams.errors import DecodeError
from streams.kafka import headers_of
from streams.wire.decoders import Decoders
from streams.wire.decoders.resource import UNNAMED
from streams.wire.record import RawRecord
from streams.wire.routed import with_source_time
from streams.wire.telemetry import TelemetryBuilder


class _Unit:
    """What one unit would make of its records."""

    def __init__(self, default_domain: str) -> None:
        self.catalogs: dict[str, Catalog] = {}
        self.builder = TelemetryBuilder(
            lambda domain: self.catalogs.setdefault(domain, Catalog()), default_domain=default_domain
        )
        self.services: set[str] = set()
        self.clashing: set[tuple[str, Series]] = set()
        """Series with two values for one time: two things that share an identity."""
        self._values: dict[tuple[str, int, int], float] = {}

    def compare(self, domain: str, samples: SampleBatch) -> None:
        """Look for series that have another value at a time of which they had one."""
        columns = samples.series.tolist(), samples.ts_ms.tolist(), samples.value.tolist()
        for number, ts_ms, value in zip(*columns, strict=True):
            if self._values.setdefault((domain, number, ts_ms), value) != value:
                series = self.catalogs[domain][number]
                if series.peer is None:  # what several records say of an edge is added up for each
                    self.clashing.add((domain, series))

    def series(self) -> Iterator[tuple[str, Series]]:
        """Every series with its domain."""
        for domain, catalog in self.catalogs.items():
            for number in range(len(catalog)):
                yield domain, catalog[number]


@dataclass(slots=True)
class Sample:
    """Counts over the records looked at.

    Parameters
    ----------
    topic
        Name of the table, without the cluster's prefix.
    units
        How many units share the partitions.
    """

    topic: str
    units: int
    decoders: Decoders
    default_domain: str
    records: int = 0
    keyed: int = 0
    mixed: int = 0
    """Records of more than one service, which no key can put right."""
    rejected: Counter[str] = field(default_factory=Counter)
    rejected_at: tuple[int, int] = (0, 0)
    """Partition and offset of the last that could not be read."""
    newest_ms: int = 0
    """Newest time stamp of a record."""
    newest_event_ms: int = 0
    samples: int = 0
    lines: int = 0
    items: Counter[str] = field(default_factory=Counter)
    _read_by: dict[int, _Unit] = field(default_factory=dict)

    def take(self, message: Message) -> None:
        """Count one record."""
        partition, offset = message.partition() or 0, message.offset() or 0
        record = with_source_time(
            RawRecord(
                self.topic,
                partition,
                offset,
                message.key(),
                message.value(),
                headers_of(message),
                max(0, message.timestamp()[1]),
            )
        )
        self.records += 1
        self.keyed += bool(record.key)
        self.newest_ms = max(self.newest_ms, record.timestamp_ms)
        unit = self._read_by.setdefault(partition % self.units, _Unit(self.default_domain))
        try:
            self.decoders.decode(record, unit.builder)
            services = {service for service, _ in self.decoders.split(record)}
        except DecodeError as error:
            self.rejected[str(error)] += 1
            self.rejected_at = partition, offset
            return
        self.mixed += len(services) > 1
        unit.services |= services
        for domain, telemetry in unit.builder.take().items():
            unit.compare(domain, telemetry.samples)
            self.samples += len(telemetry.samples)
            self.lines += len(telemetry.logs)
            self.items.update(item.type for item in telemetry.items)
            for stamps in (telemetry.samples.ts_ms, telemetry.logs.ts_ms):
                if len(stamps):
                    self.newest_event_ms = max(self.newest_event_ms, int(max(stamps)))

    def domains(self) -> set[str]:
        """Every domain that was named."""
        return {domain for unit in self._read_by.values() for domain in unit.builder.domains()}

    def series(self) -> set[tuple[str, Series]]:
        """Every series, with its domain."""
        return {each for unit in self._read_by.values() for each in unit.series()}

    def unnamed(self) -> int:
        """Series that do not say which service they are of."""
        return sum(series.service.startswith(UNNAMED) for _, series in self.series())

    def clashing(self) -> list[str]:
        """Services with a series that has two values for one time."""
        return sorted({series.service for unit in self._read_by.values() for _, series in unit.clashing})

    def torn_series(self) -> list[str]:
        """Services that have a series in more than one unit; of log lines, the services themselves."""
        counts = Counter(each for unit in self._read_by.values() for each in set(unit.series()))
        torn = {series.service for (_, series), units in counts.items() if units > 1}
        return sorted(torn | set(self.spread_services() if self.lines else ()))

    def spread_services(self) -> list[str]:
        """Services that more than one unit reads."""
        counts = Counter(service for unit in self._read_by.values() for service in unit.services)
        return sorted(service for service, units in counts.items() if units > 1)

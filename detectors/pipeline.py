"""From samples and log lines to anomalies, in event time: the detector of one domain on one partition."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.anomaly import Anomaly
from detectors.catalog import Catalog
from detectors.config import DetectorConfig
from detectors.dense import distinct
from detectors.family import Shape
from detectors.former import ROWS
from detectors.grid import SLOT_MS
from detectors.hold import Hold, LineHold, by_tick
from detectors.judging import Judging
from detectors.logs import Line, LogBook
from detectors.naming import Numbers, Words, identities, packed
from detectors.pools import Pools
from detectors.publish import Publisher
from detectors.roster import Roster
from detectors.silence import Silence
from detectors.state import Records, State, pieces, unpack
from detectors.stillness import STILL, Stillness
from detectors.telemetry import LogBatch, SampleBatch, Series
from detectors.widening import Widening


@dataclass(frozen=True, slots=True)
class EdgeSeen:
    """An edge that carried samples in a tick (first sight, and again at most every five minutes)."""

    caller: str
    callee: str
    ts_ms: int


@dataclass(frozen=True, slots=True)
class Tick:
    """All that happened in one tick. Anomalies stand in (ts_ms, id) order."""

    end_ms: int
    anomalies: tuple[Anomaly, ...]
    edges: tuple[EdgeSeen, ...]


CATALOG_TIMES = 4
"""Series that are known, over rows that there may be: above it those without a row are forgotten."""
EDGE_EVERY_MS = 300_000
"""How often an edge that goes on carrying samples is reported again."""


class Detector:
    """Feeds on telemetry in any batching, speaks in ticks; the same telemetry gives the same ticks.

    Samples are held until the watermark passes the tick they fall into, so neither batch limits nor the
    order of arrival within the watermark's lateness can change what is said.
    """

    def __init__(self, domain: str, config: DetectorConfig | None = None) -> None:
        self.domain = domain
        self.config = config or DetectorConfig()
        self.catalog = Catalog()
        self.late = 0
        """Samples and lines that came after their tick was closed."""
        self.closed_ms: int | None = None
        """End of the newest closed tick."""
        self._hold = Hold()
        self._lines = LineHold(self.config.tick_ms)
        self._logbook = LogBook()
        self._roster = Roster(self.config.max_series, self.catalog)
        self._widening = Widening()
        self._publisher = Publisher(domain, self._roster, self.config.budgets, self._widening)
        self._silence = Silence(domain, self._roster, self._publisher.dearer["metric"])
        self._stillness = Stillness(domain, self._roster, self._publisher)
        self._edges: dict[tuple[str, str], int] = {}
        self._minute = -1
        self._is_edge = np.empty(0, np.bool_)

    @property
    def evicted(self) -> int:
        """Series that were forgotten to make room, idlest first."""
        return self._roster.evicted

    @property
    def refused(self) -> int:
        """Series that came when no row could be freed for them, once a tick."""
        return self._roster.refused

    @property
    def largest(self) -> tuple[str, str, int]:
        """Service and metric with the most rows, and how many: whom to ask when series are evicted."""
        return self._roster.largest()

    def observe(self, samples: SampleBatch) -> None:
        """Take samples; those of ticks already closed are counted in `late` and otherwise ignored."""
        self.late += self._hold.put(samples, self.closed_ms)

    def observe_logs(self, lines: LogBatch) -> None:
        """Take log lines; they become template, novelty and severity series of the same bank."""
        self.late += self._lines.put(lines, self.closed_ms)

    def changed(self, service: str, ts_ms: int) -> None:
        """Hear that a service is being deployed: its scales are wider for some minutes from then on.

        Heard before the tick of `ts_ms` is closed, it does not matter when; heard later, it acts from then
        on. Nothing that is learned depends on it.
        """
        self._widening.changed(service, ts_ms)

    def advance(self, watermark_ms: int) -> list[Tick]:
        """Close every tick that ends at or before the watermark; silent ticks are left out."""
        width = self.config.tick_ms
        last = watermark_ms // width * width
        if self.closed_ms is not None and last <= self.closed_ms:
            return []
        due = by_tick(self._hold.release(last), width)
        lines = self._lines.release(last)
        said: list[Tick] = []
        for end in sorted({*due, *lines}):
            said += self._silent_ticks(end - width)
            said += self._close(end, due.pop(end, _NO_SAMPLES), lines.get(end, []))
        said += self._silent_ticks(last)
        self.closed_ms = last
        return said

    def _silent_ticks(self, upto_ms: int) -> list[Tick]:
        """Close ticks without samples: only an episode that has fallen silent can speak in them."""
        said: list[Tick] = []
        while self._publisher.open and self.closed_ms is not None and self.closed_ms < upto_ms:
            self.closed_ms += self.config.tick_ms
            said += self._tick(self.closed_ms, self._publisher.fall_silent(self.closed_ms), ())
        self.closed_ms = upto_ms
        return said

    def _close(self, end: int, batch: SampleBatch, lines: list[Line]) -> list[Tick]:
        roster = self._roster
        minute = (end - self.config.tick_ms) // SLOT_MS
        silent: list[Anomaly] = []
        if minute > self._minute:
            roster.refresh(end - self.config.tick_ms)
            self._widening.forget(end - self.config.tick_ms)
            silent = self._silence.check(end) + self._stillness.check(end)
            self._minute = minute
        judging = Judging(roster, self._publisher, self._stillness, end)
        judging.emitted(self._rows_of(batch, judging), batch.ts_ms, batch.value)
        edges = self._edges_seen(batch, end)
        judging.counted(self._logbook.count(lines, end))
        self._forget_homeless()
        self.closed_ms = end
        return self._tick(end, judging.anomalies + self._publisher.fall_silent(end) + silent, edges)

    def _rows_of(self, batch: SampleBatch, judging: Judging) -> NDArray[np.int32]:
        """Return the bank's rows of a batch; only series that have none cost more than a look-up."""
        roster = self._roster
        roster.follow_catalog()
        homeless = distinct(batch.series[roster.row_of[batch.series] < 0], len(self.catalog))
        homeless = np.array([number for number in homeless if number in self.catalog], homeless.dtype)
        if len(homeless):
            newcomers = [self.catalog[int(number)] for number in homeless]
            self._widening.met(newcomers, judging.end_ms - self.config.tick_ms)
            rows = judging.admit(newcomers)
            self._forget_homeless()
            roster.row_of[homeless] = rows
        return roster.row_of[batch.series]

    def _forget_homeless(self) -> None:
        """Forget series without a row; they are kept, to be known when they return, until they are most."""
        if self.catalog.living > CATALOG_TIMES * self.config.max_series:
            self._roster.follow_catalog()
            homeless = np.flatnonzero(self._roster.row_of < 0).tolist()
            known = (number for number in homeless if number in self.catalog)
            self.catalog.retire([number for number in known if self._roster.row(self.catalog[number]) < 0])

    def _edges_seen(self, batch: SampleBatch, end: int) -> tuple[EdgeSeen, ...]:
        known = len(self._is_edge)
        if known < len(self.catalog):
            self._is_edge = np.concatenate([self._is_edge, self.catalog.are_edges(known)])
        numbers = distinct(batch.series[self._is_edge[batch.series]], len(self.catalog))
        series = [self.catalog[int(number)] for number in numbers if number in self.catalog]
        seen = sorted({(each.service, each.peer) for each in series if each.peer is not None})
        due = [edge for edge in seen if end - self._edges.get(edge, -EDGE_EVERY_MS) >= EDGE_EVERY_MS]
        self._edges.update(dict.fromkeys(due, end))
        return tuple(EdgeSeen(caller, callee, end) for caller, callee in due)

    @staticmethod
    def _tick(end: int, anomalies: list[Anomaly], edges: tuple[EdgeSeen, ...]) -> list[Tick]:
        if not anomalies and not edges:
            return []
        return [Tick(end, tuple(sorted(anomalies, key=lambda each: (each.ts_ms, each.id))), edges)]

    def dump(self) -> bytes:
        """Serialise the whole state, versioned; `load(dump())` continues as if never stopped."""
        return b"".join(self.dump_pieces())

    def dump_pieces(self) -> list[bytes | memoryview]:
        """Return what `dump` joins, without a copy of the rows: valid until the detector goes on."""
        roster = self._roster
        words, names, of_row = self._named()
        still, stuck = self._stillness.dump()
        header = {
            "domain": self.domain,
            "config": asdict(self.config),
            "late": self.late,
            "evicted": roster.evicted,
            "refused": roster.refused,
            "closed_ms": self.closed_ms,
            "minute": self._minute,
            "lines": [list(line) for line in self._lines.everything()],
            "logbook": self._logbook.dump(),
            "catalog": len(self.catalog),
            "words": words,
            "pools": [list(key) for key in roster.pool_keys],
            "free": roster.free,
            "derived": sorted(roster.derived),
            "silence": self._silence.dump(),
            "stuck": stuck,
            "widening": self._widening.dump(),
            "edges": [[caller, callee, ts] for (caller, callee), ts in self._edges.items()],
            "open": [[row, each.model_dump(mode="json")] for row, each in self._publisher.open.items()],
        }
        held = self._hold.everything()
        arrays: dict[str, NDArray[Any]] = {"rows": roster.rows[: roster.used].view(np.uint8)}
        arrays |= {f"pools.{name}": array for name, array in roster.pools._asdict().items()}
        arrays |= {"still": still, "crowd": roster.crowd[: roster.used], "born": roster.born[: roster.used]}
        arrays["whole"], arrays["mixed"] = roster.settled()
        arrays |= {"names": names, "series": of_row}
        arrays |= {"held.ts_ms": held.ts_ms, "held.series": held.series, "held.value": held.value}
        return pieces(header, arrays)

    def _named(self) -> tuple[Words, Numbers, NDArray[np.int32]]:
        """Return all series, those of the catalog first, and which of them each row has, or -1."""
        roster, catalog = self._roster, self.catalog
        of_row = np.full(roster.used, -1, np.int32)
        numbers = np.flatnonzero(roster.row_of >= 0)
        of_row[roster.row_of[numbers]] = numbers
        others: list[Series] = []
        for row in np.flatnonzero(of_row < 0).tolist():
            each = roster.series_of(row)
            if each is not None:
                number = catalog.number_of(each)
                of_row[row] = len(catalog) + len(others) if number is None else number
                if number is None:
                    others.append(each)
        return *packed(others, catalog), of_row

    @classmethod
    def load(cls, state: State, config: DetectorConfig | None = None) -> Detector:
        """Restore a state; a list of parts is emptied on the way.

        Raises
        ------
        ValueError
            The bytes are damaged or of a version that this code cannot read.
        """
        header, arrays = unpack(state, {"rows": ROWS, "still": Records(STILL)})
        try:
            detector = cls(header["domain"], config or DetectorConfig(**header["config"]))
            detector._restore(header, arrays)
        except (KeyError, TypeError, IndexError) as error:
            raise ValueError(f"detector state does not fit this code, {error!r}: start afresh") from None
        return detector

    def _restore(self, header: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> None:
        self.late, self.closed_ms, self._minute = header["late"], header["closed_ms"], header["minute"]
        tables, numbers, of_row, known = identities(header, arrays)
        self.catalog.restore(tables, numbers[:, :known])
        roster = self._roster
        rows = arrays["rows"]
        roster.restore(rows, of_row, tables, numbers, header["pools"], header["free"], header["derived"])
        roster.evicted, roster.refused = header["evicted"], header["refused"]
        roster.crowd[: roster.used] = arrays["crowd"]
        roster.born[: roster.used] = arrays["born"]
        if "whole" in arrays:
            roster.settle(arrays["whole"], arrays["mixed"])
        if "pools.seen" not in arrays:
            arrays |= {"pools.seen": np.zeros(len(arrays["pools.shape"]))}
            arrays |= {"pools.reading": roster.pools.reading[: len(arrays["pools.shape"])]}
            # What one event adds was nowhere looked at.
            arrays["pools.offset"][arrays["pools.shape"] == Shape.COUNT] = 1.0
        roster.pools = Pools(**{name: arrays[f"pools.{name}"] for name in Pools._fields})
        self._silence.restore(header["silence"])
        self._widening.restore(header.get("widening", [[], []]))
        if "still" in arrays:
            self._stillness.restore(arrays["still"], header["stuck"])
        self._edges = {(caller, callee): ts for caller, callee, ts in header["edges"]}
        self._publisher.open = {row: Anomaly.model_validate(each) for row, each in header["open"]}
        held = SampleBatch(arrays["held.ts_ms"], arrays["held.series"], arrays["held.value"])
        self._hold.put(held, None)
        self._lines.restore([(ts, *words) for ts, *words in header["lines"]])
        self._logbook = LogBook.load(header["logbook"])


_NO_SAMPLES = SampleBatch(np.empty(0, np.int64), np.empty(0, np.int32), np.empty(0))

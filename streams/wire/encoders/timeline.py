"""A recording as records in order of event time, tick by tick."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from correlator.evidence import Alert, Change, Edge
from streams.recording import Recording, Samples, edge_samples, metric_samples
from streams.wire.encoders import items, otlp, spans
from streams.wire.encoders.outgoing import OutgoingRecord

TICK_MS = 15_000
"""Records of one tick may come in any order, those of the next only behind them: DETECT closes whole ticks,
so this is the longest stretch of event time in which services may be written one after the other."""
MAX_POINTS = 5_000
"""Points of one record: about 150 kB, well under the 1 MB that brokers take."""
MAX_LOG_BYTES = 400_000


Item = TypeVar("Item", Change, Alert, Edge)


@dataclass(frozen=True, slots=True)
class Tick:
    """The records of the event times in (end - TICK_MS, end]."""

    end_ms: int
    records: list[OutgoingRecord]


class Timeline:
    """Reads a recording once and hands out its records.

    Parameters
    ----------
    shift_ms
        Added to every event time; a multiple of `TICK_MS`, so that ticks stay what they are.
    traces
        Whether one trace of each edge and interval is handed out too.
    """

    def __init__(self, recording: Recording, shift_ms: int = 0, *, traces: bool = False) -> None:
        if shift_ms % TICK_MS:
            raise ValueError(f"shift_ms must be a multiple of {TICK_MS}, got {shift_ms}")
        self.domain = recording.system
        self._shift_ms = shift_ms
        self._traces = traces
        self._topology = recording.declared_edges()
        by_time = attrgetter("ts_ms", "id")
        self._changes = sorted(recording.changes(), key=by_time)
        self._alerts = sorted(recording.alerts(), key=by_time)
        metrics, edges = recording.metrics(), recording.edges()
        late = _lateness(recording.arrivals())
        self._metrics = (
            _Column(metric_samples(metrics, recording.path), late) if metrics is not None else None
        )
        self._edges = _Column(edge_samples(edges)) if edges is not None else None
        logs = recording.logs()
        self._logs = _Lines(logs.sort_by("ts_ms")) if logs is not None else None
        self.start_ms = recording.start_ms + shift_ms
        self.end_ms = recording.end_ms + shift_ms

    def ticks(self) -> Iterator[Tick]:
        """All records, one stretch a tick in ascending order; empty ticks are left out.

        Declared edges come first. Within a tick: changes, alerts, edges, traces, metrics, logs, each by
        service.
        """
        changes, alerts = _by_tick(self._changes), _by_tick(self._alerts)
        sources = [source for source in (self._metrics, self._edges) if source]
        ends = set(changes) | set(alerts)
        for source in sources:
            ends.update(source.ends())
        if self._logs:
            ends.update(self._logs.ends())
        if self._topology:
            declared = items.topology(self._moved(edge) for edge in self._topology)
            yield Tick(min(ends, default=_end_of(self.start_ms)) + self._shift_ms, declared)
        for end_ms in sorted(ends):
            records = [items.change(self._moved(each)) for each in changes.get(end_ms, ())]
            records += [items.alert(self._moved(each)) for each in alerts.get(end_ms, ())]
            if self._edges:
                records += self._sampled(self._edges, end_ms, graph=True)
                if self._traces:
                    records += self._traced(self._edges, end_ms)
            if self._metrics:
                records += self._sampled(self._metrics, end_ms, graph=False)
            if self._logs:
                records += self._logged(self._logs, end_ms)
            yield Tick(end_ms + self._shift_ms, records)

    def _sampled(self, source: _Column, end_ms: int, *, graph: bool) -> Iterator[OutgoingRecord]:
        encode = otlp.service_graph if graph else otlp.metrics
        for service, runs in source.runs(end_ms, self._shift_ms):
            for part in _parts(runs):
                yield OutgoingRecord("otlp_metrics", service.encode(), encode(self.domain, part))

    def _traced(self, source: _Column, end_ms: int) -> Iterator[OutgoingRecord]:
        for _, runs in source.runs(end_ms, self._shift_ms):
            for call in spans.calls(runs):
                yield OutgoingRecord("otlp_spans", *spans.trace(self.domain, call))

    def _logged(self, source: _Lines, end_ms: int) -> Iterator[OutgoingRecord]:
        for service, lines in source.lines(end_ms, self._shift_ms):
            yield OutgoingRecord("otlp_logs", service.encode(), otlp.logs(self.domain, lines))

    def _moved(self, item: Item) -> Item:
        if not self._shift_ms:
            return item
        moved = {
            name: value + self._shift_ms
            for name in ("ts_ms", "end_ms", "first_seen_ms", "last_seen_ms", "valid_from_ms", "valid_to_ms")
            if isinstance(value := getattr(item, name, None), int)
        }
        return item.model_copy(update=moved)


class _Column:
    """Samples in the order of their records: tick of arrival, service, series, time."""

    def __init__(self, samples: Samples, late: Mapping[_Sample, int] | None = None) -> None:
        names = {name: code for code, name in enumerate(sorted({each.service for each in samples.series}))}
        service = np.array([names[each.service] for each in samples.series], dtype=np.int64)[samples.index]
        end_ms = _ends_of(_arrived_ms(samples, late or {}))
        # Samples are in time already, and a stable sort keeps them so within a series.
        order = np.lexsort((samples.index, service, end_ms))
        self._series = samples.series
        self._ts_ms, self._value = samples.ts_ms[order], samples.value[order]
        self._index, self._service = samples.index[order], service[order]
        self._stops = _stretches(end_ms[order])

    def ends(self) -> Iterable[int]:
        return self._stops.keys()

    def runs(self, end_ms: int, shift_ms: int) -> Iterator[tuple[str, list[otlp.Run]]]:
        """The tick's samples by service, cut into runs of one series."""
        start, stop = self._stops.get(end_ms, (0, 0))
        index, service = self._index[start:stop], self._service[start:stop]
        cuts = np.flatnonzero(np.diff(index)) + 1
        found: list[otlp.Run] = []
        owner = -1
        for first, last in zip([0, *cuts.tolist()], [*cuts.tolist(), stop - start], strict=True):
            if first == last:
                continue
            if service[first] != owner and found:
                yield found[0].series.service, found
                found = []
            owner = service[first]
            at = slice(start + first, start + last)
            found.append(
                otlp.Run(
                    self._series[index[first]],
                    (self._ts_ms[at] + shift_ms).tolist(),
                    self._value[at].tolist(),
                )
            )
        if found:
            yield found[0].series.service, found


class _Lines:
    """Log lines by tick and service."""

    def __init__(self, table: pa.Table) -> None:
        self._table = table
        self._stops = _stretches(_ends_of(table["ts_ms"].to_numpy()))

    def ends(self) -> Iterable[int]:
        return self._stops.keys()

    def lines(self, end_ms: int, shift_ms: int) -> Iterator[tuple[str, list[otlp.Line]]]:
        """The tick's lines by service, in parts that fit into a record."""
        start, stop = self._stops.get(end_ms, (0, 0))
        by_service: dict[str, list[otlp.Line]] = {}
        sizes: dict[str, int] = {}
        for row in self._table.slice(start, stop - start).to_pylist():
            line = otlp.Line(**(row | {"ts_ms": row["ts_ms"] + shift_ms}))
            by_service.setdefault(line.service, []).append(line)
            sizes[line.service] = sizes.get(line.service, 0) + len(line.body)
            if sizes[line.service] >= MAX_LOG_BYTES:
                yield line.service, by_service.pop(line.service)
                del sizes[line.service]
        yield from sorted(by_service.items())


_Sample = tuple[int, str, str | None, str]
"""Time, service, instance and metric."""


def _lateness(table: pa.Table | None) -> dict[_Sample, int]:
    """When each late sample arrived."""
    if table is None:
        return {}
    rows = zip(*(column.to_pylist() for column in table.columns), strict=True)
    return {(ts_ms, service, instance, metric): at_ms for ts_ms, service, instance, metric, at_ms in rows}


def _arrived_ms(samples: Samples, late: Mapping[_Sample, int]) -> NDArray[np.int64]:
    """When each sample is sent: at once, or when it arrived, but no later than the last of all."""
    if not late or not len(samples):
        return samples.ts_ms
    arrived_ms: NDArray[np.int64] = samples.ts_ms.copy()
    moments = np.array(sorted({sample[0] for sample in late}), np.int64)
    for row in np.flatnonzero(np.isin(samples.ts_ms, moments)):
        series = samples.series[samples.index[row]]
        sample = (int(samples.ts_ms[row]), series.service, series.instance, series.metric)
        arrived_ms[row] = late.get(sample, arrived_ms[row])
    np.minimum(arrived_ms, samples.ts_ms[-1], out=arrived_ms)
    return arrived_ms


def _parts(runs: list[otlp.Run]) -> Iterator[list[otlp.Run]]:
    """Cut a service's runs into records of bounded size; a run is never cut, a tick is short."""
    part: list[otlp.Run] = []
    points = 0
    for run in runs:
        if part and points + len(run.ts_ms) > MAX_POINTS:
            yield part
            part, points = [], 0
        part.append(run)
        points += len(run.ts_ms)
    if part:
        yield part


def _end_of(ts_ms: int) -> int:
    return -(-ts_ms // TICK_MS) * TICK_MS


def _ends_of(ts_ms: NDArray[np.int64]) -> NDArray[np.int64]:
    ends: NDArray[np.int64] = -(-ts_ms // TICK_MS) * TICK_MS
    return ends


def _stretches(ascending: NDArray[np.int64]) -> dict[int, tuple[int, int]]:
    """Where each value of an ascending column starts and stops."""
    values, starts = np.unique(ascending, return_index=True)
    stops = [*starts[1:].tolist(), len(ascending)][: len(values)]
    return dict(zip(values.tolist(), zip(starts.tolist(), stops, strict=True), strict=True))


_AnyItem = TypeVar("_AnyItem", Change, Alert)


def _by_tick(found: list[_AnyItem]) -> dict[int, list[_AnyItem]]:
    ticks: dict[int, list[_AnyItem]] = {}
    for each in found:
        ticks.setdefault(_end_of(each.ts_ms), []).append(each)
    return ticks

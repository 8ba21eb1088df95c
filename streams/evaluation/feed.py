"""A recording as the evidence log that Kafka would carry: detection run in event time, without a broker."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from correlator.evidence import EvidenceItem
from detectors.pipeline import Detector
from detectors.telemetry import LogBatch, SampleBatch
from streams.recording import Recording, Samples, edge_samples, metric_samples
from streams.recording.samples import chunks
from streams.wire.evidence import event_order, items_of_tick, progress, tell_of_deploys

SOURCE = "recording"
CHUNK_MS = 3_600_000
"""Event time handed over at once. What is said does not depend on it (detectors speak in ticks); an hour
keeps the calls few and the samples held back small."""


@dataclass(frozen=True, slots=True)
class Telemetry:
    """All that one recording shows, in memory, in ascending time."""

    recording: Recording
    samples: tuple[Samples, ...]
    logs: pa.Table | None
    events: tuple[EvidenceItem, ...]
    """Changes and alerts in event order."""
    topology: tuple[EvidenceItem, ...]

    @classmethod
    def read(cls, recording: Recording, signals: frozenset[str]) -> Telemetry:
        """Read the chosen signals, and never the truth.

        Raises
        ------
        RecordingError
            A file of a chosen signal cannot be read.
        """
        metrics = recording.metrics() if "metrics" in signals else None
        edges = recording.edges() if "edges" in signals else None
        logs = recording.logs() if "logs" in signals else None
        samples = []
        if metrics is not None:
            samples.append(metric_samples(metrics, recording.path / "metrics.parquet"))
        if edges is not None:
            samples.append(edge_samples(edges))
        events: list[EvidenceItem] = []
        if "changes" in signals:
            events.extend(recording.changes())
        if "alerts" in signals:
            events.extend(recording.alerts())
        return cls(
            recording=recording,
            samples=tuple(samples),
            logs=logs.sort_by("ts_ms") if logs is not None else None,
            events=tuple(sorted(events, key=event_order)),
            topology=tuple(recording.declared_edges()),
        )

    @property
    def span_ms(self) -> tuple[int, int]:
        """First and last event time of samples and manifest."""
        times = [s.ts_ms for s in self.samples if len(s)]
        first = min([self.recording.start_ms, *(int(t[0]) for t in times)])
        last = max([self.recording.end_ms, *(int(t[-1]) for t in times)])
        return first, last


def evidence_of(
    telemetry: Telemetry,
    detector: Detector,
    *,
    last: bool,
    chunk_ms: int = CHUNK_MS,
    on_progress: Callable[[float], None] | None = None,
) -> Iterator[EvidenceItem]:
    """Run detection over one recording and yield the evidence log, in order of arrival.

    Parameters
    ----------
    last
        Whether nothing follows. After a history the last, unfinished tick is left open, so that samples of
        the recording that follows at once are not late.
    on_progress
        Called with the share done, 0 to 1.
    """
    tick_ms, domain = detector.config.tick_ms, detector.domain
    first_ms, last_ms = telemetry.span_ms
    yield from telemetry.topology
    ends_ms = _chunk_ends(first_ms, last_ms, tick_ms, chunk_ms, close=last)
    feeds = [_Feed(samples, detector) for samples in telemetry.samples]
    lines = _Lines(telemetry.logs, detector) if telemetry.logs is not None else None
    events = list(reversed(telemetry.events))
    stops = [list(chunks(feed.samples.ts_ms, ends_ms)) for feed in feeds]
    line_stops = list(chunks(lines.ts_ms, ends_ms)) if lines else []
    for number, end_ms in enumerate(ends_ms.tolist()):
        for feed, stop in zip(feeds, stops, strict=True):
            feed.hand_over(stop[number])
        if lines:
            lines.hand_over(line_stops[number])
        tell_of_deploys(detector, (each for each in events if event_order(each)[0] <= end_ms))
        for tick in detector.advance(end_ms):
            while events and event_order(events[-1])[0] <= tick.end_ms:
                yield events.pop()
            yield from items_of_tick(domain, tick)
            yield progress(domain, SOURCE, tick.end_ms, tick_ms=tick_ms)
        while events and event_order(events[-1])[0] <= end_ms:
            yield events.pop()
        yield progress(domain, SOURCE, end_ms, tick_ms=tick_ms)
        if on_progress:
            on_progress((number + 1) / len(ends_ms))
    yield from reversed(events)


def _chunk_ends(
    first_ms: int, last_ms: int, tick_ms: int, chunk_ms: int, *, close: bool
) -> NDArray[np.int64]:
    start = first_ms // tick_ms * tick_ms
    stop = last_ms // tick_ms * tick_ms + (tick_ms if close else 0)
    step = max(tick_ms, chunk_ms // tick_ms * tick_ms)
    return np.append(np.arange(start + step, stop, step, dtype=np.int64), np.int64(stop))


class _Feed:
    """Hands samples to a detector, numbering each series when it is first seen and not before."""

    def __init__(self, samples: Samples, detector: Detector) -> None:
        self.samples = samples
        self._detector = detector
        self._numbers = np.full(len(samples.series), -1, dtype=np.int32)

    def hand_over(self, part: slice) -> None:
        index = self.samples.index[part]
        if not len(index):
            return
        seen, first = np.unique(index, return_index=True)
        new = seen[np.argsort(first, kind="stable")]
        for number in new[self._numbers[new] < 0].tolist():
            self._numbers[number] = self._detector.catalog.intern(self.samples.series[number])
        self._detector.observe(
            SampleBatch(self.samples.ts_ms[part], self._numbers[index], self.samples.value[part])
        )


class _Lines:
    """Hands log lines to a detector."""

    def __init__(self, table: pa.Table, detector: Detector) -> None:
        self._table = table
        self._detector = detector
        self.ts_ms: NDArray[np.int64] = table["ts_ms"].to_numpy()

    def hand_over(self, part: slice) -> None:
        if part.stop == part.start:
            return
        table = self._table.slice(part.start, part.stop - part.start)
        columns: dict[str, Any] = {name: table[name].to_pylist() for name in table.column_names}
        self._detector.observe_logs(LogBatch(**columns))

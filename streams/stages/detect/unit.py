"""One unit of DETECT: the partitions that share a number, their detectors, and what they have said."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from correlator.evidence import Alert, Change, Edge, EvidenceItem, Progress
from detectors import Catalog, Detector, DetectorConfig, LogBatch, SampleBatch
from streams import metrics
from streams.errors import StateError
from streams.settings import DetectSettings
from streams.stages.detect.admission import Admission, admit
from streams.stages.detect.snapshot import Blob, Snapshot, joined
from streams.stages.detect.watermark import PartitionKey, Watermark
from streams.wire.evidence import event_order, items_of_tick, progress, tell_of_deploys
from streams.wire.messages import EvidenceRecord
from streams.wire.routed import Stamp, is_repeated
from streams.wire.state import DecoderState
from streams.wire.telemetry import DomainTelemetry, TelemetryBuilder

MAX_ITEMS = 400
"""Items of one evidence record. An anomaly is about 1 kB, so a record stays below half of Kafka's 1 MB."""


@dataclass(frozen=True, slots=True)
class Clocks:
    """The two clocks of DETECT, injected: nothing behind it may look at one."""

    now_ms: Callable[[], int]
    """Unix milliseconds; only to recognise event times from the future, and for the age of records."""
    elapsed_s: Callable[[], float]
    """Monotonic seconds; only to notice silence."""


class Unit:
    """Turns what its partitions carry into evidence records, and can be put into a snapshot.

    Parameters
    ----------
    number, count
        Which unit of how many.
    dense
        Partitions whose event times make the watermark; changes, alerts and topology never hold it back.
    """

    def __init__(
        self,
        number: int,
        count: int,
        dense: Iterable[PartitionKey],
        settings: DetectSettings,
        clocks: Clocks,
        snapshot: Snapshot | None = None,
    ) -> None:
        self.number = number
        self.source = f"detect-{number}"
        self.offsets: dict[PartitionKey, int] = {}
        self.sequence = 0
        self._stamps: dict[PartitionKey, dict[str, Stamp]] = {}
        self._count = count
        self._settings = settings
        self._clocks = clocks
        self._config = DetectorConfig(
            alert_budget=settings.alert_budget,
            alert_budget_edges=settings.alert_budget_edges,
            alert_budget_logs=settings.alert_budget_logs,
            max_series=settings.max_series,
        )
        self._lateness_ms = int(settings.lateness_s * 1000)
        self._detectors: dict[str, Detector] = {}
        self._progress_ms: dict[str, int] = {}
        self._elsewhere_ms: dict[str, int] = {}
        self._saved: tuple[dict[PartitionKey, int], int | None] = ({}, None)
        self.watermark = Watermark(dense, lateness_ms=self._lateness_ms, idle_s=settings.idle_s)
        state = DecoderState()
        if snapshot is not None:
            state = self._restore(snapshot)
        self._crowded_out = self._crowded_out_ever()
        self.builder = TelemetryBuilder(self._catalog, state, default_domain=settings.default_domain)

    def _restore(self, snapshot: Snapshot) -> DecoderState:
        self.offsets = dict(snapshot.offsets)
        self.sequence = snapshot.sequence
        self.watermark.restore(snapshot.watermark)
        self._progress_ms = dict(snapshot.progress_ms)
        self._stamps = {key: dict(stamps) for key, stamps in snapshot.stamps.items()}
        try:
            for name, blob in snapshot.blobs.items():
                if name.startswith("detector/"):
                    state = blob if isinstance(blob, bytes | list) else joined(blob)
                    self._detectors[name.removeprefix("detector/")] = Detector.load(state, self._config)
            return DecoderState.load(joined(snapshot.blobs["decoder"]))
        except (ValueError, KeyError) as error:
            raise StateError(f"snapshot {snapshot.sequence} of unit {snapshot.unit}: {error}") from None

    def _catalog(self, domain: str) -> Catalog:
        return self._detector(domain).catalog

    def _detector(self, domain: str) -> Detector:
        found = self._detectors.get(domain)
        if found is None:
            found = self._detectors[domain] = Detector(domain, self._config)
        return found

    def is_new(self, partition: PartitionKey, source: str, stamp: Stamp) -> bool:
        """Tell whether a re-keyed record was not read before, and remember it."""
        stamps = self._stamps.setdefault(partition, {})
        newest = stamps.get(source)
        if is_repeated(stamp, newest):
            return False
        # The stamps of a source need not grow with its offsets.
        stamps[source] = stamp._replace(ts_ms=max(stamp.ts_ms, newest.ts_ms if newest else 0))
        return True

    def take(self, partition: PartitionKey, next_offset: int) -> list[EvidenceRecord]:
        """Feed the detectors what the builder has collected from one partition.

        Returns the records that must not wait for a tick: changes, edges and alerts.
        """
        records: list[EvidenceRecord] = []
        for domain, telemetry in self.builder.take().items():
            self._observe(partition, domain, telemetry)
            items = [self._in_time(item) for item in telemetry.items]
            tell_of_deploys(self._detector(domain), items)
            records += self._split(domain, 0, sorted(items, key=event_order))
        self.offsets[partition] = next_offset
        return records

    def _observe(self, partition: PartitionKey, domain: str, telemetry: DomainTelemetry) -> None:
        detector = self._detector(domain)
        samples, lines = telemetry.samples, telemetry.logs
        if len(samples):
            verdict = self._admit(partition, samples.ts_ms, "metric")
            keep = verdict.timely
            detector.observe(SampleBatch(verdict.ts_ms[keep], samples.series[keep], samples.value[keep]))
        if len(lines):
            verdict = self._admit(partition, np.array(lines.ts_ms, dtype=np.int64), "log")
            kept = np.flatnonzero(verdict.timely).tolist()
            if len(kept) == len(lines) and not verdict.clamped:
                detector.observe_logs(lines)
                return
            detector.observe_logs(
                LogBatch(
                    ts_ms=verdict.ts_ms[kept].tolist(),
                    service=[lines.service[i] for i in kept],
                    instance=[lines.instance[i] for i in kept],
                    severity=[lines.severity[i] for i in kept],
                    body=[lines.body[i] for i in kept],
                )
            )

    def _admit(self, partition: PartitionKey, ts_ms: np.ndarray, signal: str) -> Admission:
        now_ms = self._clocks.now_ms()
        verdict = admit(
            ts_ms,
            self.watermark.high_ms(partition),
            now_ms=now_ms,
            max_future_ms=int(self._settings.max_future_s * 1000),
            lateness_ms=self._lateness_ms,
            tick_ms=self._config.tick_ms,
        )
        self.watermark.saw(partition, verdict.high_ms)
        metrics.POINTS_PROCESSED.labels(signal).inc(len(ts_ms))
        metrics.POINTS_LATE.labels(signal).inc(len(ts_ms) - int(verdict.timely.sum()))
        metrics.POINTS_CLAMPED.labels(signal).inc(verdict.clamped)
        metrics.RECORD_AGE.labels(signal).observe(max(0, now_ms - verdict.high_ms) / 1000)
        return verdict

    def _in_time(self, item: Change | Edge | Alert) -> Change | Edge | Alert:
        now_ms = self._clocks.now_ms()
        metrics.POINTS_PROCESSED.labels(item.type).inc()
        latest_ms = now_ms + self._settings.max_future_s * 1000
        if (item.last_seen_ms if item.type == "edge" else item.ts_ms) <= latest_ms:
            return item
        metrics.POINTS_CLAMPED.labels(item.type).inc()
        if item.type == "edge":
            # Its readers would keep it waiting until then, and believe in it for as long after.
            seen = {"first_seen_ms": min(item.first_seen_ms, now_ms), "last_seen_ms": now_ms}
            return item.model_copy(update=seen)
        return item.model_copy(update={"ts_ms": now_ms})

    def follow(self, domain: str, watermark_ms: int) -> None:
        """Note what another unit promises: how far to go while there is nothing to read here."""
        self._elsewhere_ms[domain] = max(watermark_ms, self._elsewhere_ms.get(domain, watermark_ms))

    def advance(self) -> list[EvidenceRecord]:
        """Let event time go on and return what the ticks that ended have to say, with the promise.

        Every record of a tick promises the tick's end, so that what is said about a stretch of time does not
        depend on how far a batch happened to reach.
        """
        now_s = self._clocks.elapsed_s()
        own_ms = self.watermark.advance(now_s)
        silent = self.watermark.is_silent(now_s)
        records: list[EvidenceRecord] = []
        for domain in dict.fromkeys((*self._detectors, *self._elsewhere_ms)):
            elsewhere_ms = self._elsewhere_ms.get(domain) if silent else None
            known = [each for each in (own_ms, elsewhere_ms) if each is not None]
            if known:
                records += self._speak(domain, max(known))
        return records

    def _speak(self, domain: str, watermark_ms: int) -> Iterator[EvidenceRecord]:
        detector = self._detectors.get(domain)
        for tick in detector.advance(watermark_ms) if detector else ():
            for anomaly in tick.anomalies:
                metrics.ANOMALIES.labels(anomaly.signal.source, anomaly.member).inc()
            items = (*items_of_tick(domain, tick), self._promise(domain, tick.end_ms))
            yield from self._split(domain, tick.end_ms, items)
            self._progress_ms[domain] = tick.end_ms
        promise = self._promise(domain, watermark_ms)
        if promise.watermark_ms > self._progress_ms.get(domain, -1):
            yield from self._split(domain, promise.watermark_ms, (promise,))
            self._progress_ms[domain] = promise.watermark_ms

    def _promise(self, domain: str, watermark_ms: int) -> Progress:
        return progress(domain, self.source, watermark_ms, tick_ms=self._config.tick_ms, sources=self._count)

    def _split(self, domain: str, tick_ms: int, items: Sequence[EvidenceItem]) -> Iterator[EvidenceRecord]:
        """Cut a long list into records of bounded size; the promise, which stands last, is in the last."""
        for at in range(0, len(items), MAX_ITEMS):
            yield EvidenceRecord(
                domain=domain, source=self.source, tick_ms=tick_ms, items=tuple(items[at : at + MAX_ITEMS])
            )

    @property
    def series(self) -> int:
        """Series known to the detectors."""
        return sum(detector.catalog.living for detector in self._detectors.values())

    def newly_crowded_out(self) -> int:
        """Return how often a series was forgotten or found no row since this was asked last.

        What a snapshot brings was told of before the restart.
        """
        before, self._crowded_out = self._crowded_out, self._crowded_out_ever()
        return self._crowded_out - before

    def _crowded_out_ever(self) -> int:
        return sum(detector.evicted + detector.refused for detector in self._detectors.values())

    @property
    def offender(self) -> str:
        """The service and metric with the most series, in words: whom to ask when series are evicted."""
        found = {domain: detector.largest for domain, detector in self._detectors.items()}
        if not found:
            return "nobody"
        domain = max(found, key=lambda each: found[each][2])
        service, metric, rows = found[domain]
        return f"{metric} of {service} in {domain} with {rows} series"

    @property
    def has_news(self) -> bool:
        """Whether a snapshot would differ from the last one."""
        return self._saved != (self.offsets, self.watermark.value_ms)

    def snapshot(self) -> Snapshot:
        """Return the state as of `offsets`, valid until the unit goes on; the next has the next sequence."""
        self.sequence += 1
        self._saved = (dict(self.offsets), self.watermark.value_ms)
        blobs: dict[str, Blob] = {
            f"detector/{domain}": each.dump_pieces() for domain, each in self._detectors.items()
        }
        return Snapshot(
            unit=self.number,
            sequence=self.sequence,
            offsets=dict(self.offsets),
            watermark=self.watermark.dump(),
            progress_ms=dict(self._progress_ms),
            blobs={**blobs, "decoder": self.builder.state.dump()},
            stamps={key: dict(stamps) for key, stamps in self._stamps.items()},
        )

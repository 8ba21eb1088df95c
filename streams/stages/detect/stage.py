"""The loop of DETECT."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from threading import Event

import structlog
from confluent_kafka import Consumer, TopicPartition

from detectors.kernels import load_kernels
from streams import metrics
from streams.kafka import DeadLetters, consumer, producer, reach
from streams.serve import Health
from streams.settings import Settings
from streams.stages.detect.allocator import give_back_large_blocks
from streams.stages.detect.checkpoint import Checkpoint
from streams.stages.detect.emitter import Emitter
from streams.stages.detect.intake import Intake
from streams.stages.detect.ownership import Ownership
from streams.stages.detect.steps import Step, unwatched
from streams.stages.detect.tail import EvidenceTail
from streams.stages.detect.unit import Clocks
from streams.wire.topics import DLQ, EVIDENCE, SNAPSHOTS

log = structlog.get_logger("headwater.detect")

BATCH = 5_000
"""Records of one turn, at most: enough to amortise it when each is a single sample."""
FIRST_BATCH = 50
BUSY_S = 0.25
"""What a turn should take at most. A record may be one sample or a thousand log lines, so the batch follows
what the last ones took: a turn is what a change has to wait for."""
TURN_S = 0.1
"""How long a turn waits for a full batch; bounds the delay that batching adds."""
REPORT_EVERY_S = 1.0
"""Lag and series, also between snapshots: these come seldom where one takes long."""
READ_AHEAD = {
    # Fetched and not yet decoded, at most: half a second of single samples or of log lines. librdkafka's own
    # is four times that.
    "queued_max_messages_kbytes": 16_384,
    # Of one answer of a broker, compressed; what is in it is queued whole, whatever the queue's limit.
    # Telemetry shrinks to a tenth, and librdkafka's own limit is 50 MB.
    "fetch_max_bytes": 1_000_000,
}
"""What is held of a topic whose producers are faster than we are."""
SHORT_SNAPSHOT_S = 0.5
SNAPSHOT_SHARE = 0.1
"""Of all time, at most, for snapshots that are not short: those of a million series take seconds, and are
then written less often than `snapshot_interval_s` says."""
LOOK_FOR_PARTITIONS_S = 60.0


class DetectStage:
    """Reads raw telemetry, keeps the detectors, writes evidence.

    Each turn of the loop
      1. reads a batch of records;
      2. decodes it and feeds the detectors; poison is queued for the dead-letter topic;
      3. lets event time go on and queues the evidence of the ticks that ended.
    Every `snapshot_interval_s`, and before a unit is given away, it takes a snapshot (state and the source
    offsets that are in it). Turns go on, and as soon as the broker allows each of them
      4. all evidence and dead letters up to the snapshot are on the broker;
      5. the snapshot is written to the local store;
      6. it is written to the compacted topic, and is there;
      7. the source offsets are committed, for those who watch the lag.
    A restart goes on from the *snapshot's* offsets. Whatever happened after it happens again in the same
    way: the same evidence under the same ids, which every reader upserts.
    """

    def __init__(
        self,
        settings: Settings,
        health: Health,
        *,
        clocks: Clocks | None = None,
        reached: Callable[[Step], None] = unwatched,
        batch: int = BATCH,
        look_every_s: float = LOOK_FOR_PARTITIONS_S,
    ) -> None:
        self._settings = settings
        self._kafka = settings.kafka
        self._health = health
        self._clocks = clocks or Clocks(lambda: time.time_ns() // 1_000_000, time.monotonic)
        self._reached = reached
        self._max_batch = batch
        self._batch = min(batch, FIRST_BATCH)
        self._look_every_s = look_every_s
        self._began_at_s = self._saved_at_s = self._looked_at_s = self._clocks.elapsed_s()
        self._reported_at_s = 0.0
        self._pause_s = settings.detect.snapshot_interval_s
        self._failed = False
        self._tail: EvidenceTail | None = None
        self._consumer: Consumer
        self._ownership: Ownership
        self._emitter: Emitter
        self._intake: Intake
        self._checkpoint: Checkpoint

    def run(self, stop: Event) -> None:
        """Work until told to stop, then give everything away in order.

        Raises
        ------
        FatalError
            Something that only a restart can mend; nothing is committed that is not delivered.
        """
        give_back_large_blocks()
        if not self._connect(stop):
            return
        try:
            while not stop.is_set():
                self._turn()
        except BaseException:
            self._failed = True
            raise
        finally:
            # Calls on_revoke, which writes the last snapshots, unless something failed: then the ones that
            # are there are the ones to go on from.
            self._consumer.close()
            if self._tail is not None:
                self._tail.close()

    def _connect(self, stop: Event) -> bool:
        topic = self._kafka.topic
        own = (topic(EVIDENCE.name), topic(DLQ.name), topic(SNAPSHOTS.name))
        self._health.not_ready("broker and topics")
        found = reach(
            self._kafka, (*map(self._settings.read_by_detect, self._settings.detect.topics), *own), stop
        )
        if found is None:
            return False
        sender = producer(self._kafka)
        self._consumer = consumer(
            self._kafka,
            "detect",
            partition_assignment_strategy="cooperative-sticky",
            callbacks={"on_commit": lambda *told: self._checkpoint.committed(*told)},
            **READ_AHEAD,
        )
        self._emitter = Emitter(sender, self._kafka)
        dead = DeadLetters(sender, self._kafka, "detect")
        self._ownership = Ownership(self._settings, self._clocks, found, self._consumer, sender)
        self._intake = Intake(self._settings, self._ownership, self._emitter, dead, self._clocks.now_ms)
        self._checkpoint = Checkpoint(
            self._consumer, sender, self._emitter, dead, self._reached, self._clocks.elapsed_s
        )
        if self._ownership.count > 1:
            evidence = topic(EVIDENCE.name)
            self._tail = EvidenceTail(self._kafka, evidence, len(found.topics[evidence].partitions))
        metrics.SNAPSHOT_AGE.set_function(lambda: self._clocks.elapsed_s() - self._saved_at_s)
        self._health.not_ready("partitions")
        self._consumer.subscribe(
            [topic(SNAPSHOTS.name)],
            on_assign=self._on_assign,
            on_revoke=self._on_revoke,
            on_lost=self._on_lost,
        )
        return True

    def _turn(self) -> None:
        messages = self._consumer.consume(self._batch, TURN_S)
        taken = len(messages)
        self._health.beat()
        began_s = self._clocks.elapsed_s()
        with metrics.PROCESSING.labels("detect").time():
            if messages:
                self._reached(Step.READ)  # 1
                self._intake.feed(messages)
                messages.clear()  # tens of megabytes that a snapshot would stand on top of
                self._reached(Step.OBSERVED)  # 2
            self._listen()
            for owned in self._ownership.units.values():
                records = owned.unit.advance()
                if records:
                    self._emitter.send(records)
                    self._reached(Step.PUBLISHED)  # 3
            self._ownership.pace()
        now_s = self._clocks.elapsed_s()
        if taken:
            self._batch = _next_batch(taken, now_s - began_s, self._batch, self._max_batch)
            if not self._checkpoint.is_idle:
                self._reached(Step.AHEAD)
        self._checkpoint.go_on()
        if self._checkpoint.is_idle and now_s - self._began_at_s >= self._pause_s:
            self._save(list(self._ownership.units))
            over_s = self._clocks.elapsed_s() - now_s - SHORT_SNAPSHOT_S
            self._pause_s = max(self._settings.detect.snapshot_interval_s, over_s / SNAPSHOT_SHARE)
        if self._checkpoint.is_idle:
            self._saved_at_s = self._began_at_s
        if now_s - self._reported_at_s >= REPORT_EVERY_S:
            self._reported_at_s = now_s
            self._report()
        if now_s - self._looked_at_s >= self._look_every_s:
            self._looked_at_s = now_s
            self._ownership.look_for_new_partitions()

    def _listen(self) -> None:
        """Tell every unit what the others promise."""
        for domain, source, watermark_ms in self._tail.promises() if self._tail else ():
            for owned in self._ownership.units.values():
                if owned.unit.source != source:
                    owned.unit.follow(domain, watermark_ms)

    def _save(self, numbers: list[int]) -> None:
        """Begin steps 4 to 7."""
        self._began_at_s = self._clocks.elapsed_s()
        units = self._ownership.units
        self._checkpoint.begin([units[number] for number in numbers if number in units])
        self._report()
        self._tell_of_crowding()

    def _tell_of_crowding(self) -> None:
        owned = self._ownership.units.values()
        crowded_out = sum(each.unit.newly_crowded_out() for each in owned)
        metrics.SERIES_EVICTED.inc(crowded_out)
        if crowded_out:
            log.warning(
                "series forgotten or left out for lack of room: drop labels that vary, or raise max_series",
                series=crowded_out,
                max_series=self._settings.detect.max_series,
                most=[each.unit.offender for each in owned],
            )

    def _report(self) -> None:
        owned = self._ownership.units.values()
        metrics.ACTIVE_SERIES.set(sum(each.unit.series for each in owned))
        for each in owned:
            for partition, offset in each.unit.offsets.items():
                _, end = self._consumer.get_watermark_offsets(TopicPartition(*partition), cached=True)
                if end >= 0:
                    metrics.CONSUMER_LAG.labels(partition[0], str(partition[1])).set(max(0, end - offset))

    def _on_assign(self, _: Consumer, units: list[TopicPartition]) -> None:
        for each in units:
            self._ownership.take(each.partition)
        # With nothing to do, too: a spare process is as ready as it can be.
        self._health.ready()
        # Now, not while records wait: the first ticks were held up by most of a second, or a compilation.
        load_kernels()
        # Nothing that has been loaded until now is garbage: looking through it took 30 to 60 ms a second.
        gc.collect()
        gc.freeze()

    def _on_revoke(self, _: Consumer, units: list[TopicPartition]) -> None:
        try:
            if not self._failed:
                self._checkpoint.finish()
                self._save([each.partition for each in units])
                self._checkpoint.finish()
        finally:
            self._drop(units)

    def _on_lost(self, _: Consumer, units: list[TopicPartition]) -> None:
        # Somebody else owns them already and goes on from our last snapshot: writing one now would be late.
        log.warning("units lost", units=[each.partition for each in units])
        self._checkpoint.forget(each.partition for each in units)
        self._drop(units)

    def _drop(self, units: list[TopicPartition]) -> None:
        for each in units:
            self._ownership.drop(each.partition)


def _next_batch(taken: int, took_s: float, batch: int, at_most: int) -> int:
    """Return how many records the next turn may take.

    Examples
    --------
    >>> _next_batch(200, 2.0, 200, 5_000), _next_batch(200, 0.002, 200, 5_000)
    (25, 400)
    """
    if taken < batch and took_s < BUSY_S:
        return batch  # there was no more: too few to judge by
    return max(1, min(int(BUSY_S * taken / max(took_s, 1e-6)), 2 * batch, at_most))

"""The loop of DETECT, and the order of its steps that makes a crash at any point harmless."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import groupby
from threading import Event

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import ClusterMetadata

from streams import metrics
from streams.errors import FatalError, PermanentError, StateError
from streams.kafka import DeadLetters, consumer, headers_of, producer, reach
from streams.serve import Health
from streams.settings import Settings
from streams.stages.detect.emitter import Emitter
from streams.stages.detect.snapshot import Snapshot
from streams.stages.detect.snapshot_store import SnapshotStore, TopicSnapshots
from streams.stages.detect.tail import EvidenceTail
from streams.stages.detect.unit import Clocks, Unit
from streams.stages.detect.units import dense_topics, partitions_of
from streams.stages.detect.watermark import PartitionKey
from streams.wire.decoders import Decoders
from streams.wire.record import RawRecord
from streams.wire.topics import DLQ, EVIDENCE, SNAPSHOTS

log = structlog.get_logger("headwater.detect")

BATCH = 5_000
"""Records of one turn: enough to amortise it, few enough to keep a turn below a second."""
TURN_S = 0.1
"""How long a turn waits for a full batch; bounds the delay that batching adds."""
MAX_AHEAD_MS = 600_000
"""How far one partition may run ahead of the watermark in event time before it is paused: what it delivers
must be held in memory until the slower ones have caught up."""
QUEUED_KBYTES = 32_768
"""Fetched and not yet decoded, at most; librdkafka's own default is twice that."""

LOOK_FOR_PARTITIONS_S = 60.0
METADATA_TIMEOUT_S = 5.0


class Step(StrEnum):
    """The points at which a crash is tested. Between two of them nothing outside this process changes."""

    READ = "1 a batch is read"
    OBSERVED = "2 the detectors have seen it"
    PUBLISHED = "3 evidence is queued"
    DELIVERED = "4 evidence and dead letters are on the broker"
    SAVED = "5 the snapshot is on the local disk"
    REPLICATED = "6 the snapshot is on its topic"
    COMMITTED = "7 the source offsets are committed"


def _nothing(_step: Step) -> None:
    return None


@dataclass(slots=True)
class _Owned:
    """A unit that this process owns."""

    unit: Unit
    store: SnapshotStore
    partitions: tuple[PartitionKey, ...]
    unread_sparse: set[PartitionKey]
    """Sparse partitions not read to their end yet. Dense ones wait for them, so that after a stop changes
    are known before the anomalies that they explain, in whatever order the broker delivers."""
    waiting: set[PartitionKey] = field(default_factory=set)
    """Dense partitions paused by us."""


class DetectStage:
    """Reads raw telemetry, keeps the detectors, writes evidence.

    Each turn of the loop
      1. reads a batch of records;
      2. decodes it and feeds the detectors; poison is queued for the dead-letter topic;
      3. lets event time go on and queues the evidence of the ticks that ended.
    Every `snapshot_interval_s`, and before a unit is given away
      4. waits until all evidence and dead letters are on the broker;
      5. writes the snapshot (state and the source offsets that are in it) to the local store;
      6. writes it to the compacted topic and waits until it is there;
      7. commits the source offsets, for those who watch the lag.
    A restart goes on from the *snapshot's* offsets. Whatever happened after it happens again in the same
    way: the same evidence under the same ids, which every reader upserts.
    """

    def __init__(
        self,
        settings: Settings,
        health: Health,
        *,
        clocks: Clocks | None = None,
        reached: Callable[[Step], None] = _nothing,
        batch: int = BATCH,
        look_every_s: float = LOOK_FOR_PARTITIONS_S,
    ) -> None:
        self._settings = settings
        self._batch = batch
        self._kafka = settings.kafka
        self._health = health
        self._clocks = clocks or Clocks(lambda: time.time_ns() // 1_000_000, time.monotonic)
        self._look_every_s = look_every_s
        self._reached = reached
        self._topics = {self._kafka.topic(name): name for name in settings.detect.topics}
        self._dense = {self._kafka.topic(name) for name in dense_topics(settings.detect)}
        self._decoders = Decoders(settings.detect.decoders)
        self._owned: dict[int, _Owned] = {}
        self._saved_at_s = self._looked_at_s = self._clocks.elapsed_s()
        self._failed = False
        self._tail: EvidenceTail | None = None
        self._evicted = 0
        self._consumer: Consumer
        self._producer: Producer
        self._emitter: Emitter
        self._dead: DeadLetters
        self._snapshots: TopicSnapshots
        self._cluster: ClusterMetadata

    def run(self, stop: Event) -> None:
        """Work until told to stop, then give everything away in order.

        Raises
        ------
        FatalError
            Something that only a restart can mend; nothing is committed that is not delivered.
        """
        own = tuple(self._kafka.topic(topic.name) for topic in (EVIDENCE, DLQ, SNAPSHOTS))
        self._health.not_ready("broker and topics")
        found = reach(self._kafka, (*self._topics, *own), stop)
        if found is None:
            return
        self._cluster = found
        self._producer = producer(self._kafka)
        self._emitter = Emitter(self._producer, self._kafka)
        self._dead = DeadLetters(self._producer, self._kafka, "detect")
        self._snapshots = TopicSnapshots(self._kafka, self._producer)
        self._consumer = consumer(
            self._kafka,
            "detect",
            partition_assignment_strategy="cooperative-sticky",
            queued_max_messages_kbytes=QUEUED_KBYTES,
        )
        if self._unit_count() > 1:
            evidence = self._kafka.topic(EVIDENCE.name)
            self._tail = EvidenceTail(self._kafka, evidence, len(found.topics[evidence].partitions))
        self._health.not_ready("partitions")
        self._consumer.subscribe(
            [self._kafka.topic(SNAPSHOTS.name)],
            on_assign=self._on_assign,
            on_revoke=self._on_revoke,
            on_lost=self._on_lost,
        )
        metrics.SNAPSHOT_AGE.set_function(lambda: self._clocks.elapsed_s() - self._saved_at_s)
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

    def _turn(self) -> None:
        messages = self._consumer.consume(self._batch, TURN_S)
        self._health.beat()
        with metrics.PROCESSING.labels("detect").time():
            if messages:
                self._reached(Step.READ)  # 1
                self._observe(messages)
                self._reached(Step.OBSERVED)  # 2
            self._listen()
            for owned in self._owned.values():
                records = owned.unit.advance()
                if records:
                    self._emitter.send(records)
                    self._reached(Step.PUBLISHED)  # 3
                self._pace(owned)
        if self._clocks.elapsed_s() - self._saved_at_s >= self._settings.detect.snapshot_interval_s:
            self._checkpoint(list(self._owned.values()))
        if self._clocks.elapsed_s() - self._looked_at_s >= self._look_every_s:
            self._look_for_new_partitions()

    def _listen(self) -> None:
        """Tell every unit what the others promise."""
        for domain, source, watermark_ms in self._tail.promises() if self._tail else ():
            for owned in self._owned.values():
                if owned.unit.source != source:
                    owned.unit.follow(domain, watermark_ms)

    def _observe(self, messages: Sequence[Message]) -> None:
        """Feed a batch, partition by partition, each in its own order."""
        count = self._unit_count()

        def partition_of(message: Message) -> PartitionKey:
            return str(message.topic()), int(message.partition() or 0)

        for partition, group in groupby(sorted(messages, key=partition_of), key=partition_of):
            owned = self._owned.get(partition[1] % count)
            if owned is None:
                continue  # given away while the batch was on its way
            records = [message for message in group if not self._ended(owned, partition, message)]
            if records:
                self._feed(owned, partition, records)

    def _ended(self, owned: _Owned, partition: PartitionKey, message: Message) -> bool:
        error = message.error()
        if error is None:
            return False
        if error.code() == KafkaError._PARTITION_EOF:
            owned.unread_sparse.discard(partition)
            if partition[0] in self._dense:
                owned.unit.watermark.reached_end(partition, self._clocks.elapsed_s())
            return True
        if error.retriable() or error.code() == KafkaError._MAX_POLL_EXCEEDED:
            log.warning("consumer", topic=partition[0], partition=partition[1], reason=error.str())
            return True
        raise FatalError(f"cannot read {partition[0]} partition {partition[1]}: {error.str()}")

    def _feed(self, owned: _Owned, partition: PartitionKey, messages: list[Message]) -> None:
        name = self._topics[partition[0]]
        now_ms = self._clocks.now_ms()
        for message in messages:
            record = _raw(message)
            try:
                # Decoders know topics by the names of the table, whatever prefix they have on this cluster.
                self._decoders.decode(record._replace(topic=name), owned.unit.builder)
            except PermanentError as error:
                self._dead.put(record, error, now_ms)
                metrics.RECORDS_REJECTED.labels(name, type(error).__name__).inc()
        metrics.RECORDS_CONSUMED.labels(name).inc(len(messages))
        last = messages[-1].offset()
        self._emitter.send(owned.unit.take(partition, int(last or 0) + 1))

    def _pace(self, owned: _Owned) -> None:
        """Pause partitions that are too far ahead, resume them when the others have caught up."""
        watermark_ms = owned.unit.watermark.value_ms
        for partition in owned.partitions:
            if partition[0] not in self._dense:
                continue
            high_ms = owned.unit.watermark.high_ms(partition)
            ahead_ms = 0 if high_ms is None or watermark_ms is None else high_ms - watermark_ms
            paused = partition in owned.waiting
            if paused and not owned.unread_sparse and ahead_ms < MAX_AHEAD_MS // 2:
                owned.waiting.discard(partition)
                self._consumer.resume([TopicPartition(*partition)])
            elif not paused and ahead_ms > MAX_AHEAD_MS:
                owned.waiting.add(partition)
                self._consumer.pause([TopicPartition(*partition)])

    def _checkpoint(self, units: Sequence[_Owned]) -> None:
        """Steps 4 to 7, for the given units."""
        self._saved_at_s = self._clocks.elapsed_s()
        self._emitter.flush()
        self._dead.flush()
        self._reached(Step.DELIVERED)  # 4
        for owned in units:
            if not owned.unit.has_news:
                continue
            with metrics.SNAPSHOT_SECONDS.time():
                snapshot = owned.unit.snapshot()
                data = owned.store.save_locally(snapshot)
                self._reached(Step.SAVED)  # 5
                owned.store.publish(data, snapshot.sequence)
                self._reached(Step.REPLICATED)  # 6
            offsets = [TopicPartition(*key, offset) for key, offset in snapshot.offsets.items()]
            if offsets:
                self._commit(offsets)
                self._reached(Step.COMMITTED)  # 7
            metrics.STATE_STORE_BYTES.labels("detect").set(len(data))
        self._report()

    def _commit(self, offsets: list[TopicPartition]) -> None:
        try:
            self._consumer.commit(offsets=offsets, asynchronous=False)
        except KafkaException as refused:
            # Nothing rests on it but the lag that others see: restarts go by the snapshot. It is refused
            # during a rebalance, and to a process that has lost its partitions without knowing it yet.
            log.warning("offsets not committed", reason=refused.args[0].str())

    def _look_for_new_partitions(self) -> None:
        """Read partitions that a producer has added to its topic; their unit follows from their number."""
        self._looked_at_s = self._clocks.elapsed_s()
        try:
            found = self._consumer.list_topics(timeout=METADATA_TIMEOUT_S)
        except KafkaException:
            return  # the broker is away; it is asked again
        for number, owned in self._owned.items():
            known = set(owned.partitions)
            new = [
                each
                for each in partitions_of(number, self._unit_count(), self._topics, found)
                if each not in known
            ]
            if new:
                log.info("partitions added", unit=number, partitions=new)
                owned.partitions += tuple(new)
                owned.unit.watermark.add(key for key in new if key[0] in self._dense)
                self._consumer.incremental_assign([TopicPartition(*key, _BEGINNING) for key in new])

    def _report(self) -> None:
        metrics.ACTIVE_SERIES.set(sum(owned.unit.series for owned in self._owned.values()))
        evicted = sum(owned.unit.evicted for owned in self._owned.values())
        metrics.SERIES_EVICTED.inc(max(0, evicted - self._evicted))
        self._evicted = evicted
        for owned in self._owned.values():
            for partition, offset in owned.unit.offsets.items():
                _, end = self._consumer.get_watermark_offsets(TopicPartition(*partition), cached=True)
                if end >= 0:
                    metrics.CONSUMER_LAG.labels(partition[0], str(partition[1])).set(max(0, end - offset))

    def _unit_count(self) -> int:
        return len(self._cluster.topics[self._kafka.topic(SNAPSHOTS.name)].partitions)

    def _on_assign(self, client: Consumer, units: list[TopicPartition]) -> None:
        for each in units:
            owned = self._adopt(each.partition)
            self._owned[each.partition] = owned
            client.incremental_assign(
                [TopicPartition(*key, owned.unit.offsets.get(key, _BEGINNING)) for key in owned.partitions]
            )
            if owned.unread_sparse:
                owned.waiting = {key for key in owned.partitions if key[0] in self._dense}
                client.pause([TopicPartition(*key) for key in owned.waiting])
            log.info(
                "unit taken",
                unit=each.partition,
                partitions=len(owned.partitions),
                from_snapshot=owned.unit.sequence or None,
            )
        # With nothing to do, too: a spare process is as ready as it can be.
        self._health.ready()

    def _adopt(self, number: int) -> _Owned:
        count = self._unit_count()
        partitions = partitions_of(number, count, self._topics, self._cluster)
        # Offsets of one cluster mean nothing on another, and two headwaters may share a cluster.
        name = f"{self._cluster.cluster_id}-{self._kafka.group_prefix}"
        directory = self._settings.state_dir / "detect" / name
        store = SnapshotStore(number, directory, self._snapshots)
        dense = [key for key in partitions if key[0] in self._dense]
        unit = self._unit(number, count, dense, store.load())
        return _Owned(unit, store, partitions, unread_sparse=set(partitions) - set(dense))

    def _unit(
        self, number: int, count: int, dense: Sequence[PartitionKey], snapshot: Snapshot | None
    ) -> Unit:
        try:
            return Unit(number, count, dense, self._settings.detect, self._clocks, snapshot)
        except StateError as error:
            # Written by other detection mathematics, whose ids differ anyway. The sources are still there.
            log.error("snapshot not used; reading the sources from their beginning", reason=str(error))
            return Unit(number, count, dense, self._settings.detect, self._clocks)

    def _on_revoke(self, client: Consumer, units: list[TopicPartition]) -> None:
        leaving = [self._owned[each.partition] for each in units if each.partition in self._owned]
        try:
            if not self._failed:
                self._checkpoint(leaving)
        finally:
            self._drop(client, units)

    def _on_lost(self, client: Consumer, units: list[TopicPartition]) -> None:
        # Somebody else owns them already and goes on from our last snapshot: writing one now would be late.
        log.warning("units lost", units=[each.partition for each in units])
        self._drop(client, units)

    def _drop(self, client: Consumer, units: list[TopicPartition]) -> None:
        for each in units:
            owned = self._owned.pop(each.partition, None)
            if owned is not None:
                owned.store.close()
                client.incremental_unassign([TopicPartition(*key) for key in owned.partitions])
                log.info("unit given away", unit=each.partition)


_BEGINNING = -2
"""OFFSET_BEGINNING: a unit without a snapshot reads all that its sources still have."""


def _raw(message: Message) -> RawRecord:
    return RawRecord(
        topic=str(message.topic()),
        partition=int(message.partition() or 0),
        offset=int(message.offset() or 0),
        key=_bytes(message.key()),
        value=_bytes(message.value()),
        headers=headers_of(message),
        timestamp_ms=message.timestamp()[1],
    )


def _bytes(value: bytes | str | None) -> bytes | None:
    return value.encode() if isinstance(value, str) else value

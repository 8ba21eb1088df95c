"""The loop of ROUTE."""

from __future__ import annotations

import time
from collections.abc import Callable
from enum import StrEnum
from threading import Event
from typing import cast

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from streams import metrics
from streams.errors import DecodeError, FatalError
from streams.kafka import consumer, headers_of, producer, reach
from streams.serve import Health
from streams.settings import Settings
from streams.stages.route.merge import Merge
from streams.wire.deadletter import ROUTED
from streams.wire.decoders import Decoders
from streams.wire.record import RawRecord
from streams.wire.routed import Stamp, stamp_header

log = structlog.get_logger("headwater.route")

BATCH = 2_000
TURN_S = 0.1
SAVE_EVERY_S = 1.0
"""Between commits: bounds what is written twice after a crash."""
DELIVERY_TIMEOUT_S = 60.0
_STORED = -1001
"""OFFSET_INVALID: begin where the group stands, else at the beginning."""


class Step(StrEnum):
    """Between two of them nothing outside this process changes."""

    READ = "1 a batch is read"
    WRITTEN = "2 its records are queued under their services"
    DELIVERED = "3 they are on the broker"
    COMMITTED = "4 the source offsets are committed"


class RouteStage:
    """Re-keys raw records by service, so that every series has one DETECT unit.

    Each turn of the loop
      1. reads a batch and merges its partitions by time stamp;
      2. parts each record by service and queues the parts, each with a stamp that says where it stood;
    and every second, and before partitions are given away
      3. waits until all of them are on the broker;
      4. commits the source offsets.
    A crash before 4 writes the same parts under the same stamps again, which DETECT passes over. Bytes,
    headers and time stamps stay; a record that cannot be parted goes on as it came, for DETECT to judge.
    """

    def __init__(
        self,
        settings: Settings,
        health: Health,
        *,
        elapsed_s: Callable[[], float] = time.monotonic,
        reached: Callable[[Step], None] = lambda _: None,
        batch: int = BATCH,
    ) -> None:
        self._settings = settings
        self._health = health
        self._elapsed_s = elapsed_s
        self._reached = reached
        self._batch = batch
        self._names = {settings.kafka.topic(name): name for name in settings.topics_to_route()}
        self._decoders = Decoders(settings.detect.decoders)
        self._merges = {topic: Merge() for topic in self._names}
        self._paused: set[tuple[str, int]] = set()
        self._written: dict[tuple[str, int], int] = {}
        self._failures: list[KafkaError] = []
        self._failed = False
        self._saved_at_s = elapsed_s()
        self._consumer: Consumer
        self._producer: Producer

    def run(self, stop: Event) -> None:
        """Work until told to stop, then save and leave.

        Raises
        ------
        FatalError
            A partition cannot be read or written; nothing is committed that is not delivered.
        """
        kafka = self._settings.kafka
        self._health.not_ready("broker and topics")
        targets = [self._settings.read_by_detect(name) for name in self._settings.route.topics]
        if reach(kafka, (*self._names, *targets), stop) is None:
            return
        self._producer = producer(kafka)
        self._consumer = consumer(kafka, "route", partition_assignment_strategy="cooperative-sticky")
        self._health.not_ready("partitions")
        self._consumer.subscribe(
            list(self._names), on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost
        )
        try:
            while not stop.is_set():
                self._turn()
        except BaseException:
            self._failed = True
            raise
        finally:
            self._consumer.close()  # calls on_revoke, which saves

    def _turn(self) -> None:
        messages = self._consumer.consume(self._batch, TURN_S)
        self._health.beat()
        with metrics.PROCESSING.labels("route").time():
            self._take(messages)
            if messages:
                self._reached(Step.READ)  # 1
            written = 0
            for topic, merge in self._merges.items():
                for partition, message in merge.due(self._elapsed_s()):
                    self._write(topic, partition, message)
                    written += 1
            if written:
                self._reached(Step.WRITTEN)  # 2
            self._pace()
        self._producer.poll(0)
        if self._elapsed_s() - self._saved_at_s >= SAVE_EVERY_S:
            self._save()

    def _take(self, messages: list[Message]) -> None:
        now_s = self._elapsed_s()
        for message in messages:
            topic, partition = cast("str", message.topic()), cast("int", message.partition())
            error = message.error()
            if error is None:
                self._merges[topic].put(partition, message, now_s)
            elif error.code() == KafkaError._PARTITION_EOF:
                self._merges[topic].reached_end(partition)
            elif error.retriable() or error.code() == KafkaError._MAX_POLL_EXCEEDED:
                log.warning("consumer", topic=topic, partition=partition, reason=error.str())
            else:
                raise FatalError(f"cannot read {topic} partition {partition}: {error.str()}")

    def _write(self, topic: str, partition: int, message: Message) -> None:
        name = self._names[topic]
        offset, ts_ms = cast("int", message.offset()), max(0, message.timestamp()[1])
        own = headers_of(message)
        record = RawRecord(name, partition, offset, message.key(), message.value(), own, ts_ms)
        try:
            parts: list[tuple[bytes | None, bytes | None]]
            parts = [(service.encode(), value) for service, value in self._decoders.split(record)]
        except DecodeError:
            parts = []
        kept = [each for each in own if each[0] != ROUTED]
        target = self._settings.read_by_detect(name)
        for part, (key, value) in enumerate(parts or [(record.key, record.value)]):
            stamp = stamp_header(topic, partition, Stamp(offset, part, ts_ms))
            self._put(target, key, value, [*kept, stamp])
        self._written[topic, partition] = offset + 1
        metrics.RECORDS_CONSUMED.labels(name, self._decoders.name_of(name)).inc()

    def _put(
        self, topic: str, key: bytes | None, value: bytes | None, headers: list[tuple[str, bytes]]
    ) -> None:
        while True:
            try:
                self._producer.produce(
                    topic, value=value, key=key, headers=list(headers), on_delivery=self._delivered
                )
                return
            except BufferError:
                self._producer.poll(0.1)  # waits for the broker rather than for memory
            except KafkaException as refused:
                raise FatalError(f"cannot write to {topic}: {refused.args[0].str()}") from None

    def _delivered(self, error: KafkaError | None, _message: Message) -> None:
        if error is not None:
            self._failures.append(error)

    def _pace(self) -> None:
        """Pause partitions that wait for others, resume them when there is room again."""
        for topic, merge in self._merges.items():
            mine = [number for name, number in self._paused if name == topic]
            for number in [n for n in mine if merge.has_room(n)]:
                self._paused.discard((topic, number))
                self._consumer.resume([TopicPartition(topic, number)])
            for number in merge.partitions():
                if (topic, number) not in self._paused and merge.is_full(number):
                    self._paused.add((topic, number))
                    self._consumer.pause([TopicPartition(topic, number)])

    def _save(self) -> None:
        """Steps 3 and 4."""
        self._saved_at_s = self._elapsed_s()
        left = self._producer.flush(DELIVERY_TIMEOUT_S)
        if self._failures or left:
            reason = self._failures[0].str() if self._failures else f"no answer in {DELIVERY_TIMEOUT_S:.0f} s"
            raise FatalError(f"cannot write re-keyed records: {reason}")
        if not self._written:
            return
        self._reached(Step.DELIVERED)  # 3
        offsets = [TopicPartition(*key, offset) for key, offset in self._written.items()]
        self._written.clear()
        try:
            self._consumer.commit(offsets=offsets, asynchronous=False)
        except KafkaException as refused:
            # In a rebalance, or the partitions are another's: it writes them again, under the same stamps.
            log.warning("offsets not committed", reason=refused.args[0].str())
        self._reached(Step.COMMITTED)  # 4
        for each in offsets:
            _, end = self._consumer.get_watermark_offsets(each, cached=True)
            if end >= 0:
                lag = metrics.CONSUMER_LAG.labels(each.topic, str(each.partition))
                lag.set(max(0, end - each.offset))

    def _on_assign(self, client: Consumer, partitions: list[TopicPartition]) -> None:
        for each in partitions:
            self._merges[each.topic].add(each.partition, self._elapsed_s())
        client.incremental_assign([TopicPartition(e.topic, e.partition, _STORED) for e in partitions])
        self._health.ready()

    def _on_revoke(self, client: Consumer, partitions: list[TopicPartition]) -> None:
        try:
            if not self._failed:
                self._save()
        finally:
            self._on_lost(client, partitions)

    def _on_lost(self, client: Consumer, partitions: list[TopicPartition]) -> None:
        for each in partitions:
            self._merges[each.topic].drop(each.partition)
            self._written.pop((each.topic, each.partition), None)
            self._paused.discard((each.topic, each.partition))
        client.incremental_unassign(partitions)

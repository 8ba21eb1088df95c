"""From a batch of Kafka messages to what the units have seen: steps 1 and 2."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import structlog
from confluent_kafka import KafkaError, Message

from streams import metrics
from streams.errors import FatalError, PermanentError
from streams.kafka import DeadLetters
from streams.settings import Settings
from streams.stages.detect.emitter import Emitter
from streams.stages.detect.ownership import Owned, Ownership
from streams.stages.detect.watermark import PartitionKey
from streams.wire.decoders import Decoders
from streams.wire.record import RawRecord
from streams.wire.routed import stamp_of

log = structlog.get_logger("headwater.detect")


class Intake:
    """Decodes batches, partition by partition, each in its own order, and feeds the units."""

    def __init__(
        self,
        settings: Settings,
        ownership: Ownership,
        emitter: Emitter,
        dead: DeadLetters,
        now_ms: Callable[[], int],
    ) -> None:
        self._ownership = ownership
        self._emitter = emitter
        self._dead = dead
        self._now_ms = now_ms
        self._max_future_ms = int(settings.detect.max_future_s * 1000)
        self._decoders = Decoders(settings.detect.decoders)
        self._routed = set(settings.route.topics)
        # Decoders know topics by the names of the table, whatever prefix they have on this cluster.
        self._names = {settings.read_by_detect(name): name for name in settings.detect.topics}

    def feed(self, messages: list[Message]) -> None:
        """Feed one batch; it must hold something.

        Raises
        ------
        FatalError
            A partition cannot be read, or evidence or dead letters cannot be written.
        """
        records, ended = self._parted(messages)
        for key in sorted(records):
            owned = self._ownership.of(key)
            if owned is not None:  # else given away while the batch was on its way
                self._feed(owned, key, records[key])
                self._ownership.has_read(key, records[key][-1].timestamp()[1])
        for key in ended:
            self._ownership.reached_end(key)

    def _parted(self, messages: list[Message]) -> tuple[dict[PartitionKey, list[Message]], set[PartitionKey]]:
        """Part a batch by partition, and tell which partitions ended with it."""
        topics, numbers = list(map(Message.topic, messages)), list(map(Message.partition, messages))
        errors = list(map(Message.error, messages))
        if len(set(topics)) == len(set(numbers)) == 1 and set(map(type, errors)) == {type(None)}:
            # The usual batch under load. (An error of the client cannot be compared with None.)
            return {(cast("str", topics[0]), cast("int", numbers[0])): messages}, set()
        records: dict[PartitionKey, list[Message]] = {}
        ended: set[PartitionKey] = set()
        for message, error, *place in zip(messages, errors, topics, numbers, strict=True):
            key = cast("PartitionKey", tuple(place))
            if error is None:
                records.setdefault(key, []).append(message)
                ended.discard(key)
            elif error.code() == KafkaError._PARTITION_EOF:
                ended.add(key)
            elif error.retriable() or error.code() == KafkaError._MAX_POLL_EXCEEDED:
                log.warning("consumer", topic=key[0], partition=key[1], reason=error.str())
            else:
                raise FatalError(f"cannot read {key[0]} partition {key[1]}: {error.str()}")
        return records, ended

    def _feed(self, owned: Owned, partition: PartitionKey, messages: list[Message]) -> None:
        name, number = self._names[partition[0]], partition[1]
        builder, routed = owned.unit.builder, name in self._routed
        builder.latest_ms = self._now_ms() + self._max_future_ms

        def take(index: int) -> None:
            record = _record(messages[index], name, number)
            if routed:
                stamped = stamp_of(record.headers)
                if stamped is not None:
                    if not owned.unit.is_new(partition, *stamped):
                        metrics.RECORDS_REPEATED.labels(name).inc()
                        return
                    record = record._replace(timestamp_ms=stamped[1].ts_ms)
            try:
                self._decoders.decode(record, builder)
            except PermanentError as error:
                self._dead.put(record._replace(topic=partition[0]), error, self._now_ms())
                metrics.RECORDS_REJECTED.labels(name, type(error).__name__).inc()

        quick = None if routed else self._decoders.quick(name)
        if quick is None:
            for index in range(len(messages)):
                take(index)
        else:
            quick(_plain_values(messages), take, builder)
        metrics.RECORDS_CONSUMED.labels(name, self._decoders.name_of(name)).inc(len(messages))
        self._emitter.send(owned.unit.take(partition, cast("int", messages[-1].offset()) + 1))


def _plain_values(messages: list[Message]) -> list[bytes | None]:
    """Values of the records without headers, which is usually all; None in place of the others."""
    values = list(map(Message.value, messages))
    headers = list(map(Message.headers, messages))
    if not any(headers):
        return values
    return [None if each else value for each, value in zip(headers, values, strict=True)]


def _record(message: Message, topic: str, partition: int) -> RawRecord:
    """Copy what decoders look at. Called for every record: as few calls as it takes."""
    headers = message.headers()
    return RawRecord(
        topic,
        partition,
        cast("int", message.offset()),
        message.key(),
        message.value(),
        tuple(cast("list[tuple[str, bytes | None]]", headers)) if headers else (),
        message.timestamp()[1],
    )

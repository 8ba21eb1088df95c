"""Looking at what is on a topic: no group is joined, nothing is committed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from confluent_kafka import KafkaError, KafkaException, Message, TopicPartition

from streams.errors import BrokerUnavailable, DecodeError, UserError
from streams.kafka.clients import admin, consumer
from streams.kafka.cluster import metadata, require
from streams.settings import KafkaSettings

Decoded = TypeVar("Decoded")

READ_TIMEOUT_S = 15.0
BATCH = 500
TURN_S = 0.1
"""`consume` waits so long for a full batch, also when what it holds ends with the partition."""
SLACK = 2_000
_BEGINNING = -2
"""Kafka's name for the first offset that is still there."""


def partitions_of(settings: KafkaSettings, topic: str) -> list[int]:
    """Return a topic's partition numbers; `topic` as it stands on the cluster.

    Raises
    ------
    BrokerUnavailable, TopicMissing
    """
    found = metadata(admin(settings), settings.bootstrap_servers)
    require(found, [topic])
    return sorted(found.topics[topic].partitions)


def read_to_end(settings: KafkaSettings, starts: Iterable[TopicPartition], group: str) -> Iterator[Message]:
    """Return the records from the given offsets to where the partitions end now.

    The end is where a fetch finds nothing (a broker may report the last batch's first offset as the newest),
    or, on a partition that never pauses, the first record behind the end as it was then that is stamped later
    than this call. The stamp alone would not do: a producer's clock may be ahead of ours.

    Raises
    ------
    BrokerUnavailable
        A partition could not be read to its end.
    """
    waiting = {(each.topic, each.partition): each for each in starts}
    ends: dict[tuple[str, int], int] = {}
    reader = consumer(settings, group)
    try:
        reader.assign(list(waiting.values()))
        began_ms, heard_at_s = time.time_ns() // 1_000_000, time.monotonic()
        while waiting:
            messages = reader.consume(BATCH, TURN_S)
            if messages:
                heard_at_s = time.monotonic()
            elif time.monotonic() - heard_at_s > READ_TIMEOUT_S:
                raise BrokerUnavailable(
                    f"no answer in {READ_TIMEOUT_S:.0f} s while reading {_names(waiting)}"
                )
            for message in messages:
                error = message.error()
                key = (message.topic() or "", message.partition() or 0)
                if error is None:
                    if key in waiting:
                        if key not in ends:
                            _, ends[key] = reader.get_watermark_offsets(waiting[key], cached=True)
                        yield message
                        if message.timestamp()[1] > began_ms and (message.offset() or 0) + 1 >= ends[key]:
                            waiting.pop(key)
                elif error.code() == KafkaError._PARTITION_EOF:
                    waiting.pop(key, None)
                elif not error.retriable():
                    raise BrokerUnavailable(f"cannot read {key[0]}[{key[1]}]: {error.str()}")
    finally:
        reader.close()


def newest(settings: KafkaSettings, partitions: Iterable[tuple[str, int]], count: int) -> Iterator[Message]:
    """Return at least the newest `count` records of each (topic, partition), in order within each."""
    ends = _ends(settings, partitions)
    starts = [TopicPartition(*key, max(low, high - count)) for key, (low, high) in ends.items()]
    for seen, message in enumerate(read_to_end(settings, starts, "look"), 1):
        yield message
        if seen >= len(starts) * (count + SLACK):
            return  # the producers are faster than we are: there is no end to come to


def from_beginning(settings: KafkaSettings, topic: str) -> Iterator[Message]:
    """Return all records that a topic holds now."""
    starts = [TopicPartition(topic, number, _BEGINNING) for number in partitions_of(settings, topic)]
    yield from read_to_end(settings, starts, "look")


def decoded(
    settings: KafkaSettings, topic: str, decode: Callable[[bytes], Decoded]
) -> tuple[list[Decoded], str]:
    """Return what a topic holds now, and in words what of it cannot be read; empty when all can.

    The unreadable is passed over, as the stages pass it over: one foreign record must not hide all others.
    """
    found: list[Decoded] = []
    unread: list[str] = []
    for message in from_beginning(settings, topic):
        value = message.value()
        if value is None:
            continue
        try:
            found.append(decode(value))
        except DecodeError as error:
            unread.append(f"{topic}[{message.partition()}]@{message.offset()}: {error}")
    if not unread:
        return found, ""
    return found, f"passed over {len(unread)} unreadable records (`headwater dlq list`), first {unread[0]}"


def one(settings: KafkaSettings, topic: str, partition: int, offset: int) -> Message:
    """Return one record; a negative offset counts from the end, -1 is the newest.

    Raises
    ------
    UserError
        There is no such partition, or no record at the offset.
    """
    numbers = partitions_of(settings, topic)
    if partition not in numbers:
        raise UserError(f"topic {topic} has partitions 0 to {len(numbers) - 1}, not {partition}")
    if offset >= 0:
        _, high = _ends(settings, [(topic, partition)])[topic, partition]
        # Not beyond the end: what a broker does then differs.
        start = TopicPartition(topic, partition, min(offset, max(0, high - 1)))
        for message in read_to_end(settings, [start], "look"):
            if (message.offset() or 0) >= offset:
                if message.offset() == offset:
                    return message
                break
    else:
        tail = list(newest(settings, [(topic, partition)], -offset))
        if len(tail) >= -offset:
            return tail[offset]
    raise UserError(f"{topic}[{partition}] holds no record at offset {offset}")


def _ends(
    settings: KafkaSettings, partitions: Iterable[tuple[str, int]]
) -> dict[tuple[str, int], tuple[int, int]]:
    reader = consumer(settings, "look")
    try:
        return {
            key: reader.get_watermark_offsets(TopicPartition(*key), timeout=READ_TIMEOUT_S)
            for key in partitions
        }
    except KafkaException as error:
        raise BrokerUnavailable(f"cannot read the ends of the topics: {error.args[0].str()}") from None
    finally:
        reader.close()


def _names(waiting: Iterable[tuple[str, int]]) -> str:
    return ", ".join(f"{topic}[{number}]" for topic, number in sorted(waiting))

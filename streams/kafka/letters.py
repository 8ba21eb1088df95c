"""The dead-letter topic from a person's side: what is on it, and back to where it came from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from confluent_kafka import KafkaException, Message, Producer, TopicPartition

from streams.errors import BrokerUnavailable, DecodeError, FatalError
from streams.kafka.clients import admin, consumer, headers_of, producer
from streams.kafka.cluster import metadata
from streams.kafka.reading import from_beginning, one, partitions_of
from streams.settings import KafkaSettings
from streams.wire.deadletter import decode_headers, replay_headers
from streams.wire.messages import DeadLetter
from streams.wire.topics import DLQ

GROUP = "dlq-replay"
"""Its committed offset is how far `replay` has come; nobody ever joins it."""
TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class Letter:
    """One dead letter: why, and the original record."""

    partition: int
    offset: int
    why: DeadLetter
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]
    """The original's own."""


class LetterBox:
    """Reads and replays the dead letters of one cluster."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._topic = settings.topic(DLQ.name)

    def all(self) -> Iterator[Letter]:
        """Return every letter; records on the topic that are no letters are passed over."""
        for message in from_beginning(self._settings, self._topic):
            try:
                yield _letter(message)
            except DecodeError:
                continue

    def at(self, offset: int, partition: int = 0) -> Letter:
        """Return one letter; a negative offset counts from the end.

        Raises
        ------
        UserError
            There is none.
        DecodeError
            The record there is no dead letter.
        """
        return _letter(one(self._settings, self._topic, partition, offset))

    def replayed_to(self) -> dict[int, int]:
        """Return the first offset that was not replayed yet, by partition."""
        wanted = [TopicPartition(self._topic, n) for n in partitions_of(self._settings, self._topic)]
        reader = consumer(self._settings, GROUP)
        try:
            found = reader.committed(wanted, timeout=TIMEOUT_S)
            return {each.partition: max(0, each.offset) for each in found}
        except KafkaException as error:
            raise BrokerUnavailable(f"cannot read group {GROUP}: {error.args[0].str()}") from None
        finally:
            reader.close()

    def replay(self, letters: Iterable[Letter], *, note: bool) -> int:
        """Send records back to the topic and partition that they came from; returns how many.

        Key, value, headers and time stamp are the original's. Returns when the broker has all of them.

        Parameters
        ----------
        note
            Whether to remember that all letters up to these have been replayed.

        Raises
        ------
        FatalError
            A topic is gone (nothing was sent then), or something was not delivered; nothing is remembered.
        """
        letters = list(letters)
        known = metadata(admin(self._settings), self._settings.bootstrap_servers).topics
        for letter in letters:
            if letter.why.source_topic not in known:
                raise FatalError(
                    f"nothing was sent: topic {letter.why.source_topic} of letter {letter.offset} does not "
                    "exist; --topic chooses letters of others"
                )
        sender = producer(self._settings)
        failures: list[str] = []
        reached: dict[int, int] = {}
        for letter in letters:
            partitions = known[letter.why.source_topic].partitions
            _send(sender, letter, letter.why.source_partition in partitions, failures)
            reached[letter.partition] = letter.offset + 1
        left = sender.flush(TIMEOUT_S)
        if left or failures:
            raise FatalError(f"{left + len(failures)} records were not delivered: {(failures or ['?'])[0]}")
        if note and reached:
            self._remember(reached)
        return len(letters)

    def _remember(self, reached: dict[int, int]) -> None:
        reader = consumer(self._settings, GROUP)
        try:
            offsets = [TopicPartition(self._topic, number, offset) for number, offset in reached.items()]
            reader.commit(offsets=offsets, asynchronous=False)
        except KafkaException as error:
            raise FatalError(
                f"replayed, but not noted, so that the next replay repeats it: {error.args[0].str()}"
            ) from None
        finally:
            reader.close()


def _send(sender: Producer, letter: Letter, same_partition: bool, failures: list[str]) -> None:
    def delivered(error: object, _message: Message) -> None:
        if error is not None:
            failures.append(str(error))

    # The same partition, so that the record reaches the unit that knows its series. A narrower topic of the
    # same name has none such; then the key decides.
    options: dict[str, Any] = {"partition": letter.why.source_partition} if same_partition else {}
    if letter.why.source_ts_ms > 0:
        options["timestamp"] = letter.why.source_ts_ms
    while True:
        try:
            sender.produce(
                letter.why.source_topic,
                value=letter.value,
                key=letter.key,
                headers=list(replay_headers(letter.why, letter.headers)),
                on_delivery=delivered,
                **options,
            )
            return
        except BufferError:
            sender.poll(0.1)
        except KafkaException as refused:
            reason = f"letter {letter.offset} cannot be sent: {refused.args[0].str()}"
            raise FatalError(f"{reason}; --offset sends chosen ones") from None


def _letter(message: Message) -> Letter:
    why, own = decode_headers(headers_of(message))
    return Letter(
        message.partition() or 0, message.offset() or 0, why, message.key(), message.value(), tuple(own)
    )

"""Poison goes to the dead-letter topic as it came, with the reason in headers."""

from __future__ import annotations

from confluent_kafka import KafkaException, Producer

from streams import __version__
from streams.errors import FatalError
from streams.kafka.clients import MAX_MESSAGE_BYTES
from streams.kafka.deliveries import Deliveries
from streams.settings import KafkaSettings
from streams.wire.deadletter import attempt_of, encode_headers
from streams.wire.messages import DeadLetter
from streams.wire.record import RawRecord
from streams.wire.topics import DLQ

MAX_LETTER_BYTES = MAX_MESSAGE_BYTES - 100_000
"""Of key, value and the record's own headers; ours are some hundred bytes, with a reason of 2,000 at most."""
DELIVERY_TIMEOUT_S = 30.0
"""Longer than the election of a partition's new leader, which takes seconds."""


def headers_for(
    record: RawRecord, error: Exception, stage: str, now_ms: int
) -> list[tuple[str, bytes | None]]:
    """Return the headers under which a record is dead-lettered: why, and the record's own."""
    reason = str(error)[:2000]
    if not fits(record):
        where = f"{record.topic}[{record.partition}]@{record.offset}"
        size = len(record.value or b"")
        reason = f"{reason[:1000]}; its {size} bytes are too many for a letter: read them at {where}"
    letter = DeadLetter(
        source_topic=record.topic,
        source_partition=record.partition,
        source_offset=record.offset,
        stage=stage,
        error=type(error).__name__,
        reason=reason,
        code_version=__version__,
        first_seen_ms=now_ms,
        source_ts_ms=max(0, record.timestamp_ms),
        attempt=attempt_of(record.headers),
    )
    return encode_headers(letter, record.headers if fits(record) else ())


def fits(record: RawRecord) -> bool:
    """Whether a record can be kept in a letter: compressed on its broker, it may have been far smaller."""
    own = sum(len(name) + len(value or b"") for name, value in record.headers)
    return len(record.value or b"") + len(record.key or b"") + own <= MAX_LETTER_BYTES


class DeadLetters:
    """Writes poison to the dead-letter topic and knows when it is safely there.

    `put` only queues; nothing counts as dead-lettered before `flush` returned or `has` said so, and a source
    offset may be passed only then. A dead-letter topic that cannot be written stops the stage: losing a
    record in silence is worse. Of a record that is too large for it, a letter of nothing but the reason says
    where it stands: stopping for it would be for good.
    """

    def __init__(self, producer: Producer, settings: KafkaSettings, stage: str) -> None:
        self._producer = producer
        self._topic = settings.topic(DLQ.name)
        self._stage = stage
        self._way = Deliveries(self._topic)

    def put(self, record: RawRecord, error: Exception, now_ms: int) -> None:
        """Queue one record with its reason."""
        whole = fits(record)
        try:
            self._producer.produce(
                self._topic,
                value=record.value if whole else None,
                key=record.key if whole else None,
                headers=list(headers_for(record, error, self._stage, now_ms)),
                on_delivery=self._way.arrived,
            )
            self._way.sent()
        except BufferError:
            # The queue is full of poison: wait for the broker rather than for memory.
            self.flush()
            self.put(record, error, now_ms)
        except KafkaException as refused:
            raise self._way.fatal(refused.args[0]) from None

    def flush(self) -> None:
        """Wait until everything queued is on the broker.

        Raises
        ------
        FatalError
            Something could not be delivered.
        """
        left = self._producer.flush(DELIVERY_TIMEOUT_S)
        self._way.raise_if_refused()
        if left:
            raise FatalError(f"cannot write to {self._topic} for {DELIVERY_TIMEOUT_S:.0f} s; stopping")

    def mark(self) -> int:
        """Return what `has` is to be asked about all that was put so far."""
        return self._way.mark()

    def has(self, mark: int) -> bool:
        """Whether all that was put before the mark is on the broker; does not wait.

        Raises
        ------
        FatalError
            Something could not be delivered.
        """
        return self._way.has(mark)

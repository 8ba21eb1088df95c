"""Evidence on its way to Kafka, counted until it is there."""

from __future__ import annotations

from collections.abc import Iterable

from confluent_kafka import KafkaError, Message, Producer

from streams.errors import FatalError
from streams.settings import KafkaSettings
from streams.wire.codec import encode
from streams.wire.messages import EvidenceRecord
from streams.wire.topics import EVIDENCE

DELIVERY_TIMEOUT_S = 60.0


class Emitter:
    """Publishes evidence records, keyed by domain, and says whether all of them arrived."""

    def __init__(self, producer: Producer, settings: KafkaSettings) -> None:
        self._producer = producer
        self._topic = settings.topic(EVIDENCE.name)
        self._failures: list[KafkaError] = []

    def send(self, records: Iterable[EvidenceRecord]) -> None:
        """Queue records; waits when the queue is full, so that memory stays bounded."""
        for record in records:
            value, key = encode(record), record.domain.encode()
            while True:
                try:
                    self._producer.produce(self._topic, value=value, key=key, on_delivery=self._delivered)
                    break
                except BufferError:
                    self._producer.poll(0.1)
        self._producer.poll(0)
        self._raise_failures()

    def flush(self) -> None:
        """Wait until everything queued is on the broker.

        Raises
        ------
        FatalError
            Something was not delivered: nothing after it may be committed.
        """
        left = self._producer.flush(DELIVERY_TIMEOUT_S)
        self._raise_failures()
        if left:
            raise FatalError(
                f"{left} records for {self._topic} were not delivered in {DELIVERY_TIMEOUT_S:.0f} s"
            )

    def _delivered(self, error: KafkaError | None, _message: Message) -> None:
        if error is not None:
            self._failures.append(error)

    def _raise_failures(self) -> None:
        if self._failures:
            raise FatalError(f"cannot write to {self._topic}: {self._failures[0].str()}")

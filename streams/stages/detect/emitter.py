"""Evidence on its way to Kafka, counted until it is there."""

from __future__ import annotations

from collections.abc import Iterable

from confluent_kafka import Producer

from streams.kafka import Deliveries
from streams.settings import KafkaSettings
from streams.wire.codec import encode
from streams.wire.messages import EvidenceRecord
from streams.wire.topics import EVIDENCE


class Emitter:
    """Publishes evidence records, keyed by domain, and says whether all of them arrived."""

    def __init__(self, producer: Producer, settings: KafkaSettings) -> None:
        self._producer = producer
        self._topic = settings.topic(EVIDENCE.name)
        self._way = Deliveries(self._topic)

    def send(self, records: Iterable[EvidenceRecord]) -> None:
        """Queue records; waits when the queue is full, so that memory stays bounded."""
        for record in records:
            value, key = encode(record), record.domain.encode()
            while True:
                try:
                    self._producer.produce(self._topic, value=value, key=key, on_delivery=self._way.arrived)
                    self._way.sent()
                    break
                except BufferError:
                    self._producer.poll(0.1)
        self._producer.poll(0)
        self._way.raise_if_refused()

    def mark(self) -> int:
        """Return what `has` is to be asked about all that was sent so far."""
        return self._way.mark()

    def has(self, mark: int) -> bool:
        """Whether all that was sent before the mark is on the broker; does not wait.

        Raises
        ------
        FatalError
            Something was not delivered: nothing after it may be committed.
        """
        return self._way.has(mark)

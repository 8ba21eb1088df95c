"""What other units promise, read off the evidence log.

A domain's watermark is the least of what all units promise for it, so each unit must promise for every
domain, also for one that none of its own partitions has ever mentioned. It learns of those, and of how far
event time has come while it has nothing to read itself, from the log that all write to.
"""

from __future__ import annotations

from collections.abc import Iterator

import orjson
from confluent_kafka import Consumer, TopicPartition

from streams.kafka import consumer
from streams.settings import KafkaSettings

_END = -1
"""Kafka's name for the next offset to be written: what was promised before us will be exceeded soon."""
BATCH = 500


class EvidenceTail:
    """Follows the newest evidence records of all domains."""

    def __init__(self, settings: KafkaSettings, topic: str, partitions: int) -> None:
        self._consumer: Consumer = consumer(settings, "detect-tail", enable_partition_eof=False)
        self._consumer.assign([TopicPartition(topic, number, _END) for number in range(partitions)])

    def promises(self) -> Iterator[tuple[str, str, int]]:
        """Return (domain, source, watermark) of what was promised since the last call; does not wait."""
        for message in self._consumer.consume(BATCH, 0):
            if message.error() is not None:
                continue
            try:
                record = orjson.loads(message.value() or b"")
                last = record["items"][-1]
                if last["type"] == "progress":
                    yield record["domain"], last["source"], last["watermark_ms"]
            except (ValueError, KeyError, IndexError, TypeError):
                continue  # not ours to judge: CORRELATE dead-letters it

    def close(self) -> None:
        """Stop following."""
        self._consumer.close()

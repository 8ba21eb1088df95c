"""What the topics know of a domain's topology, read once from the beginning to their present ends."""

from __future__ import annotations

from collections.abc import Iterator

from confluent_kafka import TopicPartition

from correlator.evidence import Edge
from streams.kafka import admin, consumer
from streams.kafka.cluster import metadata, require
from streams.settings import Settings
from streams.wire.topics import EVIDENCE

PATIENCE_S = 10.0


def records(settings: Settings, topic: str) -> Iterator[tuple[bytes | None, bytes | None]]:
    """All (key, value) pairs of a topic, partition by partition, up to the ends as they are now.

    Raises
    ------
    BrokerUnavailable
        Nobody answers, or a partition falls silent before its end.
    TopicMissing
        The topic does not exist.
    """
    from streams.errors import BrokerUnavailable

    found = metadata(admin(settings.kafka), settings.kafka.bootstrap_servers)
    require(found, [topic])
    reader = consumer(settings.kafka, "reading")
    try:
        for partition in sorted(found.topics[topic].partitions):
            low, high = reader.get_watermark_offsets(TopicPartition(topic, partition), timeout=PATIENCE_S)
            if high <= low:
                continue
            reader.assign([TopicPartition(topic, partition, low)])
            at = low
            while at < high:
                batch = reader.consume(500, timeout=PATIENCE_S)
                if not batch:
                    raise BrokerUnavailable(f"{topic}[{partition}] fell silent at offset {at} of {high}")
                for message in batch:
                    if message.error():
                        at = high  # the end, or beyond what a compacted log still holds
                        continue
                    at = int(message.offset() or 0) + 1
                    yield message.key(), message.value()
    finally:
        reader.close()


def observed_edges(settings: Settings, domain: str) -> list[Edge]:
    """Every edge statement on the evidence log about a domain, in order of arrival."""
    from streams.wire.codec import decode
    from streams.wire.messages import EvidenceRecord

    edges = []
    for _, value in records(settings, EVIDENCE.name):
        if value is None:
            continue
        record = decode(EvidenceRecord, value)
        if record.domain == domain:
            edges += [item for item in record.items if isinstance(item, Edge)]
    return edges

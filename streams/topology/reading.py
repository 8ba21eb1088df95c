"""What the topics know of a domain's topology, read once from the beginning to their present ends."""

from __future__ import annotations

from collections.abc import Iterator

from correlator.evidence import Edge
from streams.kafka.reading import from_beginning
from streams.settings import Settings
from streams.wire.topics import EVIDENCE


def records(settings: Settings, topic: str) -> Iterator[tuple[bytes | None, bytes | None]]:
    """All (key, value) pairs of a topic of headwater's, up to the ends as they are now.

    Raises
    ------
    BrokerUnavailable
        Nobody answers, or a partition falls silent before its end.
    TopicMissing
        The topic does not exist.
    """
    for message in from_beginning(settings.kafka, settings.kafka.topic(topic)):
        yield message.key(), message.value()


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

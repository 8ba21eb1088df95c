"""What the evidence log knows of the topology, read once from its beginning to its present end."""

from __future__ import annotations

from correlator.evidence import Edge
from streams.kafka.reading import decoded
from streams.settings import Settings
from streams.wire.codec import decode
from streams.wire.messages import EvidenceRecord
from streams.wire.topics import EVIDENCE


def observed_edges(settings: Settings) -> tuple[list[Edge], str]:
    """Every edge statement, in order of arrival; and what could not be read, in words.

    Raises
    ------
    BrokerUnavailable
        Nobody answers, or a partition falls silent before its end.
    TopicMissing
        The topic does not exist.
    """
    records, unread = decoded(
        settings.kafka, settings.kafka.topic(EVIDENCE.name), lambda value: decode(EvidenceRecord, value)
    )
    return [item for record in records for item in record.items if isinstance(item, Edge)], unread

"""Which partitions make up a unit.

A unit is what moves between processes as one: partition `n` of the snapshot topic stands for it, so the
consumer group shares out that topic, and whoever is given its partition `n` reads every raw partition whose
number leaves the remainder `n`. Raw topics may have any width: theirs belongs to their producers.
"""

from __future__ import annotations

from collections.abc import Iterable

from confluent_kafka.admin import ClusterMetadata

from streams.settings import DetectSettings
from streams.stages.detect.watermark import PartitionKey
from streams.wire.topics import RAW

SPARSE_DECODERS = frozenset(
    {
        "cdevents",
        "alertmanager",
        "kubernetes_events",
        "native_changes",
        "native_alerts",
        "native_topology",
    }
)
"""Changes, alerts and topology come when they come: a topic without a deploy for a week must not hold the
watermark back for a week. All else flows all the time and so carries event time."""


def dense_topics(settings: DetectSettings) -> set[str]:
    """Return those of the topics to be read whose records carry event time."""
    default = {topic.name: topic.decoder for topic in RAW}
    decoders = {name: settings.decoders.get(name, default.get(name)) for name in settings.topics}
    return {name for name, decoder in decoders.items() if decoder not in SPARSE_DECODERS}


def partitions_of(
    unit: int, count: int, topics: Iterable[str], found: ClusterMetadata
) -> tuple[PartitionKey, ...]:
    """Return the raw partitions of a unit, in the order of `topics`."""
    return tuple(
        (topic, number)
        for topic in topics
        if topic in found.topics
        for number in sorted(found.topics[topic].partitions)
        if number % count == unit
    )

"""Creating and checking the topics of `streams.wire.topics` on a cluster."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Event
from typing import Any, Literal

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic, ResourceType

from streams.errors import BrokerUnavailable
from streams.kafka.clients import MAX_MESSAGE_BYTES, admin
from streams.kafka.cluster import metadata
from streams.settings import ROUTED_SUFFIX, KafkaSettings
from streams.wire.topics import ALL, DLQ, SNAPSHOTS, Topic

REQUEST_TIMEOUT_S = 30.0
VISIBLE_TIMEOUT_S = 10.0
VISIBLE_POLL_S = 0.05


@dataclass(frozen=True, slots=True)
class TopicState:
    """One topic as it stands on the cluster against what the table asks."""

    name: str
    state: Literal["created", "ok", "missing", "differs"]
    partitions: int
    note: str = ""


def width(topic: Topic, settings: KafkaSettings) -> int:
    """How many partitions the topic is created with."""
    if topic is DLQ:
        return 1
    return settings.domain_partitions if topic.per_domain else settings.detect_partitions


def config_of(topic: Topic) -> dict[str, str]:
    """Topic-level settings, as Kafka names them."""
    config: dict[str, str] = {"cleanup.policy": topic.cleanup}
    if "delete" in topic.cleanup:
        config["retention.ms"] = str(topic.retention_ms)
    if topic is DLQ:
        config["max.message.bytes"] = str(MAX_MESSAGE_BYTES)
    if topic is SNAPSHOTS:
        # A restore reads the whole partition: let the cleaner keep it near one copy of the state.
        config |= {"segment.ms": "600000", "min.cleanable.dirty.ratio": "0.2"}
    return config


def wanted(routed: Sequence[str] = ()) -> tuple[Topic, ...]:
    """The table of topics, and one for each raw topic that is re-keyed."""
    return (
        *ALL,
        *(
            Topic(name + ROUTED_SUFFIX, "internal", "service", f"{name}, re-keyed by service")
            for name in routed
        ),
    )


def create(settings: KafkaSettings, routed: Sequence[str] = ()) -> list[TopicState]:
    """Create what is missing, leave what exists; safe to run at any time and from several places.

    Raises
    ------
    BrokerUnavailable
        No broker answers, or it refuses to create a topic; with its reason.
    """
    client = admin(settings)
    metadata(client, settings.bootstrap_servers)
    new = [
        NewTopic(
            settings.topic(topic.name),
            num_partitions=width(topic, settings),
            replication_factor=settings.replication_factor,
            config=config_of(topic),
        )
        for topic in wanted(routed)
    ]
    created = set()
    for name, future in client.create_topics(new, operation_timeout=REQUEST_TIMEOUT_S).items():
        try:
            future.result(REQUEST_TIMEOUT_S)
            created.add(name)
        except KafkaException as refused:
            error: KafkaError = refused.args[0]
            if error.code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise BrokerUnavailable(f"topic {name} could not be created: {error.str()}") from None
    _wait_until_visible(client, settings, created)
    return [
        TopicState(state.name, "created", state.partitions) if state.name in created else state
        for state in check(settings, routed)
    ]


def _wait_until_visible(client: AdminClient, settings: KafkaSettings, names: set[str]) -> None:
    """Brokers learn of a topic a moment after the controller has made it; who asks next shall find it."""
    pause = Event()
    deadline_s = time.monotonic() + VISIBLE_TIMEOUT_S
    while not names <= metadata(client, settings.bootstrap_servers).topics.keys():
        if time.monotonic() > deadline_s:
            return
        pause.wait(VISIBLE_POLL_S)


def delete_all(settings: KafkaSettings, prefix: str) -> None:
    """Delete every topic whose name begins with `prefix`; Faust's changelogs of that prefix are among them.

    For what was made to be thrown away, such as the demo's topics on a shared cluster.
    """
    if not prefix:
        raise ValueError("an empty prefix would delete every topic of the cluster")
    client = admin(settings)
    known = metadata(client, settings.bootstrap_servers).topics
    doomed = [name for name in known if name.startswith(prefix)]
    if doomed:
        for future in client.delete_topics(doomed, operation_timeout=REQUEST_TIMEOUT_S).values():
            future.result(REQUEST_TIMEOUT_S)


def check(settings: KafkaSettings, routed: Sequence[str] = ()) -> list[TopicState]:
    """Compare every topic of the table with the cluster."""
    client = admin(settings)
    found = metadata(client, settings.bootstrap_servers).topics
    table = wanted(routed)
    names = {topic.name: settings.topic(topic.name) for topic in table}
    actual_configs = configs(client, [name for name in names.values() if name in found])
    states = []
    for topic in table:
        name = names[topic.name]
        if name not in found:
            states.append(TopicState(name, "missing", 0, "run `headwater topics create`"))
            continue
        partitions = len(found[name].partitions)
        notes = []
        if topic.role != "raw" and partitions != width(topic, settings):
            # Raw topics belong to their producers: any width is read. Ours decide who reads what.
            notes.append(f"{partitions} partitions, settings say {width(topic, settings)}")
        for key, asked in config_of(topic).items():
            actual = actual_configs.get(name, {}).get(key)
            if topic.role != "raw" and actual is not None and actual != asked:
                notes.append(f"{key} is {actual}, expected {asked}")
        states.append(TopicState(name, "differs" if notes else "ok", partitions, "; ".join(notes)))
    return states


def configs(client: AdminClient, names: list[str]) -> dict[str, dict[str, Any]]:
    """Return the topics' settings, without those that we may not read."""
    if not names:
        return {}
    resources = [ConfigResource(ResourceType.TOPIC, name) for name in names]
    result = {}
    for resource, future in client.describe_configs(resources, request_timeout=REQUEST_TIMEOUT_S).items():
        try:
            result[resource.name] = {key: entry.value for key, entry in future.result().items()}
        except KafkaException:
            continue  # not allowed to read it: then its configuration is not ours to judge
    return result

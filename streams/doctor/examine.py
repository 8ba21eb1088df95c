"""The order of the examination: nothing is looked for where what it rests on is missing."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator

from confluent_kafka.admin import ClusterMetadata

from streams.doctor import telemetry
from streams.doctor.finding import Finding
from streams.doctor.sample import Sample
from streams.errors import BrokerUnavailable, DecodeError
from streams.kafka import admin, headers_of, topics
from streams.kafka.cluster import metadata
from streams.kafka.reading import newest
from streams.settings import ROUTED_SUFFIX, Settings
from streams.wire.deadletter import decode_headers
from streams.wire.decoders import Decoders
from streams.wire.topics import DLQ, RAW, SNAPSHOTS

LEAST_RETENTION_S = 3600.0
"""A stage that is down for less than an hour must find everything that was sent meanwhile."""
MANY_INTERVALS = 10
MAX_LETTERS = 1_000


def examine(
    settings: Settings, *, records: int = 200, now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000
) -> Iterator[Finding]:
    """Look at the cluster and the newest `records` records of each raw partition; changes nothing."""
    yield from _state_dir(settings)
    kafka = settings.kafka
    try:
        found = metadata(admin(kafka), kafka.bootstrap_servers)
    except BrokerUnavailable as error:
        yield Finding(
            "fault",
            "broker",
            str(error),
            "start it, or set HEADWATER_KAFKA__BOOTSTRAP_SERVERS to where it is",
        )
        return
    yield Finding("ok", "broker", f"{len(found.brokers)} at {kafka.bootstrap_servers}")
    yield from _topics(settings)
    yield from _retention(settings, found)
    yield from _telemetry(settings, found, records, now_ms())
    yield from _letters(settings, found)


def _state_dir(settings: Settings) -> Iterator[Finding]:
    whole = settings.state_dir.absolute()
    there = next(each for each in (whole, *whole.parents) if os.path.lexists(each))
    if not os.path.isdir(there) or not os.access(there, os.W_OK | os.X_OK):
        yield Finding(
            "warning",
            "state_dir",
            f"{settings.state_dir} cannot be written",
            "set HEADWATER_STATE_DIR; without it every restart reads its state from Kafka",
        )


def _topics(settings: Settings) -> Iterator[Finding]:
    unread = {settings.kafka.topic(raw.name) for raw in RAW if raw.name not in settings.detect.topics}
    states = [each for each in topics.check(settings.kafka, settings.route.topics) if each.name not in unread]
    missing = [each.name for each in states if each.state == "missing"]
    if missing:
        yield Finding("fault", "topics", f"missing: {', '.join(missing)}", "run `headwater topics create`")
    for each in states:
        if each.state == "differs":
            yield Finding("warning", each.name, each.note, "change the topic or the settings")
    if not missing:
        yield Finding("ok", "topics", f"{len(states)} are there")


def _retention(settings: Settings, found: ClusterMetadata) -> Iterator[Finding]:
    """What a restart reads again must still be there."""
    names = [settings.read_by_detect(name) for name in settings.detect.topics]
    least_s = max(LEAST_RETENTION_S, MANY_INTERVALS * settings.detect.snapshot_interval_s)
    configs = topics.configs(admin(settings.kafka), [name for name in names if name in found.topics])
    for name, config in configs.items():
        kept_ms = int(config.get("retention.ms") or -1)
        if "compact" not in (config.get("cleanup.policy") or "") and 0 <= kept_ms < least_s * 1000:
            yield Finding(
                "fault",
                name,
                f"keeps records for {kept_ms / 1000:.0f} s only; what comes while DETECT is down is lost",
                f"set the topic's retention.ms to {least_s * 1000:.0f} or more",
            )


def _telemetry(settings: Settings, found: ClusterMetadata, records: int, now_ms: int) -> Iterator[Finding]:
    own = found.topics.get(settings.kafka.topic(SNAPSHOTS.name))
    units = len(own.partitions) if own is not None else settings.kafka.detect_partitions
    decoders = Decoders(settings.detect.decoders)
    samples = {
        settings.kafka.topic(name): Sample(name, units, decoders, settings.detect.default_domain)
        for name in settings.detect.topics
        if settings.kafka.topic(name) in found.topics
    }
    for message in newest(settings.kafka, _partitions(found, samples), records):
        samples[message.topic() or ""].take(message)
    for topic, sample in samples.items():
        yield from telemetry.of_topic(sample, settings, now_ms)
        routed = settings.read_by_detect(sample.topic)
        if sample.records and routed != topic and routed in found.topics:
            written = newest(settings.kafka, _partitions(found, [routed]), 1)
            if next(written, None) is None:
                yield Finding(
                    "fault",
                    routed,
                    "is empty: nobody re-keys its source",
                    "run `headwater run --stage route`",
                )
    yield from telemetry.of_all(list(samples.values()), settings)


def _partitions(found: ClusterMetadata, names: Iterable[str]) -> list[tuple[str, int]]:
    return [(name, number) for name in names for number in sorted(found.topics[name].partitions)]


def _letters(settings: Settings, found: ClusterMetadata) -> Iterator[Finding]:
    topic = settings.kafka.topic(DLQ.name)
    if topic not in found.topics:
        return
    count, last = 0, ""
    for message in newest(settings.kafka, _partitions(found, [topic]), MAX_LETTERS):
        try:
            why, _ = decode_headers(headers_of(message))
        except DecodeError:
            continue
        count, last = count + 1, f"{why.source_topic.removesuffix(ROUTED_SUFFIX)}: {why.reason}"
    if count:
        yield Finding(
            "warning", topic, f"{count} dead letters; the newest: {last[:200]}", "see `headwater dlq list`"
        )

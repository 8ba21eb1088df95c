"""A small synthetic shop on the raw topics, and what tests do with a broker."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from threading import Event, Thread
from typing import Any

import numpy as np
from confluent_kafka import KafkaError, KafkaException, Message, Producer, TopicPartition

from correlator.evidence import EvidenceItem
from streams.kafka import consumer, producer
from streams.serve import Health
from streams.service.stages import Stage
from streams.settings import KafkaSettings, Settings
from streams.wire.codec import decode
from streams.wire.messages import EvidenceRecord

START_MS = 1_790_000_040_000
"""A full minute of some day in the past; event time rules, so any day will do."""
STEP_MS = 15_000
CALLS = (("frontend", "checkout"), ("checkout", "redis-cart"))
METRICS = (("cpu_usage", 0.3, 0.02), ("request_latency_seconds", 0.1, 0.01), ("error_rate", 0.01, 0.003))
FAULT_AFTER, FAULT_UNTIL = 480, 520
PARTITION_TIMEOUT_S = 30.0
"""Until every broker knows a new partition; milliseconds as a rule, seconds on a busy machine."""


@dataclass(frozen=True)
class Shop:
    """Two hours of calm, then `redis-cart` runs hot for ten minutes and its callers wait."""

    steps: int = 540
    domain: str = "shop"
    seed: int = 1
    records: list[tuple[str, str, bytes]] = field(default_factory=list)
    """(topic, key, value), in order of event time."""

    def __post_init__(self) -> None:
        noise = np.random.default_rng(self.seed)
        edges = {
            "domain": self.domain,
            "edges": [{"caller": a, "callee": b, "ts_ms": START_MS} for a, b in CALLS],
        }
        self.records.append(("headwater.topology", "frontend", json.dumps(edges).encode()))
        services = ["frontend", "checkout", "redis-cart"]
        for step in range(self.steps):
            ts_ms = START_MS + step * STEP_MS
            late = step - FAULT_AFTER if step < FAULT_UNTIL else -1
            for depth, service in enumerate(services):
                samples = []
                for metric, base, spread in METRICS:
                    value = base + noise.normal() * spread
                    value += 0.6 * (late >= 0 and metric == "cpu_usage" and service == "redis-cart")
                    value += 0.5 * (depth + 1) * (late >= 2 and metric == "request_latency_seconds")
                    value += 0.2 * (late >= 4 and metric == "error_rate")
                    samples.append(
                        {
                            "domain": self.domain,
                            "service": service,
                            "instance": f"{service}-0",
                            "metric": metric,
                            "ts_ms": ts_ms,
                            "value": value,
                        }
                    )
                self.records.append(("headwater.metrics", service, json.dumps(samples).encode()))
            if step == FAULT_AFTER - 20:
                deploy = {"domain": self.domain, "service": "frontend", "id": "d-1", "ts_ms": ts_ms}
                self.records.append(("headwater.deploys", "frontend", json.dumps(deploy).encode()))

    @property
    def end_ms(self) -> int:
        return START_MS + (self.steps - 1) * STEP_MS


_producers: dict[str, Producer] = {}
"""One a cluster for all tests: an idempotent producer waits half a second or a whole one for its number."""


def _shared_producer(kafka: KafkaSettings) -> Producer:
    if kafka.bootstrap_servers not in _producers:
        _producers[kafka.bootstrap_servers] = producer(kafka)
    return _producers[kafka.bootstrap_servers]


class Wire:
    """Writes to and reads from the test's own topics; with `anew` by a producer that knows no topic yet."""

    def __init__(self, settings: Settings, *, anew: bool = False) -> None:
        self.settings = settings
        self._producer = producer(settings.kafka) if anew else _shared_producer(settings.kafka)
        self._refused: list[KafkaError] = []

    def put(self, topic: str, value: bytes | None, key: str = "", **options: Any) -> None:
        deadline = time.monotonic() + PARTITION_TIMEOUT_S
        while True:
            try:
                self._producer.produce(
                    self.settings.kafka.topic(topic),
                    value=value,
                    key=key.encode(),
                    on_delivery=self._delivered,
                    **options,
                )
                break
            except BufferError:  # faster than the broker: that is what floods are for
                assert time.monotonic() < deadline, "the broker takes nothing"
                self._producer.poll(0.1)
            except KafkaException as refused:
                # A broker that lags behind the others makes the producer forget a new partition again.
                if refused.args[0].code() != KafkaError._UNKNOWN_PARTITION or time.monotonic() > deadline:
                    raise
                self._producer.list_topics(self.settings.kafka.topic(topic), timeout=10)
        self._producer.poll(0)

    def flush(self) -> None:
        assert self._producer.flush(30) == 0
        assert not self._refused

    def _delivered(self, error: KafkaError | None, _: Message) -> None:
        if error is not None:
            self._refused.append(error)
            # What one test met must not fail the next.
            _producers.pop(self.settings.kafka.bootstrap_servers, None)

    def wait_for_partitions(self, topic: str, count: int) -> None:
        """Wait until the last of them takes a tombstone from this producer, which stages read as nothing.

        Brokers learn of a new partition one after the other, and each look-up may ask another: that one of
        them named the partition does not mean that the next record for it is accepted.
        """
        deadline = time.monotonic() + PARTITION_TIMEOUT_S
        outcome: list[KafkaError | None] = []
        while not outcome or outcome[-1] is not None:
            assert time.monotonic() < deadline, f"{topic} does not get {count} partitions: {outcome[-1:]}"
            self._producer.list_topics(self.settings.kafka.topic(topic), timeout=10)
            with suppress(KafkaException):
                self._producer.produce(
                    self.settings.kafka.topic(topic),
                    partition=count - 1,
                    on_delivery=lambda error, _: outcome.append(error),
                )
            assert self._producer.flush(PARTITION_TIMEOUT_S) == 0

    def publish(self, records: list[tuple[str, str, bytes]]) -> None:
        for topic, key, value in records:
            self.put(topic, value, key)
        self.flush()

    def read(
        self, topic: str, until: Callable[[list[Message]], bool], timeout_s: float = 60
    ) -> list[Message]:
        """Return all records of a topic as soon as they fulfil a condition."""
        found: list[Message] = []
        for message in self.follow(topic, timeout_s):
            found.append(message)
            if until(found):
                return found
        raise AssertionError(f"{topic}: {len(found)} records, and still waiting after {timeout_s} s")

    def everything(self, topic: str) -> list[Message]:
        """Return all records that are on the topic now."""
        return list(self.follow(topic, 30, stop_at_end=True))

    def follow(self, topic: str, timeout_s: float, *, stop_at_end: bool = False) -> Iterator[Message]:
        reader = consumer(self.settings.kafka, "test-reader")
        try:
            name = self.settings.kafka.topic(topic)
            partitions = reader.list_topics(name, timeout=10).topics[name].partitions
            reader.assign([TopicPartition(name, number, 0) for number in partitions])
            ended: set[int] = set()
            deadline = time.monotonic() + timeout_s
            while time.monotonic() < deadline:
                message = reader.poll(0.2)
                if message is None:
                    continue
                error = message.error()
                if error is None:
                    yield message
                elif error.code() == KafkaError._PARTITION_EOF:
                    ended.add(message.partition())
                    if stop_at_end and len(ended) == len(partitions):
                        return
                else:
                    raise AssertionError(error)
            assert not stop_at_end, f"{topic} has no end"
        finally:
            reader.close()


def items_of(messages: list[Message]) -> list[EvidenceItem]:
    """Every evidence item of the records, in order."""
    return [item for message in messages for item in decode(EvidenceRecord, message.value()).items]


def sayings(messages: list[Message]) -> set[str]:
    """What was said, each once: everything but the promises, which depend on batches."""
    return {item.model_dump_json() for item in items_of(messages) if item.type != "progress"}


def evidence_until(wire: Wire, ts_ms: int) -> list[Message]:
    """Return the evidence log as soon as it promises a time."""

    def reached(messages: list[Message]) -> bool:
        newest = items_of(messages[-1:])[-1]
        return newest.type == "progress" and newest.watermark_ms >= ts_ms

    return wire.read("headwater.evidence", reached)


@contextmanager
def running(make: Callable[[Settings, Health], Stage], settings: Settings) -> Iterator[Stage]:
    """Run a stage in a thread; stops it in order, and fails if it failed."""
    health, stop, failures = Health(), Event(), []
    stage = make(settings, health)

    def work() -> None:
        try:
            stage.run(stop)
        except BaseException as error:
            failures.append(error)

    thread = Thread(target=work)
    thread.start()
    try:
        assert health.ready_event.wait(60), failures
        yield stage
    finally:
        stop.set()
        thread.join(30)
    assert not failures

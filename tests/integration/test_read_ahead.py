"""What lies fetched in memory while DETECT cannot keep up."""

import json
import random
from threading import Event

import pytest
from confluent_kafka import TopicPartition

from streams.kafka import consumer
from streams.stages.detect.stage import READ_AHEAD
from tests.shop_on_kafka import START_MS, STEP_MS

pytestmark = pytest.mark.kafka

RECORDS, SAMPLES = 2_000, 1_000
"""160 MB of telemetry."""
REPORTS = 20
"""Of the client, every tenth of a second: it has fetched what it may after five."""
MOST_BYTES = 26_000_000
"""16.8 MB may be queued, and one more answer: 19.7 MB were, and 34.6 MB with answers of librdkafka's size."""


def test_a_backlog_stays_with_the_broker(wire):
    for step in range(RECORDS):
        samples = [
            {
                "service": "cart",
                "metric": f"m{k}",
                "value": (step * SAMPLES + k) * 2_654_435_761 % 1_000_003,
                "ts_ms": START_MS + step * STEP_MS,
            }
            for k in range(SAMPLES)
        ]
        wire.put("headwater.metrics", json.dumps(samples).encode(), "cart")
    wire.flush()
    topic = wire.settings.kafka.topic("headwater.metrics")
    queued = []

    def told(report):
        partitions = json.loads(report)["topics"].get(topic, {"partitions": {}})["partitions"]
        queued.append(partitions.get("0", {"fetchq_size": 0})["fetchq_size"])

    reader = consumer(
        wire.settings.kafka,
        "detect",
        callbacks={"stats_cb": told},
        statistics_interval_ms=100,
        **READ_AHEAD,
    )
    try:
        reader.assign([TopicPartition(topic, 0, 0)])
        taken = 0
        work = Event()
        while len(queued) < REPORTS:
            taken += len(reader.consume(1, 0.1))
            work.wait(0.02)
    finally:
        reader.close()

    assert 0 < taken < RECORDS // 2, "it was not slower than the producer"
    assert 1_000_000 < max(queued) < MOST_BYTES, "bytes that lay in memory"


LARGE_BYTES, LARGE = 100_000, 200
EMPTY_TURNS = 20
"""Of a tenth of a second. With a pause of a second whenever the queue was full there were 88."""


def test_a_queue_that_was_full_is_filled_again_at_once(wire):
    for step in range(LARGE):
        wire.put("headwater.metrics", random.Random(step).randbytes(LARGE_BYTES), "cart")
    wire.flush()
    reader = consumer(
        wire.settings.kafka, "detect", queued_max_messages_kbytes=1_000, fetch_max_bytes=1_000_000
    )
    try:
        reader.assign([TopicPartition(wire.settings.kafka.topic("headwater.metrics"), 0, 0)])
        turns = [reader.consume(1, 0.1)]
        while not turns[-1]:
            turns.append(reader.consume(1, 0.1))
        began, work = len(turns), Event()
        while sum(map(len, turns)) < LARGE:
            turns.append(reader.consume(1, 0.1))
            work.wait(0.005)
    finally:
        reader.close()

    assert sum(not each for each in turns[began:]) < EMPTY_TURNS

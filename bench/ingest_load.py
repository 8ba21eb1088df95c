"""Fills the topics of a broker for the benchmarks of ingestion; the same records for every contestant."""

from __future__ import annotations

import orjson
from confluent_kafka import Producer
from ingest_decode import log_request

T0_MS = 1_790_000_040_000
STEP_MS = 15_000
QUEUE_KBYTES = 512 * 1024


def sample(number: int, series: int) -> tuple[bytes, bytes]:
    """Key and value of one JSON point: a service of ten metrics on five instances, every 15 s."""
    step, which = divmod(number, series)
    service = f"shop/service-{which // 50}"
    point = {
        "domain": "bench",
        "service": service,
        "metric": f"metric_{which % 10}",
        "value": 10.0 + (number * 2_654_435_761 % 1_000) / 1_000,
        "ts_ms": T0_MS + step * STEP_MS,
        "instance": f"service-{which // 50}-{which % 50 // 10}",
    }
    return service.encode(), orjson.dumps(point)


def fill(servers: str, topic: str, first: int, count: int, series: int) -> None:
    """Write `count` JSON points from number `first` on; returns when the broker has them."""
    producer = _producer(servers)
    for number in range(first, first + count):
        key, value = sample(number, series)
        while True:
            try:
                producer.produce(topic, value, key)
                break
            except BufferError:
                producer.poll(0.05)
        if number % 1_000 == 0:
            producer.poll(0)
    _flush(producer)


def fill_logs(servers: str, topic: str, requests: int) -> None:
    """Write OTLP log requests of 500 lines."""
    producer = _producer(servers)
    for step in range(requests):
        producer.produce(topic, log_request(step), b"bench")
        producer.poll(0)
    _flush(producer)


def _producer(servers: str) -> Producer:
    return Producer(
        {
            "bootstrap.servers": servers,
            "linger.ms": 20,
            "batch.num.messages": 10_000,
            "compression.type": "lz4",
            "queue.buffering.max.messages": 1_000_000,
            "queue.buffering.max.kbytes": QUEUE_KBYTES,
        }
    )


def _flush(producer: Producer) -> None:
    if producer.flush(120):
        raise RuntimeError("the broker did not take the records of the benchmark")

"""Makers of confluent-kafka clients."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

from confluent_kafka import Consumer, KafkaException, Message, Producer
from confluent_kafka.admin import AdminClient

from streams.errors import ConfigError
from streams.settings import KafkaSettings

log = logging.getLogger("headwater.kafka")

Client = TypeVar("Client")

MAX_MESSAGE_BYTES = 4_000_000
"""What our producers may send at all: a dead letter is a foreign record of any size plus our headers."""
FETCH_WAIT_MS = 100
"""How long a broker may think about a fetch that finds nothing. Kafka answers as soon as something comes; the
embedded broker looks again after a share of it: with librdkafka's 500 a record was read 190 ms after it had
been acknowledged (median of 40, nothing else running), with 100 after 18 ms, with 20 after 10."""

FULL_QUEUE_WAIT_MS = 10
"""How long nothing is fetched once the queue is full. What it holds is read in less than librdkafka's second:
a loop that did nothing else read 150,000 records/s of 128 bytes with that, and 500,000 with 10 ms."""


def _base(settings: KafkaSettings) -> dict[str, Any]:
    return {
        "bootstrap.servers": settings.bootstrap_servers,
        "client.id": "headwater",
        # A broker that is away is reported once, by `reach` and by readiness, not once a second.
        "log.connection.close": False,
        "reconnect.backoff.max.ms": 5_000,
        **settings.client,
    }


def producer(settings: KafkaSettings) -> Producer:
    """Return a producer that neither loses nor reorders: acks from all in-sync replicas, idempotent."""
    return _made(
        Producer,
        {
            **_base(settings),
            "enable.idempotence": True,
            "linger.ms": 5,
            "compression.type": "lz4",
            # murmur2 as in Java's client, so that every producer puts a key on the same partition.
            "partitioner": "murmur2_random",
            "queue.buffering.max.kbytes": 65_536,
            "message.max.bytes": MAX_MESSAGE_BYTES,
        },
    )


def consumer(
    settings: KafkaSettings,
    group: str,
    *,
    callbacks: Mapping[str, Callable[..., None]] | None = None,
    **options: Any,
) -> Consumer:
    """Return a consumer that commits nothing by itself and starts at the beginning.

    `options` are librdkafka properties with `_` for `.`; `callbacks` (`on_commit`, `stats_cb`) are called
    from within the consumer's own calls.
    """
    return _made(
        Consumer,
        {
            **_base(settings),
            "group.id": f"{settings.group_prefix}-{group}",
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "auto.offset.reset": "earliest",
            "enable.partition.eof": True,
            "fetch.wait.max.ms": FETCH_WAIT_MS,
            "fetch.queue.backoff.ms": FULL_QUEUE_WAIT_MS,
            "session.timeout.ms": int(settings.session_timeout_s * 1000),
            "heartbeat.interval.ms": int(settings.session_timeout_s * 1000 / 5),
            **{name.replace("_", "."): value for name, value in options.items()},
            **(callbacks or {}),
        },
    )


def admin(settings: KafkaSettings) -> AdminClient:
    """Return an admin client."""
    return _made(AdminClient, _base(settings))


def _made(kind: Callable[..., Client], properties: dict[str, Any]) -> Client:
    try:
        return kind(properties, logger=log)
    except KafkaException as error:
        # It names the property, and never the value of one that is secret.
        why = error.args[0].str()
        raise ConfigError(f"setting kafka.client (HEADWATER_KAFKA__CLIENT): {why}") from None


def headers_of(message: Message) -> tuple[tuple[str, bytes], ...]:
    """Return a record's headers as the pairs that they are on the wire."""
    # The library's type says "list of pairs or dict of many shapes"; a consumed record has pairs.
    return cast("tuple[tuple[str, bytes], ...]", tuple(message.headers() or ()))

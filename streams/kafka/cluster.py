"""Waiting for a broker and its topics, saying once and clearly what is missing."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import chain, repeat
from threading import Event

import structlog
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient, ClusterMetadata

from streams.errors import BrokerUnavailable, TopicMissing
from streams.kafka.clients import admin
from streams.settings import KafkaSettings

log = structlog.get_logger("headwater.kafka")

REQUEST_TIMEOUT_S = 5.0
FIRST_TIMEOUT_S = 1.5
"""Of the first look: a person who mistyped the address waits for the line that says so."""
FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 30.0


def metadata(client: AdminClient, address: str, timeout_s: float = REQUEST_TIMEOUT_S) -> ClusterMetadata:
    """Return the cluster's metadata; `BrokerUnavailable` names the address."""
    try:
        return client.list_topics(timeout=timeout_s)
    except KafkaException as error:
        raise BrokerUnavailable(f"no Kafka broker answers at {address}: {error.args[0].str()}") from None


def require(found: ClusterMetadata, topics: Iterable[str]) -> None:
    """Check that the topics exist.

    Raises
    ------
    TopicMissing
        Names them, and the command that creates them.
    """
    missing = sorted(set(topics) - set(found.topics))
    if missing:
        raise TopicMissing(
            f"topics missing: {', '.join(missing)}; create them with `headwater topics create`"
        )


def reach(settings: KafkaSettings, topics: Iterable[str], stop: Event) -> ClusterMetadata | None:
    """Wait until a broker answers and the topics exist, with growing pauses; None when told to stop.

    Each trouble is logged when it first shows and when it changes, not at every try.
    """
    needed = tuple(topics)
    client = admin(settings)

    timeouts_s = chain([FIRST_TIMEOUT_S], repeat(REQUEST_TIMEOUT_S))

    def look() -> ClusterMetadata:
        found = metadata(client, settings.bootstrap_servers, next(timeouts_s))
        require(found, needed)
        return found

    return _retry(look, stop)


def warn_if_away(settings: KafkaSettings) -> None:
    """Say in one line if no broker answers now; does not wait for one."""
    try:
        metadata(admin(settings), settings.bootstrap_servers, FIRST_TIMEOUT_S)
    except BrokerUnavailable as error:
        log.warning(str(error), retry="with back-off, by every stage", longest_pause_s=LONGEST_PAUSE_S)


def _retry(look: Callable[[], ClusterMetadata], stop: Event) -> ClusterMetadata | None:
    pause_s, said = FIRST_PAUSE_S, ""
    while not stop.is_set():
        try:
            return look()
        except (BrokerUnavailable, TopicMissing) as error:
            if str(error) != said:
                said = str(error)
                log.warning(said, retry="with back-off", longest_pause_s=LONGEST_PAUSE_S)
            stop.wait(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
    return None

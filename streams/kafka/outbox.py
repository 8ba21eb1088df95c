"""What a Faust stage sends, counted until the broker has it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

import faust

from streams import metrics
from streams.errors import FatalError
from streams.kafka.dead_letters import headers_for
from streams.settings import KafkaSettings
from streams.wire.record import RawRecord
from streams.wire.topics import DLQ, Topic

DELIVERY_TIMEOUT_S = 60.0
MAX_UNDELIVERED = 1_000
"""Beyond so many sends the stage waits: a slow broker must not become a large heap."""

Headers = Sequence[tuple[str, bytes | None]]


class Outbox:
    """Sends bytes and can wait for all of them.

    Faust's own commit may overtake what is still in its buffer, so a stage acknowledges its input only after
    `delivered()`.
    """

    def __init__(self, app: faust.App, settings: KafkaSettings, stage: str) -> None:
        self._app = app
        self._settings = settings
        self._stage = stage
        self._topics: dict[str, faust.Topic] = {}
        self._sent: list[asyncio.Future[object]] = []

    async def send(self, to: Topic, key: bytes | None, value: bytes | None, headers: Headers = ()) -> None:
        """Send one record to a topic of the table."""
        topic = self._settings.topic(to.name)
        found = self._topics.get(topic)
        if found is None:
            found = self._topics[topic] = self._app.topic(topic, key_serializer="raw", value_serializer="raw")
        self._sent.append(await found.send(key=key, value=value, headers=list(headers)))
        if len(self._sent) >= MAX_UNDELIVERED:
            await self.delivered()

    async def dead_letter(self, event: faust.Event, error: Exception) -> None:
        """Send a record that nothing can be made of to the dead-letter topic, as it came."""
        message = event.message
        headers = message.headers.items() if isinstance(message.headers, dict) else message.headers
        record = RawRecord(
            message.topic, message.partition, message.offset, message.key, message.value, tuple(headers or ())
        )
        metrics.RECORDS_REJECTED.labels(message.topic, type(error).__name__).inc()
        letter = headers_for(record, error, self._stage, time.time_ns() // 1_000_000)
        await self.send(DLQ, record.key, record.value, letter)

    async def delivered(self) -> None:
        """Wait until the broker has everything sent so far.

        Raises
        ------
        FatalError
            Something was not delivered: nothing after it may be acknowledged.
        """
        waiting = list(self._sent)
        if not waiting:
            return
        try:
            await asyncio.wait_for(asyncio.gather(*waiting), DELIVERY_TIMEOUT_S)
        except Exception as error:
            raise FatalError(f"{len(waiting)} records were not delivered: {error!r}; stopping") from error
        # Removed only now: another task that asks meanwhile must wait for the same ones.
        self._sent = [each for each in self._sent if not each.done()]

"""The agent of REASON."""

from __future__ import annotations

import asyncio
from threading import Event

import faust
import structlog

from streams import metrics
from streams.errors import PermanentError
from streams.explanation import explain
from streams.kafka import reach
from streams.kafka.outbox import Outbox
from streams.kafka.worker import faust_app, run_app
from streams.serve import Health
from streams.settings import Settings
from streams.wire.codec import decode, encode
from streams.wire.messages import Candidate
from streams.wire.topics import CANDIDATES, DLQ, EXPLANATIONS

log = structlog.get_logger("headwater.reason")


class ReasonStage:
    """Publishes an explanation of every candidate.

    The deterministic one is on the broker before the candidate is acknowledged.
    """

    def __init__(self, settings: Settings, health: Health) -> None:
        self._settings = settings
        self._health = health
        self._outbox: Outbox
        self.failure: BaseException | None = None

    def run(self, stop: Event) -> None:
        """Work until told to stop; `FatalError` when only a restart can mend what happened."""
        kafka = self._settings.kafka
        names = [kafka.topic(topic.name) for topic in (CANDIDATES, EXPLANATIONS, DLQ)]
        self._health.not_ready("broker and topics")
        if reach(kafka, names, stop) is not None:
            asyncio.run(self._run(stop))

    async def _run(self, stop: Event) -> None:
        app = faust_app("reason", self._settings)
        self._outbox = Outbox(app, self._settings.kafka, "reason")
        app.agent(app.topic(self._settings.kafka.topic(CANDIDATES.name)), name="candidates")(self._agent)
        await run_app(app, self, stop, self._health)

    async def turn(self) -> None:
        """Nothing is due without a record."""

    async def finish(self) -> None:
        """Everything is done record by record."""

    async def _agent(self, stream: faust.Stream[bytes]) -> None:
        async for event in stream.noack().events():
            try:
                with metrics.PROCESSING.labels("reason").time():
                    await self._take(event)
                event.ack()
            except Exception as error:
                # Nothing may escape this loop: Faust would restart the agent and lose the record.
                self.failure = error
                return

    async def _take(self, event: faust.Event) -> None:
        try:
            candidate = decode(Candidate, event.message.value or b"")
            await self._outbox.send(
                EXPLANATIONS, candidate.incident_id.encode(), encode(explain(candidate.incident))
            )
        except PermanentError as error:
            await self._outbox.dead_letter(event, error)
        await self._outbox.delivered()

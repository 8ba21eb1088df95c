"""The agent of REASON, and the model beside it."""

from __future__ import annotations

import asyncio
from threading import Event

import faust
import structlog

from correlator.incident import Incident
from streams import metrics
from streams.errors import PermanentError
from streams.explanation import explain
from streams.kafka import reach
from streams.kafka.outbox import Outbox
from streams.kafka.worker import faust_app, run_app
from streams.llm import Budget, Investigator, ModelServer
from streams.serve import Health
from streams.settings import Settings
from streams.wire.codec import decode, encode
from streams.wire.messages import Candidate, Explanation
from streams.wire.topics import CANDIDATES, DLQ, EXPLANATIONS

log = structlog.get_logger("headwater.reason")

MAX_WAITING = 100
"""Incidents that wait for the model. Beyond it the oldest keep their deterministic explanation: who has a
hundred incidents at once does not read prose."""


class ReasonStage:
    """Publishes an explanation of every candidate, and a model's when one is configured.

    The deterministic explanation is on the broker before the candidate is acknowledged. The model is asked
    beside the stream, one incident at a time and only about the newest revision: a server that takes twenty
    seconds delays nobody. What waits for it is not saved; after a crash the deterministic explanation stands.
    """

    def __init__(self, settings: Settings, health: Health) -> None:
        self._settings = settings
        self._health = health
        self._investigator: Investigator | None = None
        self._waiting: dict[str, Incident] = {}
        self._asking: asyncio.Task[None] | None = None
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
        settings = self._settings.reason
        if not settings.enabled:
            await run_app(app, self, stop, self._health)
            return
        server = ModelServer(settings)
        budget = Budget(self._settings.state_dir / "reason" / "calls.json", settings.max_calls_per_day)
        self._investigator = Investigator(server, budget, settings)
        try:
            await run_app(app, self, stop, self._health)
        finally:
            await server.close()

    async def turn(self) -> None:
        """Ask about the incident that waits longest, when nobody is being asked."""
        if self._asking is not None and self._asking.done():
            # What went wrong with the model is dealt with where it is asked; the rest is ours.
            self.failure = self._asking.exception()
            self._asking = None
        if self._asking is None and self._waiting:
            incident = self._waiting.pop(next(iter(self._waiting)))
            self._asking = asyncio.create_task(self._ask(incident))

    async def finish(self) -> None:
        """Stop waiting for the model."""
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.wait([self._asking])

    async def _ask(self, incident: Incident) -> None:
        if self._investigator is None:
            return
        explanation = await self._investigator.explain(incident)
        if explanation is not None:
            await self._publish(explanation)
            await self._outbox.delivered()

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
            incident = decode(Candidate, event.message.value or b"").incident
            await self._publish(explain(incident))
            if self._investigator is not None and incident.abstention is None:
                # The newest revision takes the place of an older one, and its turn.
                self._waiting[incident.id] = incident
                if len(self._waiting) > MAX_WAITING:
                    metrics.LLM_REQUESTS.labels("shed").inc()
                    del self._waiting[next(iter(self._waiting))]
        except PermanentError as error:
            await self._outbox.dead_letter(event, error)
        await self._outbox.delivered()

    async def _publish(self, explanation: Explanation) -> None:
        await self._outbox.send(EXPLANATIONS, explanation.incident_id.encode(), encode(explanation))

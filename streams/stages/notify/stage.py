"""The agents of NOTIFY."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from threading import Event

import faust
import structlog

from streams import metrics
from streams.errors import PermanentError
from streams.explanation import explain
from streams.kafka import reach
from streams.kafka.outbox import Outbox
from streams.kafka.worker import StateTable, faust_app, run_app, state_table
from streams.serve import Health
from streams.settings import Settings
from streams.sinks import Sink
from streams.stages.notify.compose import compose
from streams.stages.notify.state import Told
from streams.wire.cloudevents import HEADERS, decode_incident, encode_alert
from streams.wire.codec import decode, encode
from streams.wire.messages import EnrichedAlert, Explanation
from streams.wire.topics import ALERTS, DLQ, EXPLANATIONS, INCIDENTS

log = structlog.get_logger("headwater.notify")


class NotifyStage:
    """Joins incidents with explanations and publishes alerts, each a later revision of the one before.

    An incident is told at once, with the deterministic explanation. When a model has said something about
    it, the alert is published again with that. Each record is done in three steps, in this order: the alert
    is on the broker; what was told is saved; the record is acknowledged.
    """

    def __init__(self, settings: Settings, health: Health, sinks: Sequence[Sink] = ()) -> None:
        self._settings = settings
        self._health = health
        self._sinks = tuple(sinks)
        self._table: StateTable
        self._outbox: Outbox
        self._busy: asyncio.Lock
        self.failure: BaseException | None = None

    def run(self, stop: Event) -> None:
        """Work until told to stop; `FatalError` when only a restart can mend what happened."""
        kafka = self._settings.kafka
        names = [kafka.topic(topic.name) for topic in (INCIDENTS, EXPLANATIONS, ALERTS, DLQ)]
        self._health.not_ready("broker and topics")
        found = reach(kafka, names, stop)
        if found is not None:
            asyncio.run(self._run(stop, len(found.topics[kafka.topic(INCIDENTS.name)].partitions)))

    async def _run(self, stop: Event, width: int) -> None:
        kafka = self._settings.kafka
        app = faust_app("notify", self._settings)
        # The two agents share what was told about an incident.
        self._busy = asyncio.Lock()
        self._outbox = Outbox(app, kafka, "notify")
        self._table = state_table(app, "told", width)
        app.agent(app.topic(kafka.topic(INCIDENTS.name)), name="incidents")(self._incidents)
        app.agent(app.topic(kafka.topic(EXPLANATIONS.name)), name="explanations")(self._explanations)
        await run_app(app, self, stop, self._health)

    async def turn(self) -> None:
        """Nothing is due without a record."""

    async def finish(self) -> None:
        """Everything is done record by record."""

    async def _incidents(self, stream: faust.Stream[bytes]) -> None:
        async for event in stream.noack().events():
            if not await self._done(event, self._take_incident):
                return

    async def _explanations(self, stream: faust.Stream[bytes]) -> None:
        async for event in stream.noack().events():
            if not await self._done(event, self._take_explanation):
                return

    async def _done(self, event: faust.Event, take: Callable[[faust.Event], Awaitable[None]]) -> bool:
        """Deal with one record; nothing may escape an agent's loop, for Faust would lose the record."""
        try:
            async with self._busy:
                with metrics.PROCESSING.labels("notify").time():
                    try:
                        # A tombstone is how an operator makes compaction forget an incident.
                        if event.message.value is not None:
                            await take(event)
                    except PermanentError as error:
                        await self._outbox.dead_letter(event, error)
                        await self._outbox.delivered()
                event.ack()
        except Exception as error:
            self.failure = error
            return False
        return True

    async def _take_incident(self, event: faust.Event) -> None:
        incident = decode_incident(event.message.value or b"").incident
        told = self._told(event, incident.id)
        if told.takes(incident):
            await self._tell(event, told)

    async def _take_explanation(self, event: faust.Event) -> None:
        explanation = decode(Explanation, event.message.value or b"")
        told = self._told(event, explanation.incident_id)
        if told.takes_explanation(explanation):
            await self._tell(event, told)

    def _told(self, event: faust.Event, incident_id: str) -> Told:
        saved = self._table.load(event.message.partition, incident_id.encode())
        return decode(Told, saved) if saved is not None else Told()

    async def _tell(self, event: faust.Event, told: Told) -> None:
        incident = told.incident
        if incident is not None:
            # Never behind the incident's own count, so that both tell the same number as long as no model
            # has said anything.
            told.revision = max(told.revision + 1, incident.revision)
            alert = compose(incident, told.explanation or explain(incident), told.revision)
            await self._outbox.send(ALERTS, incident.id.encode(), encode_alert(alert), HEADERS)
            await self._outbox.delivered()
            await self._notify(alert)
        key = incident.id if incident else told.model.incident_id if told.model else ""
        await self._table.save(event.message.partition, key.encode(), encode(told))

    async def _notify(self, alert: EnrichedAlert) -> None:
        for sink in self._sinks:
            try:
                await sink.send(alert)
            except Exception as error:
                # The alert is on its topic; one receiver that is away must not hold up the others.
                log.error("sink failed", sink=sink.name, incident_id=alert.incident_id, reason=str(error))

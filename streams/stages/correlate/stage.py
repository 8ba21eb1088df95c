"""The agent of CORRELATE, and the order of its steps that makes a crash at any point harmless."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from enum import StrEnum
from threading import Event

import faust
import structlog
from faust.types import TP

from correlator.engine import Engine
from correlator.incident import Incident
from streams import metrics
from streams.errors import PermanentError
from streams.kafka import reach
from streams.kafka.outbox import Outbox
from streams.kafka.worker import StateTable, faust_app, run_app, state_table
from streams.serve import Health
from streams.settings import Settings
from streams.stages.correlate.candidate import candidate_of
from streams.stages.correlate.checkpoint import Domain
from streams.wire.cloudevents import HEADERS, encode_incident
from streams.wire.codec import decode, encode
from streams.wire.messages import EvidenceRecord
from streams.wire.topics import CANDIDATES, DLQ, EVIDENCE, INCIDENTS

log = structlog.get_logger("headwater.correlate")

CHECKPOINT_RECORDS = 500
CHECKPOINT_S = 5.0
"""A checkpoint costs one engine dump and one awaited write. What lies between two is applied again after a
crash; its outputs are the same bytes under the same ids."""


class Step(StrEnum):
    """The points at which a crash is tested."""

    READ = "1 a record is read"
    APPLIED = "2 the engine has seen it"
    SENT = "3 its revisions are sent"
    DELIVERED = "4 all revisions are on the broker"
    SAVED = "5 the engine and its offset are saved"
    ACKED = "6 the records are acknowledged"


def _nothing(_step: Step) -> None:
    return None


class CorrelateStage:
    """Feeds each domain's engine with the evidence log and publishes incidents and candidates.

    For each record the agent
      1. reads it and skips it if its offset is in the engine already;
      2. applies its items;
      3. sends the revisions they bring about.
    Every `CHECKPOINT_S` or `CHECKPOINT_RECORDS` it
      4. waits until all that was sent is on the broker;
      5. saves the engine together with the offset of its last record, as one value, and waits for it;
      6. acknowledges the records.
    """

    def __init__(
        self,
        settings: Settings,
        health: Health,
        *,
        reached: Callable[[Step], None] = _nothing,
        checkpoint_records: int = CHECKPOINT_RECORDS,
    ) -> None:
        self._settings = settings
        self._checkpoint_records = checkpoint_records
        self._health = health
        self._reached = reached
        self._domains: dict[bytes, Domain] = {}
        self._unacked: list[faust.Event] = []
        self._saved_at_s = time.monotonic()
        self._table: StateTable
        self._outbox: Outbox
        self._busy: asyncio.Lock
        self.failure: BaseException | None = None

    def run(self, stop: Event) -> None:
        """Work until told to stop; `FatalError` when only a restart can mend what happened."""
        kafka = self._settings.kafka
        names = [kafka.topic(topic.name) for topic in (EVIDENCE, INCIDENTS, CANDIDATES, DLQ)]
        self._health.not_ready("broker and topics")
        found = reach(kafka, names, stop)
        if found is None:
            return
        width = len(found.topics[kafka.topic(EVIDENCE.name)].partitions)
        asyncio.run(self._run(stop, width))

    async def _run(self, stop: Event, width: int) -> None:
        app = faust_app("correlate", self._settings)
        self._busy = asyncio.Lock()
        self._outbox = Outbox(app, self._settings.kafka, "correlate")
        self._table = state_table(app, "engines", width)
        app.agent(app.topic(self._settings.kafka.topic(EVIDENCE.name)), name="correlate")(self._agent)
        app.on_partitions_assigned.connect(self._on_assigned, weak=False)
        await run_app(app, self, stop, self._health)

    async def turn(self) -> None:
        """Checkpoint when it is due, although nothing arrives."""
        if self._unacked and self._is_due():
            async with self._busy:
                await self._checkpoint()

    async def finish(self) -> None:
        """Checkpoint what is open."""
        async with self._busy:
            await self._checkpoint()

    async def _agent(self, stream: faust.Stream[bytes]) -> None:
        async for event in stream.noack().events():
            try:
                async with self._busy:
                    await self._take(event)
            except Exception as error:
                # Nothing may escape this loop: Faust would restart the agent and lose the record. Only what
                # a restart of the process can mend arrives here, so the process ends; the record is unacked.
                self.failure = error
                return

    async def _take(self, event: faust.Event) -> None:
        with metrics.PROCESSING.labels("correlate").time():
            self._reached(Step.READ)  # 1
            try:
                record = decode(EvidenceRecord, event.message.value or b"")
                domain = self._domain(event, record.domain)
                if event.message.offset > domain.applied:
                    await self._apply(domain, record)
                    domain.applied = event.message.offset
            except PermanentError as error:
                await self._outbox.dead_letter(event, error)
        self._unacked.append(event)
        if self._is_due() or len(self._unacked) >= self._checkpoint_records:
            await self._checkpoint()

    def _is_due(self) -> bool:
        return time.monotonic() - self._saved_at_s >= CHECKPOINT_S

    async def _apply(self, domain: Domain, record: EvidenceRecord) -> None:
        revisions = domain.apply(record)
        self._reached(Step.APPLIED)  # 2
        for incident in revisions:
            await self._publish(incident)
        self._reached(Step.SENT)  # 3
        metrics.INCIDENTS_OPEN.set(sum(each.open_incidents for each in self._domains.values()))

    async def _publish(self, incident: Incident) -> None:
        key = incident.id.encode()
        await self._outbox.send(INCIDENTS, key, encode_incident(incident), HEADERS)
        metrics.INCIDENTS.labels(incident.status).inc()
        if incident.revision == 1:
            metrics.DETECTION_LATENCY.observe(max(0, incident.opened_ms - incident.onset_ms) / 1000)
        if incident.is_candidate:
            await self._outbox.send(CANDIDATES, key, encode(candidate_of(incident)))

    async def _checkpoint(self) -> None:
        """Steps 4 to 6, for everything applied so far."""
        await self._outbox.delivered()
        self._reached(Step.DELIVERED)  # 4
        size = 0
        for key, domain in self._domains.items():
            if domain.applied > domain.saved:
                value = domain.dump()
                size += len(value)
                await self._table.save(domain.partition, key, value)
                domain.saved = domain.applied
                self._reached(Step.SAVED)  # 5
        metrics.STATE_STORE_BYTES.labels("correlate").set(size)
        acked, self._unacked = self._unacked, []
        for event in acked:
            event.ack()
        self._reached(Step.ACKED)  # 6
        self._saved_at_s = time.monotonic()

    def _domain(self, event: faust.Event, name: str) -> Domain:
        key, partition = name.encode(), event.message.partition
        found = self._domains.get(key)
        if found is None or found.partition != partition:
            saved = self._table.load(partition, key)
            found = Domain.load(saved, partition) if saved is not None else Domain(Engine(name), partition)
            self._domains[key] = found
            log.info("domain taken", domain=name, partition=partition, applied=found.applied)
        return found

    async def _on_assigned(self, _app: faust.App, assigned: set[TP], **_: object) -> None:
        """Forget engines whose partitions went elsewhere; the others go on, guarded by their offset."""
        ours = {tp.partition for tp in assigned if tp.topic == self._settings.kafka.topic(EVIDENCE.name)}
        self._domains = {key: each for key, each in self._domains.items() if each.partition in ours}
        self._unacked = [event for event in self._unacked if event.message.partition in ours]

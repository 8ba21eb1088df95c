"""What comes out while the demo runs: alerts by incident, and how far event time has come."""

from __future__ import annotations

import threading
import uuid
from dataclasses import dataclass, field
from functools import partial
from types import TracebackType
from typing import Self

from confluent_kafka import OFFSET_BEGINNING, Consumer, Message, TopicPartition

from streams.errors import DecodeError
from streams.kafka import consumer
from streams.settings import Settings
from streams.wire import cloudevents, codec, topics
from streams.wire.messages import EnrichedAlert, EvidenceRecord

POLL_S = 0.1


@dataclass
class Seen:
    """A snapshot of what has come out so far."""

    alerts: dict[str, EnrichedAlert] = field(default_factory=dict)
    """Newest revision by incident id."""
    first: dict[str, EnrichedAlert] = field(default_factory=dict)
    """First revision by incident id: what the engineer's phone showed."""
    watermark_ms: int = 0
    anomalies: int = 0
    changes: int = 0


class Watcher:
    """Reads `headwater.evidence` and `headwater.alerts` in a thread of its own."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._evidence = settings.kafka.topic(topics.EVIDENCE.name)
        self._alerts = settings.kafka.topic(topics.ALERTS.name)
        self._anomaly_ids: set[str] = set()
        self._change_ids: set[str] = set()
        self._stop = threading.Event()
        self._moved = threading.Condition()
        self._thread = threading.Thread(target=self._read, name="demo-watch", daemon=True)
        self.seen = Seen()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def wait_until(self, watermark_ms: int, patience_s: float) -> bool:
        """Wait until event time has passed `watermark_ms`; False when it has stood still for `patience_s`."""
        with self._moved:
            while self.seen.watermark_ms < watermark_ms:
                if not self._moved.wait_for(partial(self._is_past, self.seen.watermark_ms), patience_s):
                    return False
            return True

    def wait_quiet(self, quiet_s: float) -> None:
        """Wait until no record has come for `quiet_s`."""
        with self._moved:
            while self._moved.wait(quiet_s):
                pass

    def _is_past(self, watermark_ms: int) -> bool:
        return self.seen.watermark_ms > watermark_ms

    def _read(self) -> None:
        reader = consumer(self._settings.kafka, f"demo-{uuid.uuid4().hex[:8]}", enable_partition_eof=False)
        try:
            reader.assign([*_partitions(reader, self._evidence), *_partitions(reader, self._alerts)])
            while not self._stop.is_set():
                message = reader.poll(POLL_S)
                if message is not None and message.error() is None:
                    with self._moved:
                        self._take(message)
                        self._moved.notify_all()
        finally:
            reader.close()

    def _take(self, message: Message) -> None:
        try:
            if message.topic() == self._evidence:
                self._take_evidence(codec.decode(EvidenceRecord, message.value() or b""))
            else:
                alert = cloudevents.decode_alert(message.value() or b"")
                self.seen.alerts[alert.incident_id] = alert
                self.seen.first.setdefault(alert.incident_id, alert)
        except DecodeError:
            return  # another program's record on a shared cluster; the demo only watches

    def _take_evidence(self, record: EvidenceRecord) -> None:
        for item in record.items:
            match item.type:
                case "anomaly":
                    self._anomaly_ids.add(item.id)
                case "change":
                    self._change_ids.add(item.id)
                case "progress":
                    self.seen.watermark_ms = max(self.seen.watermark_ms, item.watermark_ms)
                case _:
                    pass
        self.seen.anomalies, self.seen.changes = len(self._anomaly_ids), len(self._change_ids)


def _partitions(reader: Consumer, topic: str) -> list[TopicPartition]:
    """Every partition from its beginning; assigned, not subscribed, because a group join takes seconds."""
    known = reader.list_topics(topic).topics[topic].partitions
    return [TopicPartition(topic, number, OFFSET_BEGINNING) for number in sorted(known)]

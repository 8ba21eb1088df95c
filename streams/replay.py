"""Publishing a recording as its producers would have: its history at once, then it at N times its pace."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from streams.errors import BrokerUnavailable, FatalError, TopicMissing
from streams.interrupts import held
from streams.kafka import producer as kafka_producer
from streams.kafka.clients import admin
from streams.kafka.cluster import metadata, require
from streams.recording import Recording
from streams.settings import KafkaSettings
from streams.wire.encoders import OutgoingRecord, Timeline
from streams.wire.encoders.timeline import TICK_MS

TOPICS = (
    "otlp_metrics",
    "otlp_logs",
    "cdevents",
    "headwater.config-changes",
    "headwater.alerts-in",
    "headwater.topology",
)
"""What a recording may be published to, and with traces also to the next."""
TRACES = "otlp_spans"
HISTORY_FLUSH_MS = 240 * TICK_MS
"""Event time between flushes while there is no pace to keep: a flush costs a round trip, and readers need no
more than that topics do not run hours apart."""
FLUSH_TIMEOUT_S = 30.0
FLUSH_SLICE_S = 0.5
"""How long a Ctrl-C waits at most for records to be acknowledged."""
FULL_QUEUE_POLL_S = 0.1


class Clock(Protocol):
    """Time as a pace-keeper needs it."""

    def elapsed_s(self) -> float:
        """Monotonic seconds."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


class SystemClock:
    """The machine's clock."""

    def elapsed_s(self) -> float:
        """Monotonic seconds."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait; an interrupt ends it."""
        time.sleep(seconds)


class Publisher(Protocol):
    """Where records go; `flush` returns when all that was sent has been written."""

    def send(self, record: OutgoingRecord) -> None:
        """Hand one record over."""
        ...

    def flush(self) -> None:
        """Wait until every record so far is written; raises a `HeadwaterError` if one was not."""
        ...


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a replay has come."""

    recording: str
    phase: str
    """`history` or `replay`."""
    event_ms: int
    """Shifted event time up to which everything is written."""
    share: float
    """0 to 1, of this recording."""
    records: int


@dataclass(slots=True)
class Summary:
    """What a replay wrote."""

    records: int = 0
    bytes: int = 0
    first_ms: int | None = None
    """Shifted event time of the first tick of the recording itself, not of its history."""
    last_ms: int | None = None
    interrupted: bool = False
    """Whether Ctrl-C or `should_stop` ended it; all that was sent is written even so."""


def replay(
    recording: Recording,
    publisher: Publisher,
    *,
    speed: float = 1.0,
    clock: Clock | None = None,
    history: bool = True,
    traces: bool = False,
    paced_from_ms: int = 0,
    shift_ms: int = 0,
    on_progress: Callable[[Progress], None] | None = None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Summary:
    """Write everything that the recording shows, in order of event time, tick by tick.

    All records of a tick are written before the first of the next is sent, so a reader's watermark closes
    nothing too early, on however many topics and partitions they lie. (Without a pace, and in the
    history, the wait is once in an hour; the order within each topic is the same.)

    Parameters
    ----------
    speed
        Event time per wall-clock time; 0 is as fast as possible. The history always is.
    history
        Whether the recordings named in `history` are written first.
    traces
        Whether one trace of each edge and interval is written too, to `otlp_spans`.
    paced_from_ms
        Event time before which `speed` is not kept: what lies before it is preloaded, like a history.
    shift_ms
        Added to all event times; a multiple of 15 s.
    should_stop
        Asked before every tick.
    """
    clock = clock or SystemClock()
    summary = Summary()
    writer = _Writer(publisher, clock, shift_ms, traces, on_progress, should_stop, summary)
    try:
        for path in recording.history if history else ():
            writer.write(Recording.open(path), "history", speed=0.0)
        writer.write(recording, "replay", speed=speed, paced_from_ms=paced_from_ms + shift_ms)
    except KeyboardInterrupt:
        summary.interrupted = True
        publisher.flush()
    return summary


def shift_to_now(recording: Recording, speed: float, now_ms: int) -> int:
    """How far to shift, so that event time reaches the wall clock exactly when the replay ends.

    With speed 1 it runs live; with a higher speed it starts in the past and never runs ahead of the clock.
    """
    lasts_ms = recording.end_ms - recording.start_ms
    wall_ms = lasts_ms / speed if speed > 0 else 0
    return int((now_ms + wall_ms - recording.end_ms) // TICK_MS * TICK_MS)


@dataclass(frozen=True, slots=True)
class _Writer:
    publisher: Publisher
    clock: Clock
    shift_ms: int
    traces: bool
    on_progress: Callable[[Progress], None] | None
    should_stop: Callable[[], bool]
    summary: Summary

    def write(self, recording: Recording, phase: str, *, speed: float, paced_from_ms: int = 0) -> None:
        timeline = Timeline(recording, self.shift_ms, traces=self.traces)
        summary, clock = self.summary, self.clock
        summary.first_ms = summary.last_ms = None
        pace: tuple[int, float] | None = None
        flushed_ms = 0
        span_ms = max(1, timeline.end_ms - timeline.start_ms)
        for tick in timeline.ticks():
            if self.should_stop() or summary.interrupted:
                summary.interrupted = True
                break
            if summary.first_ms is None:
                summary.first_ms = flushed_ms = tick.end_ms
            paced = speed > 0 and tick.end_ms >= paced_from_ms
            if paced:
                if pace is None:
                    pace = (tick.end_ms, clock.elapsed_s())
                ahead_s = (tick.end_ms - pace[0]) / 1000 / speed - (clock.elapsed_s() - pace[1])
                if ahead_s > 0:
                    clock.sleep(ahead_s)
            for record in tick.records:
                self.publisher.send(record)
                summary.records += 1
                summary.bytes += len(record.value)
            if paced or tick.end_ms >= flushed_ms + HISTORY_FLUSH_MS:
                self.publisher.flush()
                flushed_ms = tick.end_ms
            summary.last_ms = tick.end_ms
            if self.on_progress:
                share = min(1.0, max(0.0, (tick.end_ms - timeline.start_ms) / span_ms))
                self.on_progress(Progress(recording.name, phase, tick.end_ms, share, summary.records))
        self.publisher.flush()


class KafkaPublisher:
    """Sends records through confluent-kafka and notices every one that was not written."""

    def __init__(self, producer: Producer, settings: KafkaSettings) -> None:
        self._producer = producer
        self._settings = settings
        self._failed: KafkaError | None = None
        self._failed_topic = ""

    def send(self, record: OutgoingRecord) -> None:
        """Queue one record; waits while the queue is full."""
        # What a signal raises inside of a delivery callback gets lost in the binding: a SystemError follows.
        with held() as interrupted:
            while not interrupted():
                try:
                    self._producer.produce(
                        self._settings.topic(record.topic),
                        key=record.key,
                        value=record.value,
                        headers=list(record.headers),
                        on_delivery=self._delivered,
                    )
                    break
                except BufferError:
                    self._producer.poll(FULL_QUEUE_POLL_S)
                    self._raise_if_failed()
                except KafkaException as error:
                    raise FatalError(f"topic {record.topic}: {error.args[0].str()}") from None
            self._producer.poll(0)

    def flush(self) -> None:
        """Wait until all is written.

        Raises
        ------
        BrokerUnavailable
            Nothing was acknowledged for 30 s.
        TopicMissing
            A topic vanished.
        """
        with held() as interrupted:
            deadline_s = time.monotonic() + FLUSH_TIMEOUT_S
            while left := self._producer.flush(FLUSH_SLICE_S):
                if interrupted() or time.monotonic() > deadline_s:
                    break
        self._raise_if_failed()
        if left:
            raise BrokerUnavailable(
                f"Kafka at {self._settings.bootstrap_servers} has not taken {left} records"
                f" for {FLUSH_TIMEOUT_S:.0f} s"
            )

    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        if error is not None and self._failed is None:
            self._failed, self._failed_topic = error, message.topic() or ""

    def _raise_if_failed(self) -> None:
        if self._failed is None:
            return
        text = f"topic {self._failed_topic}: {self._failed.str()}"
        if self._failed.code() in (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC):
            raise TopicMissing(f"{text}; create it with `headwater topics create`")
        raise BrokerUnavailable(text)


@contextmanager
def publisher(settings: KafkaSettings, *, traces: bool = False) -> Iterator[KafkaPublisher]:
    """A publisher to a cluster that is known to answer and to have the topics, and with `traces` theirs.

    Raises
    ------
    BrokerUnavailable, TopicMissing
        One line that says which, and what to do.
    """
    address = settings.bootstrap_servers
    wanted = (*TOPICS, TRACES) if traces else TOPICS
    require(metadata(admin(settings), address), map(settings.topic, wanted))
    yield KafkaPublisher(kafka_producer(settings), settings)

"""Pace, order and interruption of a replay, with a recorder in Kafka's place and a clock that obeys."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from correlator.evidence import Edge
from detectors.catalog import Catalog
from streams import replay as replaying
from streams.recording import Recording, write_recording
from streams.recording.tables import ARRIVALS, METRICS, schema_of
from streams.simulator import Options, run_scenario
from streams.wire.decoders import Decoders
from streams.wire.encoders import OutgoingRecord, Timeline
from streams.wire.record import RawRecord
from streams.wire.telemetry import TelemetryBuilder

T0 = 1_790_000_010_000  # a tick's end
TICK_MS = 15_000


@dataclass
class ObedientClock:
    now_s: float = 0.0
    slept: list[float] = field(default_factory=list)

    def elapsed_s(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now_s += seconds


@dataclass
class Recorder:
    """Keeps what is sent; `written` is what a flush has confirmed."""

    clock: ObedientClock = field(default_factory=ObedientClock)
    sent: list[OutgoingRecord] = field(default_factory=list)
    at_s: list[float] = field(default_factory=list)
    flushes: list[int] = field(default_factory=list)
    interrupt_after: int | None = None

    def send(self, record: OutgoingRecord) -> None:
        if self.interrupt_after is not None and len(self.sent) == self.interrupt_after:
            self.interrupt_after = None
            raise KeyboardInterrupt
        self.sent.append(record)
        self.at_s.append(self.clock.now_s)

    def flush(self) -> None:
        self.flushes.append(len(self.sent))


def a_recording(
    folder: Path, name: str, start_ms: int, ticks: int, history: tuple[str, ...] = ()
) -> Recording:
    times = [start_ms + i * TICK_MS for i in range(ticks) for _ in range(2)]
    rows = [
        times,
        ["a", "b"] * ticks,
        [None] * len(times),
        ["cpu"] * len(times),
        [None] * len(times),
        ["gauge"] * len(times),
        [float(i) for i in range(len(times))],
    ]
    path = write_recording(
        folder / name,
        name=name,
        system="shop",
        start_ms=start_ms,
        end_ms=start_ms + (ticks - 1) * TICK_MS,
        interval_s=15,
        metrics=pa.table(rows, schema=schema_of(METRICS)),
        history=history,
    )
    return Recording.open(path)


def test_the_pace_is_event_time_over_speed(tmp_path):
    recorder = Recorder()
    replaying.replay(a_recording(tmp_path, "r", T0, 5), recorder, speed=30.0, clock=recorder.clock)
    assert recorder.at_s == pytest.approx([0.0, 0.0, 0.5, 0.5, 1.0, 1.0, 1.5, 1.5, 2.0, 2.0])


def test_a_tick_is_written_before_the_next_is_sent(tmp_path):
    recorder = Recorder()
    replaying.replay(a_recording(tmp_path, "r", T0, 4), recorder, speed=1.0, clock=recorder.clock)
    assert recorder.flushes == [2, 4, 6, 8, 8]


def test_a_late_sample_is_sent_when_it_came_and_no_later_than_the_last(tmp_path):
    recording = a_recording(tmp_path, "r", T0, 5)
    late = [[T0, T0 + TICK_MS], ["a", "b"], [None, None], ["cpu", "cpu"]]
    came_ms = [T0 + 2 * TICK_MS - 1, T0 + 99 * TICK_MS]
    table = pa.table([*late, came_ms], schema=schema_of(ARRIVALS))
    pq.write_table(table, recording.path / "arrivals.parquet")
    recorder = Recorder()
    replaying.replay(recording, recorder, speed=1.0, clock=recorder.clock)
    short = min(len(record.value) for record in recorder.sent)
    sent = [
        (round(at_s / 15), record.key.decode(), len(record.value) > short)
        for record, at_s in zip(recorder.sent, recorder.at_s, strict=True)
    ]
    # A record with two points is longer: a's first comes two ticks late, b's second with the very last.
    assert sent == [
        (0, "b", False),
        (1, "a", False),
        (2, "a", True),
        (2, "b", False),
        (3, "a", False),
        (3, "b", False),
        (4, "a", False),
        (4, "b", True),
    ]


def test_history_comes_first_and_at_once(tmp_path):
    a_recording(tmp_path, "past", T0 - 100 * TICK_MS, 100)
    recorder = Recorder()
    summary = replaying.replay(
        a_recording(tmp_path, "r", T0, 3, history=("../past",)), recorder, speed=1.0, clock=recorder.clock
    )
    assert recorder.at_s[:200] == [0.0] * 200
    assert recorder.at_s[-1] == pytest.approx(30.0)
    assert summary.records == len(recorder.sent) == 206
    assert summary.first_ms == T0
    unflushed = [b - a for a, b in zip([0, *recorder.flushes], recorder.flushes, strict=False)]
    assert max(unflushed[:6]) <= 2 * 241


def test_history_can_be_left_out(tmp_path):
    a_recording(tmp_path, "past", T0 - 10 * TICK_MS, 10)
    recorder = Recorder()
    recording = a_recording(tmp_path, "r", T0, 3, history=("../past",))
    assert replaying.replay(recording, recorder, speed=0, history=False, clock=recorder.clock).records == 6


def test_records_carry_the_service_as_key(tmp_path):
    recorder = Recorder()
    replaying.replay(a_recording(tmp_path, "r", T0, 2), recorder, speed=0, clock=recorder.clock)
    assert [(each.topic, each.key) for each in recorder.sent] == [
        ("otlp_metrics", b"a"),
        ("otlp_metrics", b"b"),
    ] * 2


def test_an_interrupt_writes_what_was_sent_and_says_so(tmp_path):
    recorder = Recorder(interrupt_after=5)
    summary = replaying.replay(a_recording(tmp_path, "r", T0, 9), recorder, speed=0, clock=recorder.clock)
    assert summary.interrupted
    assert recorder.flushes[-1] == len(recorder.sent) == 5


def test_a_caller_can_stop_it_between_ticks(tmp_path):
    recorder = Recorder()
    summary = replaying.replay(
        a_recording(tmp_path, "r", T0, 9),
        recorder,
        speed=0,
        clock=recorder.clock,
        should_stop=lambda: len(recorder.sent) >= 4,
    )
    assert (summary.interrupted, summary.records) == (True, 4)


def test_progress_reaches_one(tmp_path):
    seen: list[replaying.Progress] = []
    recorder = Recorder()
    replaying.replay(
        a_recording(tmp_path, "r", T0, 4), recorder, speed=0, clock=recorder.clock, on_progress=seen.append
    )
    assert [each.share for each in seen] == sorted(each.share for each in seen)
    assert seen[-1].share == 1.0
    assert {each.phase for each in seen} == {"replay"}


@pytest.mark.parametrize("speed", [1.0, 60.0, 0.0])
def test_a_shifted_replay_ends_at_the_present_and_never_runs_ahead(tmp_path, speed):
    recording = a_recording(tmp_path, f"r{speed}", T0, 20)
    now_ms = 1_900_000_000_123
    shift_ms = replaying.shift_to_now(recording, speed, now_ms)
    assert shift_ms % TICK_MS == 0
    recorder = Recorder()
    ahead: list[float] = []

    def note(progress: replaying.Progress) -> None:
        ahead.append(progress.event_ms - (now_ms + recorder.clock.now_s * 1000))

    replaying.replay(
        recording, recorder, speed=speed, clock=recorder.clock, shift_ms=shift_ms, on_progress=note
    )
    assert max(ahead) <= 0
    assert ahead[-1] > -TICK_MS


def test_traces_tell_of_the_edges_that_were_seen_and_of_no_others(tmp_path):
    recording = Recording.open(run_scenario("cascade", tmp_path / "rec", Options(seed=3, hours=0.1)))
    table = recording.edges()
    seen = set(zip(table["caller"].to_pylist(), table["callee"].to_pylist(), strict=True))
    published = [r for t in Timeline(recording, traces=True).ticks() for r in t.records]
    traces = [record for record in published if record.topic == "otlp_spans"]
    assert len(traces) == table.num_rows
    assert len({record.key for record in traces}) == len(traces)
    decoders, builder = Decoders(), TelemetryBuilder(lambda _domain: Catalog())
    for offset, each in enumerate(traces):
        decoders.decode(RawRecord(each.topic, 0, offset, each.key, each.value), builder)
    edges = [item for item in builder.take()["shop"].items if isinstance(item, Edge)]
    assert {(edge.caller, edge.callee) for edge in edges} == seen
    assert {edge.source.value for edge in edges} == {"span"}


def test_traces_are_left_out_unless_asked_for(tmp_path):
    recording = Recording.open(run_scenario("healthy", tmp_path / "rec", Options(hours=0.1)))
    topics = {record.topic for tick in Timeline(recording).ticks() for record in tick.records}
    assert "otlp_metrics" in topics
    assert "otlp_spans" not in topics

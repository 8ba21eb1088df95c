"""All stages as `headwater run` runs them: a recording in, incidents and alerts out."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request

import pyarrow as pa
import pytest

from correlator.evidence import Progress
from streams import replay
from streams.evaluation.run import settled_incidents
from streams.kafka import topics
from streams.recording import Recording, write_recording
from streams.recording.tables import METRICS, schema_of
from streams.service import Pipeline
from streams.settings import KafkaSettings, Settings, load
from streams.wire.cloudevents import decode_alert, decode_incident
from streams.wire.codec import encode
from streams.wire.messages import EvidenceRecord
from tests.processes import children_of, wait_for_the_end_of
from tests.shop_on_kafka import START_MS, STEP_MS, evidence_until

READY_TIMEOUT_S = 120
SETTLE_MS = 7_200_000


@pytest.fixture
def recording(shop, tmp_path):
    """The shop's telemetry as a recording."""
    rows = {name: [] for name in ("ts_ms", "service", "instance", "metric", "unit", "kind", "value")}
    for topic, _, value in shop.records:
        for sample in json.loads(value) if topic == "headwater.metrics" else ():
            for name, column in rows.items():
                column.append(sample.get(name, "gauge" if name == "kind" else None))
    return Recording.open(
        write_recording(
            tmp_path / "shop",
            name="shop",
            system="shop",
            start_ms=START_MS,
            end_ms=shop.end_ms,
            interval_s=STEP_MS / 1000,
            metrics=pa.table(rows, schema=schema_of(METRICS)),
            changes=[
                {"id": "d-1", "ts_ms": START_MS + 460 * STEP_MS, "kind": "deploy", "service": "frontend"}
            ],
            topology={
                "nodes": [],
                "edges": [
                    {"caller": "frontend", "callee": "checkout"},
                    {"caller": "checkout", "callee": "redis-cart"},
                ],
            },
        )
    )


def in_event_time(settings):
    """No lateness and no idle advance: event time ends where the recording ends, as in `headwater eval`."""
    detect = settings.detect.model_copy(update={"lateness_s": 0.0, "idle_s": 3600.0})
    return settings.model_copy(update={"detect": detect})


def incidents_through_kafka(wire, recording):
    """Replay a recording through all stages; returns the settled incidents and the last alerts, by id."""
    settings = in_event_time(wire.settings)
    with replay.publisher(settings.kafka) as publisher:
        replay.replay(recording, publisher, speed=0, history=False)
    with Pipeline(settings) as pipeline:
        pipeline.wait_until_ready(READY_TIMEOUT_S)
        # The newest tick may be half full; what comes before it is complete.
        evidence_until(wire, recording.end_ms // STEP_MS * STEP_MS - STEP_MS)
        end = Progress(
            domain=recording.system,
            source="detect-0",
            watermark_ms=recording.end_ms // STEP_MS * STEP_MS + SETTLE_MS,
        )
        last = EvidenceRecord(domain=end.domain, source=end.source, tick_ms=end.watermark_ms, items=(end,))
        wire.publish([("headwater.evidence", recording.system, encode(last))])
        expected = settled_incidents(recording, history=False)

        def all_settled(messages):
            return expected.keys() <= {i.id for i in map(incident_of, messages) if i.settled}

        incidents = map(incident_of, wire.read("headwater.incidents", all_settled))
        found = {each.id: each for each in incidents if each.settled}
        alerts = wire.read(
            "headwater.alerts",
            lambda messages: (
                found.keys() <= {a.incident_id for a in map(alert_of, messages) if a.incident.settled}
            ),
        )
    return found, expected, {alert.incident_id: alert for alert in map(alert_of, alerts)}


def incident_of(message):
    return decode_incident(message.value()).incident


def alert_of(message):
    return decode_alert(message.value())


def test_a_replay_settles_the_incidents_of_an_evaluation_and_alerts_of_each(wire, recording):
    found, expected, alerts = incidents_through_kafka(wire, recording)

    assert found == expected != {}
    (alert,) = alerts.values()
    assert alert.root_cause is not None
    assert alert.root_cause.entity == "redis-cart"
    assert alert.status == "resolved"


@pytest.mark.recordings
def test_a_replay_of_a_real_day_settles_the_incidents_of_an_evaluation(wire):
    folder = load().recordings
    if folder is None:
        pytest.skip("HEADWATER_RECORDINGS is not set: no real recording was replayed")
    recording = Recording.open(folder / "online-boutique-0822")

    found, expected, alerts = incidents_through_kafka(wire, recording)

    assert len(expected) > 5
    assert found == expected
    assert alerts.keys() == found.keys()
    chains = [hop for each in found.values() for first in each.hypotheses[:1] for hop in first.chain]
    assert chains
    assert all(each.evidence for each in found.values())


class Run:
    """`headwater run` as a person starts it."""

    def __init__(self, settings, tmp_path, *arguments, **environment):
        self._log = tmp_path / "run.log"
        variables = {
            "HEADWATER_KAFKA__BOOTSTRAP_SERVERS": settings.kafka.bootstrap_servers,
            "HEADWATER_KAFKA__TOPIC_PREFIX": settings.kafka.topic_prefix,
            "HEADWATER_KAFKA__GROUP_PREFIX": settings.kafka.group_prefix,
            "HEADWATER_KAFKA__SESSION_TIMEOUT_S": str(settings.kafka.session_timeout_s),
            "HEADWATER_DETECT__IDLE_S": "1",
            "HEADWATER_STATE_DIR": str(settings.state_dir),
            "HEADWATER_SERVE__PORT": "0",
            **environment,
        }
        command = [sys.executable, "-m", "streams.cli", "run", *arguments]
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                command, env={**os.environ, **variables}, stdout=log, stderr=log, start_new_session=True
            )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def lines(self):
        return [line for line in self._log.read_text().splitlines() if line]

    def stages(self):
        """Process ids of the stages: they are forked from a child that has imported them."""
        return [each for child in children_of(self.process.pid) for each in children_of(child)]

    def said(self, *words, timeout_s=READY_TIMEOUT_S):
        """Wait for a line of the log that holds all the words, and return it parsed."""
        import time

        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            for line in self.lines():
                if all(word in line for word in words):
                    return json.loads(line) if line.startswith("{") else line
            if self.process.poll() is not None and not any(all(w in x for w in words) for x in self.lines()):
                break
            time.sleep(0.05)
        raise AssertionError(f"never said {words}; it said: {self.lines()}")


def ask(port, path):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
        return answer.read().decode()


MOVED = (
    *(f'processing_seconds_count{{stage="{stage}"' for stage in ("detect", "correlate", "notify")),
    'points_processed_total{signal="metric",stage="detect"',
    'record_age_seconds_count{signal="metric",stage="detect"',
    'snapshot_age_seconds{stage="detect"',
    'anomalies_total{detector="level",signal="metric",stage="detect"',
    'detection_latency_seconds_count{stage="correlate"',
    'build_info{stage="detect",version=',
)


def moved(exposed, name):
    """Whether a metric is exposed and not 0."""
    lines = [line for line in exposed.splitlines() if line.startswith(f"headwater_{name}")]
    return any(float(line.rsplit(" ", 1)[1]) > 0 for line in lines)


def test_run_serves_health_and_metrics_and_leaves_in_order_on_sigterm(wire, shop, tmp_path):
    wire.publish(shop.records)
    with Run(wire.settings, tmp_path) as run:
        port = run.said("ready", "stages")["port"]
        wire.read("headwater.alerts", lambda found: alert_of(found[-1]).root_cause is not None)

        assert json.loads(ask(port, "/healthz"))["status"] == "ok"
        assert json.loads(ask(port, "/readyz"))["status"] == "ready"
        assert json.loads(ask(port, "/version"))["name"] == "headwater"
        exposed = ask(port, "/metrics")
        read = 'decoder="native_metrics",stage="detect",topic="headwater.metrics"'
        assert f"headwater_records_consumed_total{{{read}}} 1620.0" in exposed
        assert 'headwater_incidents_total{stage="correlate",status="open"}' in exposed
        deadline = time.monotonic() + READY_TIMEOUT_S  # NOTIFY reads the alert when this test does, or later
        while still := [name for name in MOVED if not moved(exposed, name)]:
            assert time.monotonic() < deadline, still
            exposed = ask(port, "/metrics")

        run.process.send_signal(signal.SIGTERM)
        assert run.process.wait(15) == 0
    assert not [line for line in run.lines() if "Traceback" in line or "killed" in line]


def test_a_ctrl_c_while_the_stages_are_loaded_ends_all_without_a_word(wire, tmp_path):
    with Run(wire.settings, tmp_path) as run:
        run.said("starting")
        while len(children_of(run.process.pid)) < 2:  # the one that loads them comes second
            assert run.process.poll() is None
        os.killpg(run.process.pid, signal.SIGINT)  # as a terminal sends it: to all of them

        assert run.process.wait(60) == 0, run.lines()
    assert not [line for line in run.lines() if "Traceback" in line or "KeyboardInterrupt" in line]


def test_a_stage_that_dies_ends_the_whole_with_a_failure(wire, tmp_path):
    with Run(wire.settings, tmp_path) as run:
        run.said("ready", "stages")
        os.kill(run.stages()[-1], signal.SIGKILL)

        assert run.process.wait(20) == 1
        run.said("stages ended")


def test_a_run_that_is_killed_leaves_no_stage_behind(wire, tmp_path):
    with Run(wire.settings, tmp_path) as run:
        run.said("ready", "stages")
        stages = run.stages()
        assert len(stages) == 4
        run.process.kill()
        for stage in stages:
            wait_for_the_end_of(stage, timeout_s=30)


@pytest.fixture
def away(tmp_path):
    """Settings of a broker that does not answer."""
    return Settings(kafka=KafkaSettings(bootstrap_servers="127.0.0.1:1"), state_dir=tmp_path / "state")


def test_a_stage_whose_run_was_killed_while_it_was_loaded_leaves_without_a_traceback(away):
    orphan = """
import sys
from multiprocessing import Pipe
from streams.service import child
from streams.settings import Settings
ours, theirs = Pipe()
ours.close()
child.main("detect", Settings.model_validate_json(sys.argv[1]).model_dump(), theirs)
"""
    command = [sys.executable, "-c", orphan, away.model_dump_json()]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert "Traceback" not in ended.stderr, ended.stderr
    assert ended.returncode == 0


def test_a_broker_that_is_away_is_named_once_and_waited_for(away, tmp_path):
    with Run(away, tmp_path, "--stage", "detect") as run:
        said = run.said("no Kafka broker answers at 127.0.0.1:1")
        assert "retry" in said

        run.process.send_signal(signal.SIGTERM)
        assert run.process.wait(15) == 0
    assert len([line for line in run.lines() if "127.0.0.1:1" in line and "no Kafka" in line]) == 1
    assert not [line for line in run.lines() if "Traceback" in line]


def test_missing_topics_are_named_with_the_command_and_waited_for(fresh_settings, tmp_path):
    settings = fresh_settings()
    with Run(settings, tmp_path, "--stage", "correlate") as run:
        run.said("headwater.evidence", "headwater topics create")
        topics.create(settings.kafka)
        run.said("ready")


def test_a_taken_port_is_one_line_and_exit_code_2(wire, tmp_path):
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with Run(wire.settings, tmp_path, HEADWATER_SERVE__PORT=str(port)) as run:
            assert run.process.wait(60) == 2
    assert f"127.0.0.1:{port}" in run.lines()[-1]
    assert not [line for line in run.lines() if "Traceback" in line]


def test_an_unknown_stage_is_one_line_and_exit_code_2(away, tmp_path):
    with Run(away, tmp_path, "--stage", "detekt") as run:
        assert run.process.wait(60) == 2
    assert run.lines() == [
        "headwater: there is no stage 'detekt'; there are: route, detect, correlate, reason, notify"
    ]

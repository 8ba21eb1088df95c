"""From the broker to a score: DETECT with its snapshots, against Faust and quixstreams on the same broker.

Each contestant runs alone, in a process of its own, on an embedded broker that already holds its records. The
peers do what a person would write: a model of river per series, kept in the framework's table (RocksDB with a
changelog), a score per point. `cpu_us_per_point` is what a busy machine does not distort.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ingest_latency
import ingest_load
import ingest_memory

from streams.broker import EmbeddedBroker
from streams.kafka import topics
from streams.settings import Settings

HERE = Path(__file__).parent
QUIX = HERE.parent / ".venv-quix" / "bin" / "python"
"""quixstreams wants older libraries than ours: `python -m venv .venv-quix && .venv-quix/bin/pip install
quixstreams==3.28.1 river==0.26.1`."""
POINTS, PEER_POINTS, SERIES = 3_000_000, 10_000, 1_000
"""Enough to take longer than the time from one snapshot to the next."""
WARM_POINTS = 150_000
SNAPSHOT_INTERVAL_S = 2.0
"""A fifth of the default: 3,000,000 points may be over before that."""
HALF_LOAD_PER_S = 60_000
"""Half of what a process has to take. Half of what it does take was 247,000/s in one run, of which the
generator and the broker wrote 86,000 on the same two cores, with no room for probes."""
LOG_REQUESTS = 400
"""Some are run first, so that nothing is compiled while the rest is measured."""
TIMEOUT_S = 300


def settings_for(broker: EmbeddedBroker, directory: Path, prefix: str, *raw: str) -> Settings:
    """Settings of one contestant: topics, group and state of its own."""
    return Settings.model_validate(
        {
            "kafka": {
                "bootstrap_servers": broker.bootstrap_servers,
                "topic_prefix": f"{prefix}.",
                "group_prefix": prefix,
                "session_timeout_s": 6,
            },
            "detect": {"topics": raw},
            "serve": {"port": 0},
            "state_dir": directory / prefix,
        }
    )


def measured(*command: object) -> dict[str, float]:
    """Run a contestant and read what it prints last; what went wrong goes under `error`."""
    try:
        ended = subprocess.run(
            [str(part) for part in command], capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired:
        return {"error": float("nan")}
    lines = [line for line in ended.stdout.splitlines() if line.startswith("{")]
    if ended.returncode or not lines:
        raise RuntimeError(f"{command[1]} ended with {ended.returncode}: {ended.stderr[-500:]}")
    return {name: round(value, 2) for name, value in json.loads(lines[-1]).items()}


def stage(settings: Settings, points: int, signal: str) -> dict[str, float]:
    """Run DETECT over what its topics hold."""
    file = settings.state_dir.with_suffix(".json")
    file.write_text(settings.model_dump_json())
    return measured(sys.executable, HERE / "ingest_stage.py", file, points, signal)


def measure(series: int, note: Callable[[str], None]) -> dict[str, Any]:
    """All contestants, one after the other."""
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as place:
        directory = Path(place)
        with EmbeddedBroker() as broker:
            note("JSON points, broker → scored")
            found["json_points"] = _json(broker, directory, note)
            note("OTLP log lines, broker → template → scored")
            found["otlp_log_lines"] = _logs(broker, directory)
            note("latency at half load")
            ours = settings_for(broker, directory, "latency", "headwater.metrics", "headwater.deploys")
            found["latency"] = ingest_latency.measure(ours, HALF_LOAD_PER_S)
        with EmbeddedBroker() as broker:
            note(f"memory and restore at {series:,} series")
            ours = settings_for(broker, directory, "memory", "otlp_metrics")
            found["memory"] = ingest_memory.measure(ours, series)
    return found


def _json(broker: EmbeddedBroker, directory: Path, note: Callable[[str], None]) -> dict[str, Any]:
    ours = settings_for(broker, directory, "json", "headwater.metrics")
    frequent = ours.detect.model_copy(update={"snapshot_interval_s": SNAPSHOT_INTERVAL_S})
    ours = ours.model_copy(update={"detect": frequent})
    theirs = settings_for(broker, directory, "peers", "headwater.metrics")
    for settings, points in ((ours, POINTS), (theirs, PEER_POINTS)):
        topics.create(settings.kafka)
        topic = settings.kafka.topic("headwater.metrics")
        ingest_load.fill(broker.bootstrap_servers, topic, 0, points, SERIES)
    warm = settings_for(broker, directory, "json-warm", "headwater.metrics")
    topics.create(warm.kafka)
    warm_topic = warm.kafka.topic("headwater.metrics")
    ingest_load.fill(broker.bootstrap_servers, warm_topic, 0, WARM_POINTS, SERIES)
    stage(warm, WARM_POINTS, "metric")
    found: dict[str, Any] = {"headwater": stage(ours, POINTS, "metric")}
    note("the same in Faust")
    file = theirs.state_dir.with_suffix(".json")
    file.write_text(theirs.model_dump_json())
    topic = theirs.kafka.topic("headwater.metrics")
    found["faust"] = measured(sys.executable, HERE / "ingest_faust.py", file, topic, PEER_POINTS)
    if QUIX.exists():
        note("the same in quixstreams")
        found["quixstreams"] = measured(
            QUIX, HERE / "ingest_quix.py", broker.bootstrap_servers, topic, PEER_POINTS, directory / "quix"
        )
    else:
        found["quixstreams"] = f"not measured: {QUIX.parent.parent.name} is missing, see ingest_broker.py"
    for peer in ("faust", "quixstreams"):
        if isinstance(found[peer], dict):
            ratio = found["headwater"]["points_per_s"] / found[peer]["points_per_s"]
            found[f"times_{peer}"] = round(ratio, 1)
            cpu = found[peer]["cpu_us_per_point"] / found["headwater"]["cpu_us_per_point"]
            found[f"times_{peer}_by_cpu"] = round(cpu, 1)
    return found


def _logs(broker: EmbeddedBroker, directory: Path) -> dict[str, float]:
    found: dict[str, float] = {}
    for name, requests in (("logs-warm", LOG_REQUESTS // 2), ("logs", LOG_REQUESTS)):
        ours = settings_for(broker, directory, name, "otlp_logs")
        topics.create(ours.kafka)
        ingest_load.fill_logs(broker.bootstrap_servers, ours.kafka.topic("otlp_logs"), requests)
        found = stage(ours, requests * 500, "log")
    return found

"""Memory of the whole process with many series, the size of its snapshot, and how long a restore takes."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

from confluent_kafka import Producer
from opentelemetry.proto.metrics.v1.metrics_pb2 import MetricsData

from streams.kafka import topics
from streams.settings import Settings

STEPS = 3
A_RECORD = 500
T0_NS = 1_790_000_040_000_000_000


def measure(settings: Settings, series: int) -> dict[str, float]:
    """Fill a topic with a few samples of each series, score them, stop, and start again twice."""
    topics.create(settings.kafka)
    _fill(settings, series)
    taken = _stage(settings, series * STEPS)
    local = _restore(settings)
    elsewhere = settings.model_copy(update={"state_dir": settings.state_dir.with_name("elsewhere")})
    return {
        "series": series,
        "max_rss_mb": round(taken["max_rss_mb"]),
        "bytes_per_series": round(taken["max_rss_mb"] * 1e6 / series),
        "points_per_s": round(taken["points_per_s"]),
        "snapshot_s": round(taken["snapshot_s"], 1),
        "snapshot_mb": round(taken["snapshot_mb"], 1),
        "restore_from_disk_s": round(local, 1),
        "restore_from_topic_s": round(_restore(elsewhere), 1),
    }


def _fill(settings: Settings, series: int) -> None:
    sender = Producer(
        {
            "bootstrap.servers": settings.kafka.bootstrap_servers,
            "compression.type": "lz4",
            "queue.buffering.max.kbytes": 65_536,
        }
    )
    topic = settings.kafka.topic("otlp_metrics")
    for step in range(STEPS):
        for first in range(0, series, A_RECORD):
            value = _request(step, first)
            while True:
                try:
                    sender.produce(topic, value, b"bench")
                    break
                except BufferError:
                    sender.poll(0.05)
            sender.poll(0)
    sender.flush(120)


def _request(step: int, first: int) -> bytes:
    """One record: ten metrics of one instance, fifty routes each."""
    data = MetricsData()
    holder = data.resource_metrics.add()
    pod = first // A_RECORD
    described = {
        "service.name": f"service-{pod // 10}",
        "k8s.pod.name": f"service-{pod // 10}-579f59597d-{pod:05d}",
        "deployment.environment.name": "bench",
    }
    for key, text in described.items():
        holder.resource.attributes.add(key=key).value.string_value = text
    scope = holder.scope_metrics.add()
    for number in range(10):
        metric = scope.metrics.add(name=f"http.server.metric.{number}", unit="1")
        for route in range(A_RECORD // 10):
            point = metric.gauge.data_points.add(
                time_unix_nano=T0_NS + step * 15_000_000_000, as_double=10.0 + (first + route * 7 + step) % 13
            )
            point.attributes.add(key="http.route").value.string_value = f"/api/v1/items/{route}"
    return bytes(data.SerializeToString())


def _stage(settings: Settings, points: int) -> dict[str, float]:
    file = settings.state_dir.with_suffix(".json")
    file.write_text(settings.model_dump_json())
    command = [
        sys.executable,
        str(Path(__file__).parent / "ingest_stage.py"),
        str(file),
        str(points),
        "metric",
    ]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode:
        raise RuntimeError(ended.stderr[-500:])
    found: dict[str, float] = json.loads(ended.stdout.splitlines()[-1])
    return found


def _restore(settings: Settings) -> float:
    """Seconds from asking for the newest snapshot to a unit that can go on."""
    from streams.kafka import producer
    from streams.stages.detect.snapshot_store import SnapshotStore, TopicSnapshots
    from streams.stages.detect.unit import Clocks, Unit

    snapshots = TopicSnapshots(settings.kafka, producer(settings.kafka))
    cluster = next((settings.state_dir / "detect").glob("*"), settings.state_dir / "detect" / "elsewhere")
    began_s = time.perf_counter()
    store = SnapshotStore(0, cluster, snapshots)
    snapshot = store.load()
    if snapshot is None:
        raise RuntimeError("there is no snapshot to restore")
    clocks = Clocks(lambda: time.time_ns() // 1_000_000, time.monotonic)
    Unit(0, 1, [("otlp_metrics", 0)], settings.detect, clocks, snapshot)
    took_s = time.perf_counter() - began_s
    store.close()
    return took_s

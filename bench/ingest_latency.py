"""Broker append → evidence published, while DETECT is busy with half of what it can take.

The load is JSON points with event times of now; among them ten deploys a second, which DETECT passes on at
once. A deploy's delay runs from its append to its evidence being read back from the log: every queue on the
way is in it. A tick's runs from the moment at which event time lets it be closed to its promise being read.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import orjson
from confluent_kafka import Consumer, Producer, TopicPartition

from streams.kafka import consumer, producer, topics
from streams.settings import Settings

SECONDS, WARM_S = 40.0, 8.0
START_S = 60.0
SERIES = 1_000
PROBES_A_SECOND = 10
SLICE_S = 0.05
_END = -1


def measure(settings: Settings, points_per_s: int) -> dict[str, float]:
    """Return delays in seconds at a given load."""
    topics.create(settings.kafka)
    file = settings.state_dir.with_suffix(".json")
    file.write_text(settings.model_dump_json())
    log = settings.kafka.topic("headwater.evidence")
    reader = consumer(settings.kafka, "bench-reader", enable_partition_eof=False)
    reader.assign([TopicPartition(log, 0, _END)])
    changes: list[float] = []
    ticks: list[float] = []
    stop = threading.Event()
    command = [
        sys.executable,
        str(Path(__file__).parent / "ingest_stage.py"),
        str(file),
        str(10**12),
        "metric",
    ]
    stage = subprocess.Popen(command, stdout=sys.stderr, stderr=sys.stderr)
    watcher: threading.Thread | None = None
    try:
        sender = producer(settings.kafka)
        _until_it_answers(sender, settings, reader)
        from_ms = time.time_ns() // 1_000_000 + int(WARM_S * 1000)
        args = (reader, stop, from_ms, settings.detect.lateness_s, changes, ticks)
        watcher = threading.Thread(target=_watch, args=args)
        watcher.start()
        sent = _load(sender, settings, points_per_s)
        time.sleep(1)
    finally:
        stage.kill()
        stage.wait()
        stop.set()
        if watcher is not None:
            watcher.join()
        reader.close()
    return {
        "points_per_s": round(sent / SECONDS),
        "probes": len(changes),
        "change_p50_s": round(float(np.percentile(changes, 50)), 3),
        "change_p99_s": round(float(np.percentile(changes, 99)), 3),
        "ticks": len(ticks),
        "tick_max_s": round(max(ticks, default=float("nan")), 3),
    }


def _until_it_answers(sender: Producer, settings: Settings, reader: Consumer) -> None:
    """Send deploys until one comes back: the start of a process is not what is measured."""
    deadline_s = time.monotonic() + START_S
    while time.monotonic() < deadline_s:
        deploy = {"domain": "bench", "service": "shop/cart", "ts_ms": time.time_ns() // 1_000_000}
        sender.produce(settings.kafka.topic("headwater.deploys"), orjson.dumps(deploy), "shop/cart")
        sender.poll(0)
        if reader.poll(0.2) is not None:
            return
    raise RuntimeError("DETECT did not start")


def _load(sender: Producer, settings: Settings, points_per_s: int) -> int:
    metrics, deploys = (settings.kafka.topic(f"headwater.{name}") for name in ("metrics", "deploys"))
    each = max(1, int(points_per_s * SLICE_S))
    # Spelt beforehand as far as they go: the load shares two cores with what is measured.
    heads = [(f"shop/service-{which // 50}", _head(which)) for which in range(SERIES)]
    began_s, sent, probes = time.monotonic(), 0, 0
    while (gone_s := time.monotonic() - began_s) < SECONDS:
        now_ms = time.time_ns() // 1_000_000
        for _ in range(each if sent < gone_s * points_per_s else 0):
            service, head = heads[sent % SERIES]
            value = head + b'%03d,"ts_ms":%d}' % (sent * 2_654_435_761 % 1_000, now_ms)
            try:
                sender.produce(metrics, value, service)
            except BufferError:
                break  # the broker is slower than that; `points_per_s` says by how much
            sent += 1
        if probes < gone_s * PROBES_A_SECOND:
            deploy = {"domain": "bench", "service": "shop/cart", "id": f"d-{probes}", "ts_ms": now_ms}
            with suppress(BufferError):  # it is tried again
                sender.produce(deploys, orjson.dumps(deploy), "shop/cart")
                probes += 1
        sender.poll(0)
        if sent >= gone_s * points_per_s:
            time.sleep(SLICE_S / 5)
    sender.flush(10)
    return sent


def _head(which: int) -> bytes:
    point = {"domain": "bench", "service": f"shop/service-{which // 50}", "metric": f"metric_{which % 50}"}
    return orjson.dumps(point)[:-1] + b',"value":10.'


def _watch(
    reader: Consumer,
    stop: threading.Event,
    from_ms: int,
    lateness_s: float,
    changes: list[float],
    ticks: list[float],
) -> None:
    promised_ms = 0
    while not stop.is_set():
        message = reader.poll(0.1)
        if message is None or message.error() is not None:
            continue
        now_ms = time.time_ns() // 1_000_000
        for item in orjson.loads(message.value() or b"")["items"]:
            if item["type"] == "change" and item["ts_ms"] >= from_ms:
                changes.append((now_ms - item["ts_ms"]) / 1000)
            elif item["type"] == "progress" and item["watermark_ms"] > max(promised_ms, from_ms):
                promised_ms = item["watermark_ms"]
                ticks.append((now_ms - promised_ms) / 1000 - lateness_s)

"""A producer that is faster than DETECT makes its lag grow, and nothing else."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from confluent_kafka import TopicPartition

from streams.kafka import consumer
from tests.shop_on_kafka import START_MS, STEP_MS

pytestmark = [pytest.mark.long, pytest.mark.timeout(300)]

VICTIM = Path(__file__).with_name("victim.py")
SERIES = 1_000
SECONDS = 20
ROOM_MB = 120
"""What may come on top after the first seconds: fetched records (32 MB, held twice), snapshots."""


def resident_mb(pid):
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE") / 2**20


def write_for(wire, seconds, first):
    """Write points as fast as the producer can; returns the number of the next."""
    until = time.monotonic() + seconds
    number = first
    while time.monotonic() < until:
        step, which = divmod(number, SERIES)
        wire.put(
            "headwater.metrics",
            b'{"service": "s%d", "metric": "m%d", "value": %d, "ts_ms": %d}'
            % (which // 20, which % 20, number * 7919 % 101, START_MS + step * STEP_MS),
        )
        number += 1
    wire.flush()
    return number


def test_lag_grows_and_memory_does_not(wire, tmp_path):
    file = tmp_path / "settings.json"
    file.write_text(wire.settings.model_dump_json())
    where = TopicPartition(wire.settings.kafka.topic("headwater.metrics"), 0)
    victim = subprocess.Popen([sys.executable, str(VICTIM), str(file), "detect"])
    lags, sizes = [], []
    try:
        written = write_for(wire, 15, 0)  # compiled, all series seen, the first snapshots written
        for _ in range(SECONDS // 5):
            written = write_for(wire, 5, written)
            reader = consumer(wire.settings.kafka, "detect")
            (committed,) = reader.committed([where], timeout=10)
            reader.close()
            lags.append(written - committed.offset)
            sizes.append(resident_mb(victim.pid))
        assert victim.poll() is None
    finally:
        victim.kill()
        victim.wait()

    assert committed.offset > 0, "it scored nothing"
    assert lags[-1] > lags[0] + 50_000, f"the producer was not faster: {lags}"
    assert max(sizes) - sizes[0] < ROOM_MB, f"memory grew with the lag: {sizes} MB"

"""DETECT under measurement, in a process of its own: `ingest_stage.py SETTINGS.json POINTS SIGNAL [PROFILE]`.

Prints one JSON object: points a second from a tenth of the points to the last, CPU seconds in that stretch,
and memory in millions of bytes. A point counts when the detectors have it; ticks that it completes are closed
in the same turn.
"""

from __future__ import annotations

import json
import resource
import sys
import threading
import time
from pathlib import Path

from streams import metrics
from streams.serve import Health
from streams.settings import Settings
from streams.stages.detect import DetectStage

LOOK_S = 0.02
SKIP = 0.1
"""The share that warms up: compilation, group join, first sight of every series."""


def main() -> None:
    """Run until the points are in, then stop in order and say how long it took."""
    settings = Settings(**json.loads(Path(sys.argv[1]).read_text()))
    points, signal = int(sys.argv[2]), sys.argv[3]
    stop = threading.Event()
    found: dict[str, float] = {}

    def watch() -> None:
        counter = metrics.POINTS_PROCESSED.labels(signal)
        began = None
        while not stop.is_set():
            taken = counter._value.get()
            if began is None and taken >= points * SKIP:
                began = (time.perf_counter(), time.process_time(), taken)
            if taken >= points:
                assert began is not None
                assert taken > began[2], "all points came at once; take more of them"
                wall_s, cpu_s = time.perf_counter() - began[0], time.process_time() - began[1]
                found["points_per_s"] = (taken - began[2]) / wall_s
                found["cpu_us_per_point"] = cpu_s / (taken - began[2]) * 1e6
                found["wall_s"] = wall_s
                stop.set()
            time.sleep(LOOK_S)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    stage = DetectStage(settings, Health())
    if len(sys.argv) > 4:
        import cProfile

        profile = cProfile.Profile()
        profile.runcall(stage.run, stop)
        profile.dump_stats(sys.argv[4])
    else:
        stage.run(stop)
    watcher.join()
    taken = {
        sample.name: sample.value for each in metrics.SNAPSHOT_SECONDS.collect() for sample in each.samples
    }
    counted = taken.get("headwater_snapshot_seconds_count", 0.0)
    found["snapshots"] = counted
    found["snapshot_s"] = taken.get("headwater_snapshot_seconds_sum", 0.0) / max(1.0, counted)
    found["snapshot_mb"] = metrics.STATE_STORE_BYTES.labels("detect")._value.get() / 1e6
    found["series"] = metrics.ACTIVE_SERIES._value.get()
    found["max_rss_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    print(json.dumps(found))


if __name__ == "__main__":
    main()

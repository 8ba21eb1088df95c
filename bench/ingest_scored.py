"""Remote write from bytes to scores, without a broker: decoding and the detector bank on one core."""

from __future__ import annotations

import time

from ingest_decode import write_request

from detectors import Detector
from streams.wire.decoders import Decoders
from streams.wire.record import RawRecord
from streams.wire.telemetry import TelemetryBuilder

STEPS, WARM = 240, 40
COPIES = 20
"""Requests a step, each of 500 series: 10,000 series, a sample every 15 s."""
LATENESS_MS = 5_000


def measure() -> dict[str, float]:
    """Points a second, scored, after everything has been seen once; by the clock and by the CPU."""
    detectors: dict[str, Detector] = {}
    into = TelemetryBuilder(lambda domain: detectors.setdefault(domain, Detector(domain)).catalog)
    decode = Decoders({"prometheus": "prometheus_remote_write"}).decode
    requests = [[write_request(step, copy) for copy in range(COPIES)] for step in range(STEPS)]
    points, began_s, began_cpu_s = 0, 0.0, 0.0
    for step, step_requests in enumerate(requests):
        if step == WARM:
            points, began_s, began_cpu_s = 0, time.perf_counter(), time.process_time()
        for value in step_requests:
            points += decode(RawRecord("prometheus", 0, step, None, value), into)
        for domain, telemetry in into.take().items():
            detectors[domain].observe(telemetry.samples)
            detectors[domain].advance(int(telemetry.samples.ts_ms[-1]) - LATENESS_MS)
    return {
        "remote_write_points_per_s": round(points / (time.perf_counter() - began_s)),
        "remote_write_points_per_cpu_s": round(points / (time.process_time() - began_cpu_s)),
    }

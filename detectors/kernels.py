"""Loads the machine code of the fleet's detector before it is needed; compiles what is not there yet."""

from __future__ import annotations

from functools import cache

import numpy as np

from detectors.pipeline import Detector
from detectors.telemetry import Kind, LogBatch, SampleBatch, Series

_MINUTES = 20
"""A baseline speaks after ten slots, and what it says is followed for some."""
_MINUTE_MS = 60_000


@cache
def load_kernels() -> None:
    """Run a small fleet through a detector, once a process; nothing of it stays.

    Otherwise the first ticks of a process pay for it while records wait: half a second where the code is on
    disk, and a minute where it has to be compiled.
    """
    detector = Detector("kernels")
    fleet = [
        Series(f"service-{number}", metric, f"pod-{number}", kind=kind)
        for number in range(3)
        for metric, kind in (("cpu", Kind.GAUGE), ("requests_total", Kind.COUNTER), ("latency_s", Kind.GAUGE))
    ]
    numbers = np.array([detector.catalog.intern(each) for each in fleet], np.int32)
    for minute in range(1, _MINUTES + 1):
        now_ms = minute * _MINUTE_MS
        value = np.full(len(fleet), 20.0 + minute * 7 % 5 + 40.0 * (minute > _MINUTES - 4))
        for _ in range(2):  # samples that come twice are code of their own
            detector.observe(SampleBatch(np.full(len(fleet), now_ms), numbers, value))
        detector.observe_logs(
            LogBatch([now_ms], ["service-0"], [None], ["ERROR"], [f"request {minute} took 7 ms"])
        )
        detector.advance(now_ms)

"""A process has its machine code before the first tick that needs it."""

import json
import subprocess
import sys

PROGRAM = """
import json, sys
import numpy as np
from detectors import Detector, Kind, LogBatch, SampleBatch, Series
from detectors.kernels import load_kernels

def compiled():
    return {
        f"{module.__name__}.{name}": len(each.signatures)
        for module in list(sys.modules.values()) if module.__name__.startswith("detectors")
        for name, each in vars(module).items() if hasattr(each, "signatures")
    }

load_kernels()
before = compiled()
detector = Detector("shop")
names = [Series(f"s-{k}", metric, f"pod-{pod}", kind=kind) for k in range(4) for pod in range(2)
         for metric, kind in (("cpu", Kind.GAUGE), ("requests", Kind.COUNTER), ("errors", Kind.DELTA))]
numbers = np.array([detector.catalog.intern(each) for each in names], np.int32)
said = 0
for minute in range(1, 90):
    now = minute * 60_000
    value = 20.0 + (minute * 7 + np.arange(len(names))) % 5 + 60.0 * (minute > 80)
    for _ in range(2):  # as a producer does that was not sure
        detector.observe(SampleBatch(np.full(len(names), now), numbers, value))
    detector.observe_logs(LogBatch([now], ["s-1"], [None], ["INFO"], [f"user {minute} came"]))
    said += len(detector.advance(now))
after = compiled()
print(json.dumps({"said": said, "loaded": sum(before.values()),
                  "late": [name for name in after if after[name] != before.get(name, 0)]}))
"""


def test_no_tick_of_an_ordinary_fleet_waits_for_machine_code():
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, timeout=300
    )
    found = json.loads(ended.stdout)
    assert found["said"] > 0
    assert found["loaded"] > 0
    assert found["late"] == []

"""Points a second: the fleet's bank and the suite over many series, against objects of one series.

Of one core, in seconds of CPU: all of it runs in one thread, and what else the machine does is left out.
"""

from __future__ import annotations

from collections.abc import Callable
from time import process_time
from typing import Any

import numpy as np
from river import anomaly, stats, time_series

from detectors.bank import allocate_pools, judge
from detectors.online import Reference
from detectors.rows import BYTES_PER_SERIES, allocate
from detectors.suite import SuiteBank
from detectors.suite.record import SUITE

ROUNDS = 70
"""Samples a series gets: past the window of the baseline, so that every part of the bank works."""
TIMED = 5
OBJECT_POINTS = 4000
MINUTE_MS = 60_000

RIVER: dict[str, Callable[[], Any]] = {
    "river-gaussian": lambda: anomaly.GaussianScorer(window_size=1000),
    "river-sad": lambda: anomaly.StandardAbsoluteDeviation(sub_stat=stats.Mean()),
    "river-holt-winters": lambda: anomaly.PredictiveAnomalyDetection(
        time_series.HoltWinters(alpha=0.3, beta=0.1), n_std=30.0, warmup_period=30
    ),
}


def run(series: int, note: Callable[[str], None]) -> dict[str, Any]:
    """Return points a second and bytes a series; peers are timed on one object, the best case for them."""
    note(f"bank of {series:,} series")
    bank = _bank(series)
    note(f"suite of {series:,} series")
    suite = _suite(series)
    note("objects")
    values = (20 + np.random.default_rng(1).standard_normal(OBJECT_POINTS)).tolist()
    peers = {name: _object(make(), values) for name, make in RIVER.items()}
    plain = _reference(values)
    return {
        "series": series,
        "bank_points_per_s": round(bank),
        "bank_bytes_per_series": BYTES_PER_SERIES,
        "suite_points_per_s": round(suite),
        "suite_bytes_per_series": SUITE.itemsize,
        "peers_points_per_s": {name: round(each) for name, each in peers.items()},
        "plain_suite_points_per_s": round(plain),
        "suite_over_same_mathematics_on_river_objects": round(suite / plain, 1),
        "bank_over_fastest_peer": round(bank / max(peers.values()), 1),
    }


def _bank(series: int) -> float:
    rows, pools = allocate(series), allocate_pools(100)
    number = np.arange(series, dtype=np.int32)
    rows["pool"] = number % 100
    pools.relative_floor[:] = 0.05
    rng = np.random.default_rng(2)
    best = np.inf
    for k in range(ROUNDS):
        value = 20 + rng.standard_normal(series)
        ts_ms = np.full(series, (k + 1) * MINUTE_MS)
        begin = process_time()
        judge(rows, pools, number, ts_ms, value)
        if k >= ROUNDS - TIMED:
            best = min(best, process_time() - begin)
    return series / best


def _suite(series: int) -> float:
    bank = SuiteBank()
    number = np.arange(series, dtype=np.int32)
    rng = np.random.default_rng(3)
    best = np.inf
    for k in range(ROUNDS):
        value = 20 + rng.standard_normal(series)
        ts_ms = np.full(series, (k + 1) * 10 * MINUTE_MS)
        begin = process_time()
        bank.score(number, ts_ms, value)
        if k >= ROUNDS - TIMED:
            best = min(best, process_time() - begin)
    return series / best


def _object(model: Any, values: list[float]) -> float:
    model.learn_one({}, values[0])
    for value in values[:50]:
        model.learn_one({}, value)
    begin = process_time()
    for value in values:
        model.score_one({}, value)
        model.learn_one({}, value)
    return len(values) / (process_time() - begin)


def _reference(values: list[float]) -> float:
    reference = Reference()
    begin = process_time()
    for k, value in enumerate(values[: OBJECT_POINTS // 4]):
        sample: Any = {"ts_ms": (k + 1) * MINUTE_MS, "value": value}
        reference.learn_one(sample)
    return (OBJECT_POINTS // 4) / (process_time() - begin)

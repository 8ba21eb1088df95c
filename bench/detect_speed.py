"""Points a second: the fleet's bank and the suite over many series, against objects of one series.

Of one core, in seconds of CPU: all of it runs in one thread, and what else the machine does is left out. All
are timed in turn, round after round; a ratio is taken within a round, and its median is what counts.
"""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from time import process_time
from typing import Any

import numpy as np
from river import anomaly, preprocessing, stats, time_series

from detectors.bank import allocate_pools, judge
from detectors.online import Reference
from detectors.rows import BYTES_PER_SERIES, allocate
from detectors.suite import SuiteBank
from detectors.suite.record import SUITE

WARM = 65
"""Samples a series gets first: past the window of the baseline, so that every part of the bank works."""
ROUNDS = 5
OBJECT_POINTS = 2000
MINUTE_MS = 60_000

Timed = Callable[[int], float]
"""Points a second of round k."""


def run(series: int, note: Callable[[str], None]) -> dict[str, Any]:
    """Return points a second and bytes a series; peers are timed on one object, the best case for them."""
    note(f"warming the bank and the suite with {WARM} samples of {series:,} series")
    contenders: dict[str, Timed] = {
        "bank": _bank(series),
        "suite": _suite(series),
        "suite-on-river-objects": _reference(),
        **{name: _peer(make) for name, make in RIVER.items()},
    }
    rounds = []
    for k in range(ROUNDS):
        note(f"round {k + 1} of {ROUNDS}")
        rounds.append({name: timed(k) for name, timed in contenders.items()})
    return {
        "series": series,
        "rounds": ROUNDS,
        "points_per_s": {name: round(median(each[name] for each in rounds)) for name in contenders},
        "bytes_per_series": {"bank": BYTES_PER_SERIES, "suite": SUITE.itemsize},
        "suite_over_same_mathematics_on_river_objects": _ratio(rounds, "suite", ["suite-on-river-objects"]),
        "suite_over_fastest_peer": _ratio(rounds, "suite", list(RIVER)),
        "bank_over_fastest_peer": _ratio(rounds, "bank", list(RIVER)),
    }


def _ratio(rounds: list[dict[str, float]], ours: str, theirs: list[str]) -> dict[str, float]:
    ratios = [each[ours] / max(each[name] for name in theirs) for each in rounds]
    return {"median": round(median(ratios), 1), "lowest": round(min(ratios), 1)}


def _bank(series: int) -> Timed:
    rows, pools = allocate(series), allocate_pools(100)
    number = np.arange(series, dtype=np.int32)
    rows["pool"] = number % 100
    pools.relative_floor[:] = 0.05

    def score(k: int, values: Any) -> None:
        judge(rows, pools, number, np.full(series, (k + 1) * MINUTE_MS), values)

    return _batches(series, score)


def _suite(series: int) -> Timed:
    bank = SuiteBank()
    number = np.arange(series, dtype=np.int32)

    def score(k: int, values: Any) -> None:
        bank.score(number, np.full(series, (k + 1) * 10 * MINUTE_MS), values)

    return _batches(series, score)


def _batches(series: int, score: Callable[[int, Any], None]) -> Timed:
    rng = np.random.default_rng(2)

    def timed(k: int) -> float:
        values = 20 + rng.standard_normal(series)
        begin = process_time()
        score(k, values)
        return series / (process_time() - begin)

    for k in range(WARM):
        timed(k)
    return lambda k: timed(WARM + k)


def _plain(model: Any, value: float) -> None:
    model.score_one({}, value)
    model.learn_one({}, value)


def _named(model: Any, value: float) -> None:
    model.score_one({"value": value})
    model.learn_one({"value": value})


RIVER: dict[str, Callable[[], tuple[Any, Callable[[Any, float], None]]]] = {
    "river-gaussian": lambda: (anomaly.GaussianScorer(window_size=1000), _plain),
    "river-sad": lambda: (anomaly.StandardAbsoluteDeviation(sub_stat=stats.Mean()), _plain),
    "river-holt-winters": lambda: (
        anomaly.PredictiveAnomalyDetection(
            time_series.HoltWinters(alpha=0.3, beta=0.1), n_std=30.0, warmup_period=30
        ),
        _plain,
    ),
    "river-half-space-trees": lambda: (
        preprocessing.MinMaxScaler() | anomaly.HalfSpaceTrees(seed=42),
        _named,
    ),
}


def _peer(make: Callable[[], tuple[Any, Callable[[Any, float], None]]]) -> Timed:
    model, step = make()
    rng = np.random.default_rng(1)
    for value in (20 + rng.standard_normal(50)).tolist():
        # Some raise when asked before they have learned.
        if step is _named:
            model.learn_one({"value": value})
        else:
            model.learn_one({}, value)

    def timed(k: int) -> float:
        values = (20 + rng.standard_normal(OBJECT_POINTS)).tolist()
        begin = process_time()
        for value in values:
            step(model, value)
        return OBJECT_POINTS / (process_time() - begin)

    return timed


def _reference() -> Timed:
    reference = Reference()
    rng = np.random.default_rng(1)
    # A quarter of the points: it is slow, and even.
    count = OBJECT_POINTS // 4

    def timed(k: int) -> float:
        values = (20 + rng.standard_normal(count)).tolist()
        begin = process_time()
        for n, value in enumerate(values):
            reference.learn_one({"ts_ms": (k * count + n + 1) * 10 * MINUTE_MS, "value": value})
        return count / (process_time() - begin)

    timed(0)
    return lambda k: timed(k + 1)

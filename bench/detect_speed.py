"""Points a second: the fleet's bank and the suite over many series, against objects of one series.

Of one core, in seconds of CPU: all of it runs in one thread, and what else the machine does is left out. All
are timed in turn, round after round; a ratio is taken within a round, and its median is what counts.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import median
from time import process_time
from typing import Any

import numpy as np
from river import anomaly, preprocessing, stats, time_series

from detectors.bank import judge
from detectors.online import Reference
from detectors.pools import allocate_pools
from detectors.rows import BYTES_PER_SERIES, allocate
from detectors.stillness import STILL, blank, note
from detectors.suite import SuiteBank
from detectors.suite.record import SUITE

WARM = 65
"""Samples a series gets first: past the window of the baseline, so that every part of the bank works."""
WARM_HOURS = 120
"""The same for the suite, an hour apart: five days, after which the hours of a day speak."""
ROUNDS = 5
OBJECT_POINTS = 2000
MINUTE_MS = 60_000
DAY_MS = 86_400_000

Timed = Callable[[int], float]
"""Points a second of round k."""


def run(series: int, say: Callable[[str], None]) -> dict[str, Any]:
    """Return points a second and bytes a series; peers are timed on one object, the best case for them."""
    say(f"warming the bank and the suite with {WARM} and {WARM_HOURS} samples of {series:,} series")
    contenders: dict[str, Timed] = {
        "bank": _bank(series),
        "suite": _suite(series),
        "suite-on-river-objects": _reference(),
        **{name: _peer(make) for name, make in RIVER.items()},
    }
    rounds = []
    for k in range(ROUNDS):
        say(f"round {k + 1} of {ROUNDS}")
        rounds.append({name: timed(k) for name, timed in contenders.items()})
    return {
        "series": series,
        "rounds": ROUNDS,
        "points_per_s": {name: round(median(each[name] for each in rounds)) for name in contenders},
        "bytes_per_series": {"bank": BYTES_PER_SERIES + STILL.itemsize, "suite": SUITE.itemsize},
        "suite_over_same_mathematics_on_river_objects": _ratio(rounds, "suite", ["suite-on-river-objects"]),
        "suite_over_fastest_peer": _ratio(rounds, "suite", list(RIVER)),
        "bank_over_fastest_peer": _ratio(rounds, "bank", list(RIVER)),
    }


def _ratio(rounds: list[dict[str, float]], ours: str, theirs: list[str]) -> dict[str, float]:
    ratios = [each[ours] / max(each[name] for name in theirs) for each in rounds]
    return {"median": round(median(ratios), 1), "lowest": round(min(ratios), 1)}


def _bank(series: int) -> Timed:
    rows, still, pools = allocate(series), blank(series), allocate_pools(100)
    number = np.arange(series, dtype=np.int32)
    rows["pool"] = number % 100
    pools.relative_floor[:] = 0.05

    def score(k: int, values: Any) -> None:
        ts_ms = np.full(series, (k + 1) * MINUTE_MS)
        note(still, number, ts_ms, values)
        judge(rows, pools, number, ts_ms, values)

    return _batches(series, WARM, score)


def _suite(series: int) -> Timed:
    bank = SuiteBank()
    number = np.arange(series, dtype=np.int32)
    # With each batch an hour ends for a sixth of the series, which is when the season learns.
    apart = number.astype(np.int64) % 6 * 10 * MINUTE_MS

    def score(k: int, values: Any) -> None:
        ts_ms = _ten_minutes(k)
        # Half of them have a daily shape, so that the season speaks, and half have none.
        values[::2] += 3.0 * math.sin(2.0 * math.pi * ts_ms / DAY_MS)
        bank.score(number, ts_ms + apart, values)

    return _batches(series, WARM_HOURS, score)


def _ten_minutes(k: int) -> int:
    """Return the time of the suite's k-th sample: while it is warmed an hour apart, then ten minutes."""
    return 60 * MINUTE_MS * min(k + 1, WARM_HOURS) + 10 * MINUTE_MS * max(k + 1 - WARM_HOURS, 0)


def _batches(series: int, warm: int, score: Callable[[int, Any], None]) -> Timed:
    rng = np.random.default_rng(2)

    def timed(k: int) -> float:
        values = 20 + rng.standard_normal(series)
        begin = process_time()
        score(k, values)
        return series / (process_time() - begin)

    for k in range(warm):
        timed(k)
    return lambda k: timed(warm + k)


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
            reference.learn_one({"ts_ms": _ten_minutes(k * count + n), "value": value})
        return count / (process_time() - begin)

    timed(0)
    return lambda k: timed(k + 1)

import numpy as np
import pytest

from detectors import Detector, LogBatch
from detectors.anomaly import Family
from detectors.logs.missing import WINDOW_MS, Missing

TICK_MS = 15_000
STEPS = ("query route by id", "read route from table", "answer with route")


def lines(minutes, rate, last_step_until_min):
    """Requests of which each says three lines; the last is left out from some minute on."""
    rng = np.random.default_rng(7)
    rows = []
    for tick in range(minutes * 4):
        end_min = (tick + 1) / 4
        for _ in range(rng.poisson(rate(end_min))):
            ts = tick * TICK_MS + int(rng.integers(1, TICK_MS))
            steps = STEPS if end_min <= last_step_until_min else STEPS[:2]
            rows += [(ts, f"{step} {rng.integers(1e6)}") for step in steps]
    return rows


def anomalies(rows, until_min):
    detector = Detector("rail")
    batch = LogBatch(
        ts_ms=[ts for ts, _ in rows],
        service=["route"] * len(rows),
        instance=[None] * len(rows),
        severity=["INFO"] * len(rows),
        body=[body for _, body in rows],
    )
    detector.observe_logs(batch)
    return [a for tick in detector.advance(until_min * 60_000) for a in tick.anomalies]


def missing(said):
    return [a for a in said if a.signal.family is Family.FLOW and a.direction == "up"]


def test_a_line_that_stays_away_while_its_siblings_go_on_is_news():
    found = missing(anomalies(lines(66, lambda minute: 10, 60), 66))
    assert {a.signal.metric for a in found} == {"log.missing answer with route <*>"}
    worst = max(found, key=lambda a: a.score)
    assert worst.score > 4.0
    assert worst.observed > 90.0
    assert worst.onset_ms >= 58 * 60_000


def test_fewer_requests_break_no_path():
    found = missing(anomalies(lines(66, lambda minute: 12 if minute <= 60 else 3, 99), 66))
    assert [a for a in found if a.score > 2.0] == []


@pytest.mark.parametrize("cut", [3, 41])
def test_a_restart_goes_on_with_the_same_proportions(cut):
    rng = np.random.default_rng(3)
    ticks = [{1: int(n), 2: int(n), 3: int(n) // 2} for n in rng.poisson(12, size=80)]

    def run(state, part, first):
        return [
            said
            for k, counts in enumerate(part, start=first)
            for said in state.take(counts, (1, 2, 3), (k + 1) * TICK_MS)
        ]

    whole = run(Missing(), ticks, 0)
    state = Missing()
    before = run(state, ticks[:cut], 0)
    assert before + run(Missing.restore(state.dump()), ticks[cut:], cut) == whole
    assert len(whole) > 60


def test_a_hole_in_the_recording_is_no_missing_line():
    state = Missing()
    for k in range(40):
        list(state.take({1: 10, 2: 10}, (1, 2), (k + 1) * TICK_MS))
    later_ms = 41 * TICK_MS + 3_600_000
    assert list(state.take({1: 10}, (1, 2), later_ms)) == []
    assert WINDOW_MS > TICK_MS

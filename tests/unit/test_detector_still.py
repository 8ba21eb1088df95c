"""An exporter that is stuck goes on sending its last values: ordinary ones, which no level finds."""

import numpy as np
import pytest

from correlator.evidence_window import EvidenceWindow
from correlator.service_evidence import FLOOR, weigh
from detectors import Detector, SampleBatch, Series
from detectors.anomaly import Family

STEP = 15_000
CPU = Series("shop", "cpu_usage_pct", "pod-1", unit="%")
MEMORY = Series("shop", "memory_usage_bytes", "pod-1", unit="By")
OTHER = Series("shop", "cpu_usage_pct", "pod-2", unit="%")
LATENCY = Series("shop", "latency_p95_s", "pod-1", unit="s")
REQUESTS = Series("shop", "requests_per_s", "pod-1", unit="1/s")
STUCK_AT, MOVES_AT, END = 400, 460, 500


def noise(seed, level=50.0):
    return level + np.random.default_rng(seed).standard_normal(END)


def stuck(column):
    column = column.copy()
    column[STUCK_AT:MOVES_AT] = column[STUCK_AT]
    return column


def told(columns, *, restart=False):
    detector = Detector("shop")
    for series, column in columns.items():
        number = detector.catalog.intern(series)
        ts = (np.arange(len(column), dtype=np.int64) + 1) * STEP
        detector.observe(SampleBatch(ts, np.full(len(ts), number, np.int32), column))
    ticks = []
    for until in range(1, END + 2):
        ticks += detector.advance(until * STEP)
        if restart and until == STUCK_AT + 30:
            detector = Detector.load(detector.dump())
    return [a for tick in ticks for a in tick.anomalies if a.signal.family is Family.FROZEN]


def test_a_stuck_sensor_is_told_once_and_dated_to_the_first_of_the_equal_values():
    said = told({CPU: stuck(noise(1)), OTHER: noise(2)})
    assert {(a.signal.metric, a.signal.instance, a.member) for a in said} == {
        ("cpu_usage_pct", "pod-1", "still")
    }
    assert len({a.id for a in said}) == 1
    assert said[0].onset_ms == (STUCK_AT + 1) * STEP
    assert said[0].ts_ms - said[0].onset_ms <= 7 * 60_000
    assert (said[0].direction, said[0].signal.unit) == ("up", "s")
    assert said[0].observed == (said[0].ts_ms - said[0].onset_ms) / 1000
    assert [a.status for a in said].count("closed") == 1
    assert said[-1].status == "closed"
    assert said[-1].ts_ms <= (MOVES_AT + 1) * STEP + 60_000


def test_an_exporter_with_many_stuck_series_is_one_anomaly():
    said = told({CPU: stuck(noise(1)), MEMORY: stuck(noise(3, 5e8)), OTHER: noise(2)})
    assert len({a.id for a in said}) == 1


def test_a_series_that_often_repeats_itself_may_stand_still():
    assert told({CPU: stuck(np.round(noise(1)))}) == []


def test_a_value_that_a_slow_exporter_repeats_is_not_stuck():
    assert told({CPU: np.repeat(noise(1)[: END // 20], 20)}) == []


@pytest.mark.parametrize(("requests", "is_told"), [(20.0, True), (0.0, False)])
def test_a_latency_stands_still_while_nobody_asks(requests, is_told):
    load = np.abs(noise(4, 20.0))
    load[STUCK_AT:MOVES_AT] *= requests / 20.0
    said = told({LATENCY: stuck(0.1 + 0.001 * noise(1)), REQUESTS: load})
    assert bool(said) is is_told


def test_a_restart_in_the_midst_of_it_changes_nothing():
    columns = {CPU: stuck(noise(1)), OTHER: noise(2)}
    assert told(columns, restart=True) == told(columns)


def test_a_stuck_exporter_is_no_harm():
    said = told({CPU: stuck(noise(1)), OTHER: noise(2)})
    window = EvidenceWindow()
    for each in said[:-1]:
        window.add_anomaly(each)
    found = weigh(window.episodes["shop"].values(), 0, END * STEP)
    assert max(a.score for a in said) > 2 * FLOOR
    assert found["shop"].excess == 0

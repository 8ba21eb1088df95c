"""What a metric without a unit means is read off its values: an outage must not shrink with its exporter."""

import numpy as np
import pytest

from detectors import Detector, Kind, SampleBatch, Series

MINUTE = 60_000
MINUTES = 100
BROKEN = 90


def worst(series, column, others=(), scatter=0.002):
    """The strongest anomaly of `db` when its series steps at `BROKEN`, among three calm services."""
    rng = np.random.default_rng(4)
    detector = Detector("shop")
    fleet = [(series, column)]
    for k in range(3):
        calm = np.asarray(column[:BROKEN].mean() * (1 + scatter * rng.standard_normal(len(column))))
        fleet.append((series._replace(service=f"calm{k}"), np.minimum(calm, column[:BROKEN].max())))
    for each, values in [*fleet, *others]:
        number = detector.catalog.intern(each)
        ts = (np.arange(len(values), dtype=np.int64) + 1) * MINUTE
        detector.observe(SampleBatch(ts, np.full(len(ts), number, np.int32), np.asarray(values, float)))
    said = [a for tick in detector.advance((len(column) + 3) * MINUTE) for a in tick.anomalies]
    return max((a for a in said if a.service == "db"), key=lambda a: a.score, default=None)


def steps(before, after, scatter, seed=3):
    rng = np.random.default_rng(seed)
    column = np.r_[np.full(BROKEN, before), np.full(MINUTES - BROKEN, after)]
    return column + scatter * rng.standard_normal(MINUTES)


@pytest.mark.parametrize("metric", ["success_rate", "availability", "SuccessRate", "sr"])
def test_a_success_rate_without_a_unit_is_as_loud_of_one_as_of_a_hundred(metric):
    share = np.minimum(steps(0.995, 0.8, 0.002), 1.0)
    of_one = worst(Series("db", metric, "pod"), share)
    of_hundred = worst(Series("db", metric, "pod"), 100 * share)
    assert of_one.score == pytest.approx(of_hundred.score, rel=0.02)
    assert of_one.score > 3
    assert (of_one.direction, of_one.signal.unit, of_hundred.signal.unit) == ("up", "1", "%")
    assert of_one.observed == pytest.approx(0.8, abs=0.05)
    assert of_hundred.expected == pytest.approx(99.5, abs=0.5)


def test_an_error_rate_without_a_unit_is_loud_though_nobody_ever_failed_before():
    found = worst(Series("db", "error_rate"), np.r_[np.zeros(BROKEN), np.full(10, 0.3)])
    assert found.score > 5
    assert (found.observed, found.signal.unit) == (pytest.approx(0.3), "1")


def test_a_flicker_of_an_error_rate_in_per_cent_is_no_outage():
    """Of a hundred: two pods that have failed in per cent show that 0.4 is not two fifths of all requests."""
    rng = np.random.default_rng(5)
    others = [
        (Series(f"busy{k}", "error_rate"), np.abs(3 + 0.3 * rng.standard_normal(MINUTES))) for k in range(2)
    ]
    column = np.r_[np.full(BROKEN, 0.1), np.full(10, 0.4)]
    found = worst(Series("db", "error_rate"), column, others)
    assert found is None or found.score < 2


@pytest.mark.parametrize("per_event", [1.0, 1 / 60])
def test_failures_of_no_stated_kind_are_as_loud_as_a_count_and_as_a_rate(per_event):
    rng = np.random.default_rng(6)
    column = np.r_[rng.poisson(0.3, BROKEN), rng.poisson(15.0, 10)] * per_event
    found = worst(Series("db", "errors"), column)
    assert found.score > 4
    assert found.observed == pytest.approx(15 * per_event, rel=0.7)


def test_failures_in_a_counter_are_judged_as_events_not_as_events_a_second():
    rng = np.random.default_rng(6)
    total = np.cumsum(np.r_[rng.poisson(0.3, BROKEN), rng.poisson(15.0, 10)])
    found = worst(Series("db", "failures_total", kind=Kind.COUNTER), total)
    assert found.score > 4
    assert found.observed == pytest.approx(15 / 60, rel=0.7)


def test_latency_without_a_unit_is_in_milliseconds_where_it_is_usually_above_five():
    rng = np.random.default_rng(7)
    others = [(Series(f"web{k}", "rt"), 80 * np.exp(0.05 * rng.standard_normal(MINUTES))) for k in range(6)]
    ordinary = np.exp(0.05 * rng.standard_normal(MINUTES))
    slow = worst(Series("db", "rt"), 60 * np.where(np.arange(MINUTES) < BROKEN, 1, 3) * ordinary, others)
    assert slow.score > 3
    assert slow.signal.unit == "ms"
    risen = 0.2 * np.where(np.arange(MINUTES) < BROKEN, 1, 1.5) * ordinary
    assert worst(Series("db", "rt"), risen, others, scatter=0.05) is None
    assert worst(Series("db", "rt", unit="s"), risen, scatter=0.05).score > 3


def test_a_share_that_turns_out_to_be_of_a_hundred_begins_anew_and_raises_nothing():
    column = np.r_[np.full(30, 0.9), 99 + 0.1 * np.random.default_rng(8).standard_normal(60)]
    detector = Detector("shop")
    number = detector.catalog.intern(Series("db", "success_rate"))
    ts = (np.arange(len(column), dtype=np.int64) + 1) * MINUTE
    detector.observe(SampleBatch(ts, np.full(len(ts), number, np.int32), column))
    assert [tick.anomalies for tick in detector.advance(100 * MINUTE)] == []

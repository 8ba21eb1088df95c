"""One knob, bounded memory, and what tells traffic from work: promises of the fleet's detector."""

import numpy as np
import pytest

from detectors import Detector, DetectorConfig, LogBatch, SampleBatch, Series
from detectors.pipeline import CATALOG_TIMES

MINUTE = 60_000


def feed(detector, series, column, start=0):
    number = detector.catalog.intern(series)
    ts = (start + np.arange(len(column), dtype=np.int64) + 1) * MINUTE
    detector.observe(SampleBatch(ts, np.full(len(column), number, np.int32), np.asarray(column, float)))


def said(detector, until=10_000):
    return [a for tick in detector.advance(until * MINUTE) for a in tick.anomalies]


def spiky(config):
    """Four quiet series, a fault in one, an edge that slows down, and errors in a log."""
    rng = np.random.default_rng(1)
    detector = Detector("shop", config)
    for k in range(4):
        column = 20 + rng.standard_normal(120)
        column[90:100] += 9.0 * (k == 0)
        feed(detector, Series(f"s{k}", "cpu", unit="%"), column)
        slow = 0.1 * np.exp(0.05 * rng.standard_normal(120))
        slow[90:100] *= 1.0 + (k == 1)
        feed(detector, Series(f"s{k}", "client_latency_s", peer="db", unit="s"), slow)
    lines = [(t * 15_000 + 1, "ok") for t in range(480)] + [(90 * MINUTE + k, "ERROR x") for k in range(600)]
    detector.observe_logs(
        LogBatch([t for t, _ in lines], ["s0"] * len(lines), [None] * len(lines), [None] * len(lines),
                 [body for _, body in lines])
    )  # fmt: skip
    return said(detector, 130)


def strongest(anomalies):
    """Strongest score of each signal class."""
    return {s: max((a.peak_score for a in anomalies if a.signal.source == s), default=0.0)
            for s in ("metric", "edge", "log")}  # fmt: skip


def test_a_tenth_of_the_budget_asks_for_ten_times_as_rare():
    usual, strict = strongest(spiky(DetectorConfig())), strongest(spiky(DetectorConfig(alert_budget=0.025)))
    for source, score in usual.items():
        assert score > 3
        assert strict[source] == pytest.approx(score - 1, abs=0.002)


def test_a_smaller_budget_says_less():
    counts = [len({a.id for a in spiky(DetectorConfig(alert_budget=b))}) for b in (2.5, 0.25, 2.5e-3, 2.5e-9)]
    assert counts == sorted(counts, reverse=True)
    assert counts[0] > counts[-1]


def test_each_signal_class_may_have_its_own_budget():
    usual = strongest(spiky(DetectorConfig()))
    strict = strongest(spiky(DetectorConfig(alert_budget_edges=0.025, alert_budget_logs=0.0025)))
    assert strict["metric"] == usual["metric"]
    assert strict["edge"] == pytest.approx(usual["edge"] - 1, abs=0.002)
    assert strict["log"] == pytest.approx(usual["log"] - 2, abs=0.002)


@pytest.mark.parametrize("budget", [0.0, -1.0, float("nan"), float("inf")])
def test_a_budget_that_nobody_can_keep_is_refused(budget):
    with pytest.raises(ValueError, match="budget"):
        DetectorConfig(alert_budget=budget)
    with pytest.raises(ValueError, match="budget"):
        DetectorConfig(alert_budget_logs=budget)


def churn(detector, visitors, start=0):
    """One series that stays, and others that come for a minute each."""
    for minute in range(start, start + visitors):
        feed(detector, Series("stays", "cpu"), [20.0], minute)
        feed(detector, Series("shop", "cpu", f"pod-{minute}"), [20.0], minute)
        detector.advance((minute + 1) * MINUTE)


def test_series_that_went_away_leave_the_catalog_too():
    detector = Detector("shop", DetectorConfig(max_series=16))
    number = detector.catalog.intern(Series("stays", "cpu"))
    churn(detector, 500)
    assert detector.catalog.living <= CATALOG_TIMES * 16 + 1
    assert detector.catalog.generation > 0
    assert detector.catalog.intern(Series("stays", "cpu")) == number
    back = detector.catalog.intern(Series("shop", "cpu", "pod-1"))
    assert back >= 500
    again = Detector.load(detector.dump())
    assert again.dump() == detector.dump()
    assert again.catalog.living == detector.catalog.living


def test_a_sample_of_a_retired_number_is_ignored():
    detector = Detector("shop", DetectorConfig(max_series=16))
    churn(detector, 200)
    retired = next(n for n in range(len(detector.catalog)) if n not in detector.catalog)
    before = detector.catalog.living
    detector.observe(SampleBatch(np.array([250 * MINUTE]), np.array([retired], np.int32), np.array([1e9])))
    assert detector.advance(260 * MINUTE) == []
    assert detector.catalog.living == before
    with pytest.raises(KeyError, match="retired"):
        detector.catalog[retired]


def test_who_has_the_most_series_is_named():
    detector = Detector("shop")
    assert detector.largest == ("", "", 0)
    for user in range(50):
        feed(detector, Series("cart", "requests", labels=f"user={user}"), [1.0])
    feed(detector, Series("web", "requests"), [1.0])
    detector.advance(5 * MINUTE)
    assert detector.largest == ("cart", "requests", 50)


def busy(load_factor, cpu_factor):
    """A service whose requests and use of CPU rise at minute 90."""
    rng = np.random.default_rng(2)
    detector = Detector("shop")
    for k in range(4):
        rise = np.where(np.arange(120) >= 90, 1.0, 0.0) * (k == 0)
        noise = np.exp(0.03 * rng.standard_normal((2, 120)))
        feed(
            detector, Series(f"s{k}", "requests", unit="1/s"), 100 * (1 + rise * (load_factor - 1)) * noise[0]
        )
        feed(detector, Series(f"s{k}", "cpu", unit="%"), 20 * (1 + rise * (cpu_factor - 1)) * noise[1])
    return [a for a in said(detector, 95) if a.service == "s0" and a.signal.metric == "cpu"]


def test_use_that_rose_with_traffic_is_told_apart_from_use_per_request():
    with_traffic, alone = busy(3.0, 3.0), busy(1.0, 3.0)
    assert max(a.score for a in with_traffic) > 3
    assert max(a.score for a in alone) > 3
    assert {round(a.load_ratio) for a in with_traffic} == {3}
    assert {round(a.load_ratio) for a in alone} == {1}


def test_without_a_count_of_requests_nothing_is_said_about_traffic():
    detector = Detector("shop")
    rng = np.random.default_rng(3)
    for k in range(4):
        feed(
            detector,
            Series(f"s{k}", "cpu", unit="%"),
            20 + rng.standard_normal(60) + 30.0 * (np.arange(60) > 50),
        )
    anomalies = said(detector, 60)
    assert anomalies
    assert {a.load_ratio for a in anomalies} == {None}


def test_what_decoders_know_of_numbers_is_forgotten_when_series_are_retired():
    from streams.wire.telemetry import TelemetryBuilder

    class Numbers:
        pass

    detector = Detector("shop", DetectorConfig(max_series=16))
    builder = TelemetryBuilder(lambda domain: detector.catalog)
    builder.number("shop", Series("stays", "cpu"))
    before = builder.cache(Numbers)
    assert builder.cache(Numbers) is before
    churn(detector, 200)
    assert builder.cache(Numbers) is not before

import numpy as np
import pytest

from detectors import Detector, Kind, SampleBatch, Series

MINUTE = 60_000


def run(values):
    """One sample a minute; a list of (series, column)."""
    detector = Detector("shop")
    for series, column in values.items():
        number = detector.catalog.intern(series)
        ts = (np.arange(len(column), dtype=np.int64) + 1) * MINUTE
        detector.observe(SampleBatch(ts, np.full(len(column), number, np.int32), np.asarray(column, float)))
    ticks = detector.advance(200 * MINUTE)
    return detector, [anomaly for tick in ticks for anomaly in tick.anomalies], ticks


def test_failures_are_also_judged_as_a_share_of_requests():
    rng = np.random.default_rng(1)
    calls = 1000 + 30 * rng.standard_normal(100)
    errors = rng.poisson(3, 100).astype(float)
    errors[80:] = 400
    edge = Series("shop", "calls", peer="cart", kind=Kind.DELTA)
    _, anomalies, _ = run({edge: calls, edge._replace(metric="errors"): errors})
    share = [a for a in anomalies if a.signal.metric == "errors per calls"]
    assert share
    assert share[-1].signal.family == "error"
    assert share[-1].signal.unit == "%"
    assert abs(share[-1].observed - 40) < 4


def test_failures_that_grow_with_traffic_keep_their_share():
    rng = np.random.default_rng(2)
    calls = 1000 + 30 * rng.standard_normal(100)
    calls[80:] *= 10
    errors = rng.poisson(calls * 0.03).astype(float)
    edge = Series("shop", "calls", peer="cart", kind=Kind.DELTA)
    _, anomalies, _ = run({edge: calls, edge._replace(metric="errors"): errors})
    assert any(a.signal.metric == "calls" and a.score > 3 for a in anomalies)
    assert not [a for a in anomalies if a.signal.metric == "errors per calls" and a.score > 2]


@pytest.mark.parametrize(
    ("total", "count"),
    [
        ("http_server_requests_seconds_sum", "http_server_requests_seconds_count"),
        ("istio_request_duration_milliseconds_sum", "istio_request_duration_milliseconds_count"),
        ("requestDurationSum", "requestDurationCount"),
    ],
)
def test_a_slow_service_with_fewer_requests_is_slow_though_only_sum_and_count_are_emitted(total, count):
    rng = np.random.default_rng(6)
    requests = rng.poisson(600, 100).astype(float)
    requests[90:] /= 4
    usual = 50.0 if "milli" in total else 0.05
    took = requests * usual * np.exp(0.03 * rng.standard_normal(100))
    took[90:] *= 4
    series = Series("shop", total, "pod-0", kind=Kind.COUNTER)
    column = {series: np.cumsum(took), series._replace(metric=count): np.cumsum(requests)}
    _, anomalies, _ = run(column)
    slow = [a for a in anomalies if a.signal.family == "latency"]
    assert max(a.score for a in slow) > 3
    assert slow[-1].observed == pytest.approx(4 * usual, rel=0.2)


def test_instances_are_judged_together_too():
    rng = np.random.default_rng(3)
    values = {
        Series("shop", "cpu_usage_pct", f"pod-{k}", unit="%"): 20 + rng.standard_normal(120) for k in range(4)
    }
    for column in values.values():
        column[100:] += 20
    _, anomalies, _ = run(values)
    assert {a.signal.instance for a in anomalies if a.score > 3} == {None, "pod-0", "pod-1", "pod-2", "pod-3"}


def test_one_of_many_instances_must_deviate_more():
    def peak(instances):
        rng = np.random.default_rng(4)
        values = {
            Series("shop", "cpu_usage_pct", f"pod-{k}", unit="%"): 20 + rng.standard_normal(120)
            for k in range(instances)
        }
        values[Series("shop", "cpu_usage_pct", "pod-0", unit="%")][100:] += 30
        return max(a.peak_score for a in run(values)[1] if a.signal.instance == "pod-0")

    assert peak(10) < peak(1)


def test_the_rate_of_a_counter_is_reported_per_second():
    rng = np.random.default_rng(5)
    seconds = (6 + 0.2 * rng.standard_normal(120)).clip(0)
    seconds[100:] = 50
    _, anomalies, _ = run(
        {
            Series(
                "shop", "container_cpu_usage_seconds_total", "a", unit="s", kind=Kind.COUNTER
            ): seconds.cumsum()
        }
    )
    worst = max(anomalies, key=lambda a: a.score)
    assert worst.signal.unit == "s/s"
    assert abs(worst.observed - 50 / 60) < 0.01


def test_edges_are_reported_at_first_sight_and_every_five_minutes():
    edge = Series("shop", "calls", peer="cart", kind=Kind.DELTA)
    _, _, ticks = run({edge: np.full(11, 5.0)})
    seen = [(each.caller, each.callee, each.ts_ms // MINUTE) for tick in ticks for each in tick.edges]
    assert seen == [("shop", "cart", 1), ("shop", "cart", 6), ("shop", "cart", 11)]


def test_beyond_the_limit_the_idlest_series_are_evicted_and_counted():
    from detectors import DetectorConfig

    detector = Detector("shop", DetectorConfig(max_series=32))
    for k in range(100):
        number = detector.catalog.intern(Series(f"s{k}", "cpu"))
        detector.observe(SampleBatch(np.array([(k + 1) * MINUTE]), np.array([number], np.int32), np.ones(1)))
    detector.advance(200 * MINUTE)
    assert detector.evicted == 68
    assert Detector.load(detector.dump()).dump() == detector.dump()


def test_more_newcomers_than_rows_in_one_tick_are_refused_and_counted():
    from detectors import DetectorConfig

    detector = Detector("shop", DetectorConfig(max_series=16))
    numbers = np.array([detector.catalog.intern(Series(f"s{k}", "cpu")) for k in range(40)], np.int32)
    for minute in range(1, 4):
        detector.observe(SampleBatch(np.full(40, minute * MINUTE), numbers, np.ones(40)))
    detector.advance(10 * MINUTE)
    assert detector.refused >= 24
    assert Detector.load(detector.dump()).dump() == detector.dump()


def test_an_evicted_series_that_returns_is_judged_in_a_row_of_its_own():
    from detectors import DetectorConfig

    rng = np.random.default_rng(1)
    detector = Detector("shop", DetectorConfig(max_series=16))
    busy = detector.catalog.intern(Series("busy", "cpu"))
    for minute in range(1, 120):
        visitor = detector.catalog.intern(Series(f"s{minute % 40}", "cpu"))
        detector.observe(
            SampleBatch(
                np.full(2, minute * MINUTE),
                np.array([busy, visitor], np.int32),
                np.array([20 + rng.standard_normal(), 1e6 * rng.random()]),
            )
        )
    said = [a for tick in detector.advance(130 * MINUTE) for a in tick.anomalies if a.score > 3]
    assert said == []
    assert detector.evicted > 50

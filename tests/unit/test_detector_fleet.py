"""What is known only by looking at a service as a whole: versions side by side, and silence."""

import numpy as np
import pytest

from detectors import Detector, SampleBatch, Series

MINUTE = 60_000


def feed(detector, series, column, start=0):
    number = detector.catalog.intern(series)
    ts = (start + np.arange(len(column), dtype=np.int64) + 1) * MINUTE
    detector.observe(SampleBatch(ts, np.full(len(column), number, np.int32), np.asarray(column, float)))


def said(detector, until):
    return [a for tick in detector.advance(until * MINUTE) for a in tick.anomalies]


def rollout(new_factor, seed=1):
    """Three pods of v1 for 90 minutes; from minute 60 a fourth runs v2."""
    rng = np.random.default_rng(seed)
    detector = Detector("shop")
    for pod in range(3):
        feed(
            detector,
            Series("shop", "latency_p95_s", f"a{pod}", unit="s", version="v1"),
            0.1 * np.exp(0.05 * rng.standard_normal(90)),
        )
    feed(
        detector,
        Series("shop", "latency_p95_s", "b0", unit="s", version="v2"),
        new_factor * 0.1 * np.exp(0.05 * rng.standard_normal(30)),
        start=60,
    )
    return said(detector, 95)


def test_a_slower_new_version_is_seen_against_the_old_one_at_the_same_time():
    against = [a for a in rollout(3.0) if "against=v1" in a.signal.labels]
    worst = max(against, key=lambda a: a.score)
    assert worst.score > 3
    assert (worst.signal.version, worst.signal.instance, worst.direction) == ("v2", None, "up")
    assert worst.observed == pytest.approx(3, rel=0.3)
    assert worst.expected == pytest.approx(1, rel=0.05)
    assert worst.signal.family == "latency"


def test_a_new_version_that_behaves_like_the_old_one_is_silent():
    assert [a for a in rollout(1.0) if a.score > 2.5] == []


def test_a_new_version_is_not_judged_while_it_warms_up():
    against = [a for a in rollout(3.0) if "against=v1" in a.signal.labels]
    assert min(a.first_ms for a in against) >= 62 * MINUTE


def silent_fleet(stops_at, services=4, dies=("s0",)):
    rng = np.random.default_rng(2)
    detector = Detector("shop")
    for k in range(services):
        length = stops_at if f"s{k}" in dies else 120
        feed(detector, Series(f"s{k}", "cpu", f"pod-{k}", unit="%"), 20 + rng.standard_normal(length))
        feed(detector, Series(f"s{k}", "mem", f"pod-{k}", unit="%"), 50 + rng.standard_normal(length))
    return detector


def test_a_service_that_stops_while_others_speak_is_stale():
    anomalies = [a for a in said(silent_fleet(80), 120) if a.signal.family == "stale"]
    assert {a.service for a in anomalies} == {"s0"}
    assert len({a.id for a in anomalies}) == 1
    assert anomalies[0].score > 1.7
    assert anomalies[0].onset_ms == 80.5 * MINUTE
    assert 84 * MINUTE <= anomalies[0].ts_ms <= 86 * MINUTE


def test_a_service_that_speaks_again_closes_its_silence():
    detector = silent_fleet(80)
    feed(detector, Series("s0", "cpu", "pod-9", unit="%"), np.full(25, 20.0), start=95)
    stale = [a for a in said(detector, 120) if a.signal.family == "stale"]
    assert [a.status for a in stale][-1] == "closed"
    assert stale[-1].ts_ms <= 97 * MINUTE


def test_when_all_fall_silent_it_is_the_telemetry_that_failed():
    detector = silent_fleet(80, dies=("s0", "s1", "s2"))
    assert [a for a in said(detector, 120) if a.signal.family == "stale"] == []


def test_a_rolled_pod_is_no_silence():
    detector = silent_fleet(80)
    for metric in ("cpu", "mem"):
        feed(detector, Series("s0", metric, "pod-new", unit="%"), np.full(40, 20.0), start=80)
    assert [a for a in said(detector, 120) if a.signal.family == "stale"] == []


def test_silence_survives_a_restart():
    whole = silent_fleet(80)
    expected = said(whole, 120)
    first = silent_fleet(80)
    head = said(first, 90)
    second = Detector.load(first.dump())
    assert head + said(second, 120) == expected

import numpy as np
import pytest

from detectors import Detector, Kind, SampleBatch, Series
from detectors.state import pack

MINUTE = 60_000


def columns(rng, services=4, minutes=90, metric="cpu_usage_pct", unit="%"):
    """A quiet fleet: level 20, spread 1, one sample a minute."""
    return {
        Series(f"service-{k}", metric, f"pod-{k}", unit=unit): 20 + rng.standard_normal(minutes)
        for k in range(services)
    }


def batch(detector, values, start_ms=0, step_ms=MINUTE):
    ts, ids, xs = [], [], []
    for series, column in values.items():
        number = detector.catalog.intern(series)
        for k, x in enumerate(column):
            ts.append(start_ms + (k + 1) * step_ms)
            ids.append(number)
            xs.append(x)
    return SampleBatch(np.array(ts, np.int64), np.array(ids, np.int32), np.array(xs, float))


def run(values, step_ms=MINUTE):
    detector = Detector("shop")
    detector.observe(batch(detector, values, step_ms=step_ms))
    length = max(len(column) for column in values.values())
    ticks = detector.advance((length + 10) * step_ms)
    return detector, [anomaly for tick in ticks for anomaly in tick.anomalies]


def broken(rng, **kwargs):
    values = columns(rng, **kwargs)
    victim = next(iter(values))
    values[victim][70:76] += 40
    return victim, values


def test_a_quiet_fleet_is_silent():
    _, anomalies = run(columns(np.random.default_rng(1)))
    assert [a for a in anomalies if a.score > 3] == []


def test_a_step_is_one_episode_that_names_series_onset_and_values():
    victim, values = broken(np.random.default_rng(2))
    _, anomalies = run(values)
    strong = [a for a in anomalies if a.score > 3]
    assert {(a.service, a.signal.instance) for a in strong} == {(victim.service, victim.instance)}
    assert len({a.id for a in strong}) == 1
    last = strong[-1]
    assert last.direction == "up"
    assert last.observed > 55
    assert 18 < last.expected < 22
    assert (last.onset_ms, last.onset_uncertainty_ms) == (70.5 * MINUTE, 0.5 * MINUTE)
    assert last.sample == tuple(
        (k * MINUTE, pytest.approx(values[victim][k - 1], rel=1e-5)) for k in range(65, 77)
    ), "what it was before, and since"
    assert anomalies[-1].status == "closed"


def test_recovery_is_not_a_second_anomaly():
    victim, values = broken(np.random.default_rng(3), minutes=200)
    values[victim][70:150] += 40
    _, anomalies = run(values)
    assert {a.direction for a in anomalies if a.service == victim.service and a.peak_score > 3} == {"up"}


def test_a_success_rate_that_falls_is_an_error_that_rises():
    rng = np.random.default_rng(4)
    series = Series("shop", "request_success_rate", unit="%")
    column = 99.5 + 0.1 * rng.standard_normal(90)
    column[70:76] = 60
    _, anomalies = run({series: column})
    worst = max(anomalies, key=lambda a: a.score)
    assert (worst.direction, worst.observed) == ("up", 60)
    assert worst.signal.family == "error"


@pytest.mark.parametrize("poison", [np.nan, np.inf, -np.inf, 1e308])
def test_poison_leaves_no_trace(poison):
    victim, values = broken(np.random.default_rng(5))
    clean = run(values)[1]
    spoiled = {series: column.copy() for series, column in values.items()}
    detector = Detector("shop")
    detector.observe(batch(detector, spoiled))
    if not np.isfinite(poison):
        number = detector.catalog.intern(victim)
        detector.observe(
            SampleBatch(np.array([65 * MINUTE + 7]), np.array([number], np.int32), np.array([poison]))
        )
        ticks = detector.advance(100 * MINUTE)
        assert [a for tick in ticks for a in tick.anomalies] == clean
    else:
        spoiled[victim][30] = poison
        anomalies = run(spoiled)[1]
        assert any(a.service == victim.service and a.first_ms >= 70 * MINUTE for a in anomalies)


def test_a_constant_series_that_stays_constant_says_nothing():
    _, anomalies = run({Series("shop", "cpu", unit="%"): np.full(300, 7.0)})
    assert anomalies == []


def test_a_counter_reset_is_not_an_anomaly():
    rng = np.random.default_rng(6)
    growth = 600 + 20 * rng.standard_normal(200)
    total = growth.cumsum()
    total[120:] -= total[120] - 3
    _, anomalies = run({Series("shop", "http_requests_total", kind=Kind.COUNTER): total})
    assert [a for a in anomalies if a.score > 2] == []


def test_a_new_instance_inherits_the_baseline_of_its_service():
    rng = np.random.default_rng(7)
    old = Series("shop", "cpu_usage_pct", "pod-a", unit="%")
    new = old._replace(instance="pod-b")
    detector = Detector("shop")
    detector.observe(batch(detector, {old: 20 + rng.standard_normal(60)}))
    fresh = 20 + rng.standard_normal(10)
    fresh[3:] += 40
    detector.observe(batch(detector, {new: fresh}, start_ms=60 * MINUTE))
    said = [a for tick in detector.advance(80 * MINUTE) for a in tick.anomalies]
    assert any(a.signal.instance == "pod-b" and a.score > 3 for a in said)


@pytest.mark.parametrize("step_s", [5, 15, 60, 300])
def test_a_fault_is_seen_at_every_sampling_interval(step_s):
    rng = np.random.default_rng(8)
    length = 3600 * 3 // step_s if step_s < 300 else 100
    values = {Series(f"s{k}", "cpu", unit="%"): 20 + rng.standard_normal(length) for k in range(3)}
    start = length - max(600 // step_s, 3)
    values[Series("s0", "cpu", unit="%")][start:] += 30
    _, anomalies = run(values, step_ms=step_s * 1000)
    strong = [a for a in anomalies if a.score > 3]
    assert {a.service for a in strong} == {"s0"}
    delay_s = strong[0].ts_ms / 1000 - start * step_s
    assert delay_s <= max(2 * step_s, 60)


def test_a_restart_from_a_dump_continues_as_if_never_stopped():
    _, values = broken(np.random.default_rng(9))
    whole = Detector("shop")
    whole.observe(batch(whole, values))
    expected = whole.advance(100 * MINUTE)
    first = Detector("shop")
    first.observe(batch(first, values))
    head = first.advance(72 * MINUTE)
    second = Detector.load(first.dump())
    assert second.dump() == first.dump()
    assert head + second.advance(100 * MINUTE) == expected


@pytest.mark.parametrize(
    "spoil",
    [
        lambda b: b"",
        lambda b: b[: len(b) // 2],
        lambda b: b"XXXX" + b[4:],
        lambda b: b[:4] + b"\xff" + b[5:],
        lambda b: pack({"domain": "shop"}, {}),
    ],
    ids=["empty", "cut", "foreign", "version", "bare"],
)
def test_a_damaged_state_is_refused_and_what_to_do_is_said(spoil):
    detector, _ = run(columns(np.random.default_rng(10)))
    with pytest.raises(ValueError, match=r"state.*(start afresh|or none)$"):
        Detector.load(spoil(detector.dump()))


def test_late_samples_are_counted_and_change_nothing():
    detector, _ = run(columns(np.random.default_rng(11)))
    before = detector.dump()
    number = detector.catalog.intern(Series("service-0", "cpu_usage_pct", "pod-0", unit="%"))
    detector.observe(SampleBatch(np.array([5000]), np.array([number], np.int32), np.array([1e6])))
    assert detector.late == 1
    detector.late = 0
    assert detector.dump() == before


def nightly(days, peaks, seed=12):
    """Samples a minute over days; from 02:10 a job of half an hour, as high as that night's peak."""
    rng = np.random.default_rng(seed)
    column = 20 + rng.standard_normal(days * 1440)
    for day, peak in enumerate(peaks):
        column[day * 1440 + 130 : day * 1440 + 160] += peak
    # The fleet gives the pooled yardstick; its other members have no job.
    values = {Series(f"s{k}", "cpu", unit="%"): 20 + rng.standard_normal(days * 1440) for k in range(3)}
    values[Series("db", "cpu", unit="%")] = column
    _, anomalies = run(values)
    return [
        max(
            (a.score for a in anomalies if a.service == "db" and a.first_ms // (1440 * MINUTE) == day),
            default=0,
        )
        for day in range(days)
    ]


def test_a_nightly_job_is_news_for_two_nights_only():
    scores = nightly(5, [40, 40, 40, 40, 40])
    assert min(scores[:2]) > 8
    assert max(scores[2:]) < 4.5


def test_a_nightly_job_that_has_grown_is_news_again():
    scores = nightly(5, [20, 20, 20, 20, 90])
    assert max(scores[2:4]) < 4.5
    assert scores[4] > 6.5

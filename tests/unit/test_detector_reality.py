"""What telemetry does in real life: flapping, wraps, gaps, duplicates, other intervals, units and pods."""

import numpy as np
import pytest

from detectors import Detector, Kind, SampleBatch, Series

MINUTE = 60_000
HOURS = 60


def feed(detector, series, ts_ms, column):
    number = detector.catalog.intern(series)
    ts_ms = np.asarray(ts_ms, np.int64)
    detector.observe(SampleBatch(ts_ms, np.full(len(ts_ms), number, np.int32), np.asarray(column, float)))


def fleet(detector, minutes, seed=1, start=0):
    """Three ordinary services, so that pools know what is usual."""
    rng = np.random.default_rng(seed)
    ts = (start + np.arange(1, minutes + 1)) * MINUTE
    for k in range(3):
        feed(detector, Series(f"calm{k}", "cpu", "pod", unit="%"), ts, 20 + rng.standard_normal(minutes))


def said(detector, until, service="db"):
    ticks = detector.advance(until * MINUTE)
    return [a for tick in ticks for a in tick.anomalies if a.service == service]


def noisy(minutes, seed=2):
    return 20 + np.random.default_rng(seed).standard_normal(minutes)


def minutes_of(count):
    return np.arange(1, count + 1) * MINUTE


@pytest.mark.parametrize("period", [2, 4, 6])
def test_what_comes_half_an_hour_after_flapping_is_news_again(period):
    detector = Detector("shop")
    fleet(detector, 240)
    column = noisy(240)
    flapping = np.arange(120, 168)
    column[flapping[(flapping - 120) % period < period // 2]] += 60
    column[200:210] += 60
    feed(detector, Series("db", "cpu", "pod", unit="%"), minutes_of(240), column)
    first = {each.id: each.first_ms // MINUTE for each in said(detector, 250) if each.peak_score > 2}
    assert sorted(first.values()) == [121, 201]


@pytest.mark.parametrize(("lasts", "pause"), [(2, 3), (5, 4)])
def test_what_pauses_for_longer_than_it_lasted_or_three_minutes_is_two_anomalies(lasts, pause):
    detector = Detector("shop")
    fleet(detector, 200)
    column, again = noisy(200), 120 + lasts + pause
    column[[*range(120, 120 + lasts), *range(again, again + lasts)]] += 60
    feed(detector, Series("db", "cpu", "pod", unit="%"), minutes_of(200), column)
    first = {each.id: each.first_ms // MINUTE for each in said(detector, 205) if each.peak_score > 2}
    assert sorted(first.values()) == [121, again + 1]


def every_15_s(change):
    """Four hours of a calm series and its fleet; `change` alters what "db" shows."""
    detector, rng = Detector("shop"), np.random.default_rng(5)
    ts = np.arange(1, 961) * 15_000
    for k in range(4):
        column = 20 + rng.standard_normal(960)
        if k == 0:
            change(column)
        feed(detector, Series("db" if k == 0 else f"calm{k}", "cpu", "pod", unit="%"), ts, column)
    return [a for a in said(detector, 250) if a.peak_score > 2]


@pytest.mark.parametrize(("dip", "by_min"), [([15.5], 120.25), ([10.0] * 8, 121)], ids=["noise", "told"])
def test_a_dip_just_before_a_fault_does_not_hide_it(dip, by_min):
    def change(column):
        column[480 - len(dip) : 480] = dip
        column[480:560] += 60

    found = every_15_s(change)
    assert len({a.id for a in found if a.direction == "down"}) == (len(dip) > 1)
    up = [a for a in found if a.direction == "up"]
    assert len({a.id for a in up}) == 1
    assert up[0].ts_ms <= by_min * MINUTE
    assert max(a.score for a in up if a.ts_ms <= 123 * MINUTE) > 8
    assert abs(up[0].onset_ms - 120 * MINUTE) <= 15_000


def test_what_swings_back_after_a_fault_is_no_second_anomaly_and_adds_nothing_to_the_first():
    def change(column):
        column[480:520] += 12
        column[520:540] -= 8

    def fault_only(column):
        column[480:520] += 12

    alone = every_15_s(fault_only)
    both = every_15_s(change)
    assert {a.id for a in both} == {a.id for a in alone}
    assert max(a.peak_score for a in both) == max(a.peak_score for a in alone)
    assert both[-1].status == "closed"
    assert both[-1].score == 0


@pytest.mark.parametrize("lasts", [20, 40, 80, 160])
def test_the_return_to_a_level_from_before_is_no_second_anomaly_however_long_it_was_away(lasts):
    detector = Detector("shop")
    fleet(detector, 360)
    column = noisy(360)
    column[120 : 120 + lasts] += 60
    feed(detector, Series("db", "cpu", "pod", unit="%"), minutes_of(360), column)
    strong = [a for a in said(detector, 370) if a.score > 2]
    assert len({a.id for a in strong}) == 1


def test_the_drop_back_from_a_slow_rise_is_no_second_anomaly_though_it_is_the_rarer():
    detector = Detector("shop")
    fleet(detector, 390, seed=12)
    column = noisy(390, seed=52)
    column[120:180] += np.linspace(0, 15, 60)
    column[180:300] += 15
    feed(detector, Series("db", "cpu", "pod", unit="%"), minutes_of(390), column)
    assert {a.direction for a in said(detector, 400) if a.score > 2} == {"up"}


def test_a_counter_that_wraps_skips_one_step_and_says_nothing():
    detector = Detector("shop")
    fleet(detector, 120)
    total = (np.cumsum(np.full(120, 9e7)) + 2**31) % 2**32
    assert (np.diff(total) < 0).any()
    feed(detector, Series("db", "requests_total", "pod", kind=Kind.COUNTER), minutes_of(120), total)
    assert said(detector, 125) == []


def test_a_delta_is_what_happened_in_the_interval_and_no_rate_is_taken_of_it():
    detector = Detector("shop")
    fleet(detector, 100)
    column = np.r_[np.full(90, 50.0), np.full(10, 900.0)]
    feed(detector, Series("db", "failures", "pod", kind=Kind.DELTA), minutes_of(100), column)
    worst = max(said(detector, 105), key=lambda a: a.score)
    assert worst.observed == pytest.approx(900, rel=0.01)
    assert worst.expected == pytest.approx(50, rel=0.05)


def test_a_gap_is_not_an_anomaly_and_what_follows_is_compared_with_what_was():
    detector = Detector("shop")
    fleet(detector, 200)
    ts, column = minutes_of(200), noisy(200)
    column[170:] += 60
    kept = (np.arange(200) < 120) | (np.arange(200) >= 150)
    feed(detector, Series("db", "cpu", "pod", unit="%"), ts[kept], column[kept])
    strong = [a for a in said(detector, 205) if a.score > 3 and a.signal.family == "cpu"]
    assert min(a.first_ms for a in strong) == 171 * MINUTE


def test_duplicates_and_disorder_within_the_watermark_change_nothing():
    ts, column = minutes_of(120), noisy(120)
    column[100:110] += 60
    found = []
    for order in (np.arange(120), np.r_[np.arange(0, 120, 2), np.arange(1, 120, 2), np.arange(120)]):
        detector = Detector("shop")
        fleet(detector, 120)
        feed(detector, Series("db", "cpu", "pod", unit="%"), ts[order], column[order])
        found.append(said(detector, 125))
    assert found[0]
    assert found[0] == found[1]


@pytest.mark.parametrize(("before_s", "after_s"), [(15, 60), (60, 15), (60, 300)])
def test_another_sampling_interval_is_not_an_anomaly(before_s, after_s):
    detector = Detector("shop")
    fleet(detector, 360)
    ts = np.r_[
        np.arange(before_s, 3 * 3600 + 1, before_s), np.arange(3 * 3600 + after_s, 6 * 3600 + 1, after_s)
    ]
    column = 20 + np.random.default_rng(3).standard_normal(len(ts))
    feed(detector, Series("db", "cpu", "pod", unit="%"), ts * 1000, column)
    assert [a for a in said(detector, 370) if a.score > 3] == []


def test_a_jump_of_the_unit_is_one_episode_and_then_the_new_norm():
    detector = Detector("shop")
    fleet(detector, 300)
    column = noisy(300)
    column[120:] *= 1000  # seconds that became milliseconds, without telling
    feed(detector, Series("db", "cpu", "pod", unit="%"), minutes_of(300), column)
    strong = [a for a in said(detector, 310) if a.score > 3]
    assert len({a.id for a in strong}) == 1
    assert max(a.ts_ms for a in strong) <= 190 * MINUTE


def test_a_jump_of_the_unit_that_is_declared_is_another_series():
    detector = Detector("shop")
    fleet(detector, 300)
    column = noisy(300)
    feed(detector, Series("db", "latency", "pod", unit="s"), minutes_of(150), column[:150])
    feed(detector, Series("db", "latency", "pod", unit="ms"), minutes_of(300)[150:], 1000 * column[150:])
    assert [a for a in said(detector, 310) if a.score > 3] == []


def test_a_pod_that_is_sick_from_birth_is_seen_by_what_its_siblings_do():
    detector = Detector("shop")
    fleet(detector, 120)
    for pod in range(2):
        feed(detector, Series("db", "cpu", f"old-{pod}", unit="%"), minutes_of(120), noisy(120, seed=pod))
    feed(detector, Series("db", "cpu", "new", unit="%"), minutes_of(120)[100:], 60 + noisy(20, seed=9))
    sick = [a for a in said(detector, 125) if a.signal.instance == "new" and a.score > 3]
    assert min(a.ts_ms for a in sick) <= 104 * MINUTE


def test_a_service_without_a_past_is_measured_with_the_fleets_yardstick():
    detector = Detector("shop")
    fleet(detector, 140)
    column = noisy(40)
    column[20:] += 40  # twenty minutes after it was first seen
    feed(detector, Series("db", "cpu", "pod", unit="%"), minutes_of(140)[100:], column)
    strong = [a for a in said(detector, 145) if a.score > 3]
    assert min(a.ts_ms for a in strong) <= 124 * MINUTE
    assert max(abs(a.expected - 20) for a in strong) < 2


@pytest.mark.parametrize("shift_h", [-1, 1])
def test_a_nightly_job_is_known_on_the_night_the_clocks_change(shift_h):
    days, rng = 5, np.random.default_rng(4)
    detector = Detector("shop")
    fleet(detector, days * 24 * HOURS)
    column = 20 + rng.standard_normal(days * 1440)
    for day in range(days):
        begin = day * 1440 + 150 + (60 * shift_h if day == days - 1 else 0)
        column[begin : begin + 30] += 40
    feed(detector, Series("db", "cpu", "pod", unit="%"), minutes_of(days * 1440), column)
    anomalies = said(detector, days * 1440 + 5)
    assert max(a.score for a in anomalies if a.ts_ms < 1440 * MINUTE) > 8
    assert max((a.score for a in anomalies if a.ts_ms > 4 * 1440 * MINUTE), default=0.0) < 5.0


@pytest.mark.parametrize("step_s", [15, 60])
def test_a_fault_is_seen_half_an_hour_after_another_one(step_s):
    detector, a_minute = Detector("shop"), 60 // step_s
    count = 240 * a_minute
    rng, ts = np.random.default_rng(6), np.arange(1, count + 1) * step_s * 1000
    for k in range(4):
        column = 20 + rng.standard_normal(count)
        for begin in (120, 175):
            # The first is felt by half of all services, so that the yardstick of all could grow with it too.
            column[begin * a_minute : (begin + 20) * a_minute] += (
                60.0 if k == 0 or (k == 1 and begin == 120) else 0.0
            )
        feed(detector, Series("db" if k == 0 else f"calm{k}", "cpu", "pod", unit="%"), ts, column)
    worst = {120: 0.0, 175: 0.0}
    for each in said(detector, 245):
        for begin in worst:
            if begin * MINUTE < each.ts_ms <= (begin + 5) * MINUTE:
                worst[begin] = max(worst[begin], each.score)
    assert worst[120] > 8
    assert worst[175] > 4


def test_what_is_not_beyond_doubt_is_learned_in_full_and_is_no_news_the_next_time():
    detector, rng = Detector("shop"), np.random.default_rng(6)
    for k in range(4):
        column = 20 + rng.standard_normal(240)
        if k == 0:
            column[[*range(120, 140), *range(175, 195)]] += 8
        feed(
            detector, Series("db" if k == 0 else f"calm{k}", "cpu", "pod", unit="%"), minutes_of(240), column
        )
    peak = {a.id: a.peak_score for a in said(detector, 245)}
    assert 3 < max(peak.values()) < 6
    assert len(peak) == 1

import math

import numpy as np
import pytest

from detectors.online import CHECKS, Guarded, Reference, RiverAdapter, Suite, available
from detectors.suite import MEMBERS, SuiteBank
from detectors.suite.bank import VERSION
from detectors.suite.logarithm import ln

HOUR = 3_600_000
NAMES = sorted(available())


def signals():
    """Random and adversarial series: (name, ts_ms, value)."""
    rng = np.random.default_rng(1)
    n = 1500
    ts = (np.arange(n) + 1) * 600_000
    noise = rng.standard_normal(n)
    daily = 50 + 20 * np.sin(np.arange(n) * 2 * math.pi / 144) + noise
    broken = daily.copy()
    broken[900:940] += 80
    weekly = daily * np.where((np.arange(n) // 144) % 7 >= 5, 0.3, 1.0)
    gaps = ts + np.cumsum(rng.random(n) < 0.01) * 2 * HOUR
    poison = daily.copy()
    poison[rng.random(n) < 0.05] = np.nan
    poison[300] = np.inf
    huge = daily.copy()
    huge[700] = 1e300
    huge[701] = -1e300
    return {
        "noise": (ts, noise),
        "daily": (ts, daily),
        "broken": (ts, broken),
        "weekly": (ts * 6, weekly),
        "gaps": (gaps, daily),
        "poison": (ts, poison),
        "huge": (ts, huge),
        "steps": (ts, np.floor(rng.random(n) * 3)),
        "constant": (ts, np.full(n, 7.0)),
        "ramp": (ts, np.arange(n) * 1e6),
        "tiny": (ts, 1e-9 * noise),
        "stuck": (ts, np.where(np.arange(n) > 1000, daily[1000], daily)),
        "wakes": (ts * 6, np.where(np.arange(n) < 300, 5.0, 1e4 * weekly)),
        "back in time": (np.where(np.arange(n) % 50 == 9, 5, ts), daily),
    }


def bank_scores(ts, values):
    return SuiteBank().score(np.zeros(len(ts), np.int32), ts.astype(np.int64), values)


@pytest.mark.parametrize("name", signals())
def test_the_bank_equals_the_reference(name):
    ts, values = signals()[name]
    reference = Reference()
    expected = []
    for t, value in zip(ts, values, strict=True):
        sample = {"ts_ms": int(t), "value": float(value)}
        expected.append(reference.score_one(sample))
        reference.learn_one(sample)
    np.testing.assert_allclose(bank_scores(ts, values).score, expected, rtol=1e-6, atol=1e-9)


def test_the_order_of_series_and_batches_does_not_matter():
    series = [signals()[name] for name in ("daily", "broken", "gaps")]
    number = np.concatenate([np.full(len(ts), k, np.int32) for k, (ts, _) in enumerate(series)])
    ts = np.concatenate([ts for ts, _ in series]).astype(np.int64)
    values = np.concatenate([values for _, values in series])
    whole = SuiteBank().score(number, ts, values).score
    by_time = np.lexsort((number, ts))
    bank, parts = SuiteBank(), []
    for part in np.array_split(by_time, 7):
        parts.append(bank.score(number[part], ts[part], values[part]).score)
    np.testing.assert_array_equal(np.concatenate(parts), whole[by_time])


@pytest.mark.parametrize("count", [1, 7, 8, 16, 17, 45])
def test_what_is_said_of_a_series_does_not_depend_on_its_neighbours(count):
    """Samples are judged in blocks, which end at what teaches nothing and at a series that comes again."""
    rng = np.random.default_rng(count)
    n = 400
    ts = 600_000 * (np.arange(n)[:, None] + 1) + 60_000 * np.arange(count)
    values = 50 + 9 * np.sin(ts / 13_750_987) + rng.standard_normal((n, count))
    values[300:310, ::3] += 40
    values[rng.random((n, count)) < 0.01] = np.nan
    ts[rng.random((n, count)) < 0.01] -= 1_200_000
    number = np.broadcast_to(np.arange(count, dtype=np.int32), (n, count))
    kept = rng.random((n, count)) > 0.05
    together = SuiteBank().score(number[kept], ts[kept], values[kept])
    for k in range(count):
        alone = bank_scores(ts[kept[:, k], k], values[kept[:, k], k])
        for ours, theirs in zip(alone, together, strict=True):
            np.testing.assert_array_equal(ours, theirs[number[kept] == k])
    assert together.alert.any()


def test_a_logarithm_in_lanes_is_the_librarys():
    rng = np.random.default_rng(8)
    near = 1.0 + np.r_[0.0, 10.0 ** -np.arange(1, 16), -(10.0 ** -np.arange(1, 16))]
    values = np.r_[
        near, 2.0 ** np.arange(-300, 300), math.sqrt(0.5), math.sqrt(2.0), np.exp(rng.uniform(-90, 180, 5000))
    ]
    np.testing.assert_allclose([ln(x) for x in values], np.log(values), rtol=2e-15, atol=0)


def test_a_young_series_is_not_news_for_being_young():
    rng = np.random.default_rng(4)
    n = 150
    ts = (np.arange(n) + 1) * HOUR
    series = [20 + 10 * np.sin(np.arange(n) * 2 * math.pi / 24) + rng.standard_normal(n) for _ in range(40)]
    scores = np.array([bank_scores(ts, values).score for values in series])
    assert (scores > 2.5).mean() < 0.02


def test_what_an_hour_brings_every_day_is_no_news_for_long():
    rng = np.random.default_rng(5)
    n = 12 * 288
    at = np.arange(n)
    values = 50 + rng.standard_normal(n)
    values[119::288], values[120::288] = 50, 65
    score = bank_scores((at + 1) * 300_000, values).score
    daily = score[120::288]
    assert daily[0] > 3
    assert np.median(daily[3:]) < 2.4


def test_an_hour_of_the_week_is_known_to_a_few_percent():
    from detectors.suite.week import FULL, code_of, distance_of

    for distance in (0.0, 0.3, -1.0, 17.0, -250.0, 1400.0):
        assert distance_of(code_of(distance, 1.0), 1.0) == pytest.approx(distance, rel=0.06, abs=0.05)
    assert code_of(1e9, 1.0) == FULL


def test_a_weekend_is_expected_once_two_were_seen():
    rng = np.random.default_rng(6)
    n = 6 * 168
    at = np.arange(n)
    weekend = (at // 24) % 7 >= 5
    values = 100 + 30 * np.sin(at * 2 * math.pi / 24) - 60 * weekend + rng.standard_normal(n)
    season = available()["season"].make()
    begin = 4 * 86_400_000  # A Monday.
    scores = []
    for k, value in enumerate(values):
        sample = {"ts_ms": int(begin + k * HOUR), "value": float(value)}
        scores.append(season.score_one(sample))
        season.learn_one(sample)
    assert max(scores[4 * 168 : 5 * 168]) < 2.5
    sample = {"ts_ms": int(begin + n * HOUR), "value": float(values[-168]) + 60}
    assert season.score_one(sample) > max(scores[4 * 168 : 5 * 168])


def season_scores(ts, values):
    season = available()["season"].make()
    scores = []
    for t, value in zip(ts.tolist(), values.tolist(), strict=True):
        sample = {"ts_ms": t, "value": value}
        scores.append(season.score_one(sample))
        season.learn_one(sample)
    return np.array(scores)


def days_of(count, per_hour, seed):
    """Return times from a Monday on and a daily shape with little noise, `per_hour` samples an hour."""
    at = np.arange(count * 24 * per_hour)
    ts = 4 * 86_400_000 + at * (HOUR // per_hour)
    shape = 100 + 60 * np.sin(at * 2 * math.pi / (24 * per_hour))
    return ts, shape + 2 * np.random.default_rng(seed).standard_normal(len(at))


def test_the_first_weekend_is_no_anomaly_of_five_working_days():
    ts, values = days_of(7, 4, 7)
    values[5 * 96 :] *= 0.3
    assert season_scores(ts, values)[5 * 96 :].max() == 0


def test_a_night_that_stays_high_is_still_news_when_the_day_begins():
    ts, values = days_of(12, 4, 8)
    begin, late = 11 * 96 + 24, 11 * 96 + 64
    values[begin:] += 60
    scored = bank_scores(ts, values)
    assert scored.score[late : late + 20].min() > 2
    assert scored.member[late] == MEMBERS.index("season")
    usual, _ = days_of(12, 4, 8)
    assert np.median(bank_scores(ts, usual).score[late : late + 20]) < 1


def test_a_series_without_a_daily_shape_is_the_levels_matter():
    ts, values = days_of(10, 4, 9)
    values[:] = np.random.default_rng(9).standard_normal(len(ts))
    values[8 * 96 :] += 50
    assert season_scores(ts, values).max() == 0


def test_an_alert_names_the_beginning_of_its_episode():
    ts, values = signals()["broken"]
    scored = bank_scores(ts, values)
    first = np.flatnonzero(scored.alert)
    near = first[(first >= 900) & (first < 910)]
    assert len(near)
    assert abs(int(scored.onset_ms[near[0]]) - int(ts[900])) <= 600_000
    assert set(scored.onset_ms[scored.alert == 0]) == {-1}


def test_a_smaller_budget_never_alerts_more():
    ts, values = signals()["broken"]
    number = np.zeros(len(ts), np.int32)
    counts = [int(SuiteBank(b).score(number, ts, values).alert.sum()) for b in (0.01, 0.25, 5.0)]
    assert counts == sorted(counts)


def test_a_series_that_always_moves_and_stands_still_is_news():
    ts, values = signals()["stuck"]
    values = values + np.random.default_rng(2).standard_normal(len(values)) * (np.arange(len(values)) <= 1000)
    assert available()["still"].make
    still = available()["still"].make()
    scores = []
    for t, value in zip(ts, values, strict=True):
        sample = {"ts_ms": int(t), "value": float(value)}
        scores.append(still.score_one(sample))
        still.learn_one(sample)
    assert max(scores[:1000]) == 0
    assert max(scores[1000:1010]) > 3


def test_a_bank_goes_on_after_a_restart():
    ts, values = signals()["broken"]
    number = np.zeros(len(ts), np.int32)
    whole = SuiteBank().score(number, ts, values).score
    bank = SuiteBank()
    bank.score(number[:950], ts[:950], values[:950])
    again = SuiteBank.load(bank.dump())
    np.testing.assert_array_equal(again.score(number[950:], ts[950:], values[950:]).score, whole[950:])


def test_a_state_of_another_version_is_refused_and_says_which():
    from detectors.state import pack

    first = pack({"suite": [0.027, 0.0036], "budget": 0.25}, {"rows": np.zeros(1984, np.uint8)})
    with pytest.raises(ValueError, match=f"version 1 of the suite, not {VERSION}: start afresh"):
        SuiteBank.load(first)
    with pytest.raises(ValueError, match="another kind"):
        SuiteBank.load(pack({"other": 1}, {}))


@pytest.mark.parametrize("budget", [0.0, -1.0, math.nan])
def test_an_impossible_budget_is_refused(budget):
    with pytest.raises(ValueError, match="budget"):
        SuiteBank(budget)


@pytest.mark.parametrize("promise", CHECKS, ids=lambda c: c.__name__)
@pytest.mark.parametrize("name", NAMES)
def test_every_detector_keeps_the_contract(name, promise):
    promise(available()[name].make)


def test_the_contract_catches_a_detector_that_learns_when_asked():
    class Curious(Suite):
        def score_one(self, x):
            score = super().score_one(x)
            self.learn_one({"ts_ms": x["ts_ms"] - 1, "value": x["value"] + 1})
            return score

    from detectors.online.contract import scoring_changes_nothing

    with pytest.raises(AssertionError):
        scoring_changes_nothing(Curious)


def test_a_rust_panic_is_quarantined_and_the_series_goes_on():
    class Panic(BaseException):
        pass

    class Exploding:
        def learn_one(self, x):
            if x["value"] > 90:
                raise Panic

        def score_one(self, x):
            return 0.5

    adapter = RiverAdapter(Exploding, "exploding")
    for k in range(200):
        adapter.learn_one({"ts_ms": k, "value": 91.0 if k == 150 else float(k % 7)})
    assert adapter.errors == 1
    assert Guarded(adapter).quarantined == "Panic(), 1 times"
    assert adapter.score_one({"ts_ms": 500, "value": 3.0}) == 0.5


def test_an_interrupt_is_not_swallowed():
    class Interrupted:
        def learn_one(self, x):
            raise KeyboardInterrupt

        def score_one(self, x):
            return 0.0

    with pytest.raises(KeyboardInterrupt):
        RiverAdapter(Interrupted, "interrupted").learn_one({"ts_ms": 1, "value": 1.0})


class Mine:
    """Distance from seven, in the unit of the series."""

    def __init__(self, width=2.5):
        self.width = width

    def score_one(self, x):
        return abs(x["value"] - 7) / self.width

    def learn_one(self, x):
        pass


def test_a_package_brings_its_own_detector_and_a_broken_one_takes_nothing_away(monkeypatch):
    from importlib.metadata import EntryPoint

    from detectors.online import registry

    points = [
        EntryPoint("mine", f"{__name__}:Mine", registry.GROUP),
        EntryPoint("broken", "no.such.module:thing", registry.GROUP),
    ]
    monkeypatch.setattr(registry, "entry_points", lambda group: points if group == registry.GROUP else [])
    monkeypatch.setattr(
        EntryPoint, "load", lambda point: Mine if point.name == "mine" else __import__("no.such")
    )
    found = registry.available()
    assert found["mine"].parameters == {"width": 2.5}
    assert found["mine"].summary == "Distance from seven, in the unit of the series"
    assert found["mine"].make().score_one({"ts_ms": 1, "value": 12.0}) == 2.0
    assert "cannot be loaded" in found["broken"].summary
    with pytest.raises(ValueError, match="broken"):
        found["broken"].make()
    assert "suite" in found


@pytest.mark.parametrize("spoil", [lambda b: b[:-9], lambda b: b.replace(b'"version": ', b'"version": 9')])
def test_a_state_of_a_foreign_detector_that_cannot_be_read_says_what_to_do(spoil):
    adapter = available()["river-sad"].make()
    adapter.learn_one({"ts_ms": 1, "value": 3.0})
    with pytest.raises(ValueError, match=r"state .*river-sad.*: start afresh$"):
        available()["river-sad"].make().restore(spoil(adapter.dump()))

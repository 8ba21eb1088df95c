"""What a row keeps of a series: in how few bytes, and that nothing that matters is lost in them."""

import math

import numpy as np
import pytest

from detectors.bank import judge
from detectors.catalog import Catalog
from detectors.codes import code_of, halved, value_of
from detectors.pools import allocate_pools
from detectors.residual import quartile, remember
from detectors.roster import Roster
from detectors.rows import BYTES_PER_SERIES, NEVER, PEAKS, ROW, UNUSED, WINDOW, allocate
from detectors.stamps import FOREVER, age_of, stamp_of
from detectors.stillness import STILL
from detectors.suite import Tuning
from detectors.suite.ahead import STRETCH
from detectors.suite.novelty import words_of
from detectors.suite.record import SUITE
from detectors.tail import habit_at, habit_of, learn_own, learn_week, level_of, own_threshold, record_of
from detectors.telemetry import Series

MINUTE = 60_000
HOUR = 3_600_000
WEEK = 168 * HOUR
LINEAR, LOG, COUNT, ASINH = range(4)


def test_a_series_costs_at_most_eight_hundred_bytes():
    assert BYTES_PER_SERIES + STILL.itemsize <= 800
    assert SUITE.itemsize <= 800


def test_a_row_has_no_bytes_without_a_name():
    """Equal states have equal bytes."""
    assert sum(ROW[name].itemsize for name in ROW.names) == ROW.itemsize


def test_what_every_sample_touches_lies_in_one_stretch_of_five_lines():
    seldom = {"own", "week", "usual", "trail", "trail_ts"} | {"first_ts", "onset_ts", "onset_half", "best"}
    seldom |= {"before", "before_scale", "home", "home_scale", "home_s", "spare"}
    ends = {name: ROW.fields[name][1] + ROW[name].itemsize for name in ROW.names}
    assert max(end for name, end in ends.items() if name not in seldom) <= 5 * 64


def test_of_the_suites_record_only_the_hours_of_the_week_lie_behind_what_every_sample_touches():
    behind = {name for name, (_, at) in SUITE.fields.items() if at >= STRETCH}
    assert behind == {"week", "week_visits"}


@pytest.mark.parametrize("y", [6.0, -1e-5, 1.9999999, 2.0, 3e9, 1e-30, 1e30])
def test_whole_powers_of_two_are_what_the_library_says(y):
    power, share = halved(y)
    assert math.ldexp(share, power) == abs(y)
    assert 1 <= share < 2


@pytest.mark.parametrize("off", [1e-14, -1e-14, 1e-10, -1e-10, 1e-8, -1e-8, 0.1])
def test_words_without_a_logarithm_are_those_with_one(off):
    """Where a cell grows it must not matter how its size was found."""
    tuning = Tuning()
    for octave in np.arange(-30, 30) / 3:
        extent = tuning.cells * 2.0**octave * (1 + off)
        cells = [2.0 ** math.floor(math.log2(extent / tuning.cells) + k / 3) for k in range(3)]
        expected = tuple(math.floor(7.3 / cell + k / 3) for k, cell in enumerate(cells))
        assert tuple(map(int, words_of(7.3, extent, tuning))) == expected


@pytest.mark.parametrize("shape", [LINEAR, COUNT])
@pytest.mark.parametrize("y", [0.0, 1e-6, 3.7e-4, 0.5, 1.0, 99.99, 65_536.0, 3.2e9, 1.9e12])
def test_a_code_is_off_by_a_thousandth_at_most(shape, y):
    assert value_of(shape, code_of(shape, y)) == pytest.approx(y, rel=1e-3)
    assert value_of(shape, code_of(shape, -y)) == pytest.approx(-y, rel=1e-3)


@pytest.mark.parametrize("shape", [LOG, ASINH])
@pytest.mark.parametrize("y", [-69.0, -6.2, 0.0, 0.004, 2.3, 20.7, 69.8])
def test_the_code_of_a_logarithm_is_off_by_a_tenth_of_a_percent_of_the_quantity(shape, y):
    assert abs(value_of(shape, code_of(shape, y)) - y) <= 0.00126


@pytest.mark.parametrize("shape", [LINEAR, LOG])
def test_codes_order_like_values_and_stay_clear_of_the_unused_place(shape):
    values = np.sort(np.r_[-(10.0 ** np.arange(-9, 30)), 0.0, 10.0 ** np.arange(-9, 30)])
    codes = [code_of(shape, y) for y in values]
    assert codes == sorted(codes)
    assert max(codes) < UNUSED


@pytest.mark.parametrize("shape", [LINEAR, LOG])
@pytest.mark.parametrize("kind", ["noise", "ties", "constant", "steps", "ramp"])
def test_median_and_spread_are_those_of_the_newest_sixty(shape, kind):
    rng = np.random.default_rng(3)
    n = 300
    values = {
        "noise": rng.standard_normal(n),
        "ties": rng.integers(0, 3, n).astype(float),
        "constant": np.full(n, 4.2),
        "steps": np.where(np.arange(n) // 50 % 2, 60.0, -3.0),
        "ramp": 0.2 * np.arange(n),
    }[kind]
    row = allocate(1)[0]
    kept = []
    for y in values:
        remember(row, shape, float(y))
        kept.append(value_of(shape, code_of(shape, float(y))))
        newest = kept[-WINDOW:]
        low, middle, high = np.quantile(newest, [0.25, 0.5, 0.75])
        codes = row["quartile"].reshape(3, 2).tolist()
        found = [quartile(shape, float(row["filled"]), which, *codes[which]) for which in range(3)]
        assert found == pytest.approx([low, middle, high], rel=1e-5, abs=1e-6)


def test_a_level_without_a_logarithm_is_the_one_with_it():
    steps = 0.01 * 1.05 ** np.arange(-5, 260)
    for a in [0.0, 1e-300, 1e30, *steps, *np.nextafter(steps, 0), *np.nextafter(steps, 9e9), *(steps * 1.02)]:
        level = 0 if a <= 0.01 else min(int(math.log(a / 0.01) / math.log(1.05)) + 1, 254)
        assert level_of(float(a)) == level


def test_the_record_is_the_third_largest_peak_of_twelve_hours_whatever_their_order():
    rng = np.random.default_rng(6)
    now = 1_760_000_000_000
    for _ in range(200):
        row = allocate(1)[0]
        row["peak"] = codes = rng.integers(0, 5, PEAKS) * 1000
        age_s = rng.choice([60, 43_200, 43_201, 10**6], PEAKS)
        row["peak_s"] = now // 1000 - age_s
        row["quartile"], row["hour"] = 32_000, 2**32 - 1
        alive = sorted([0, 0, 0, *codes[age_s <= 43_200].tolist()])
        assert record_of(row, now, 60_000) == value_of(LINEAR, alive[-3])


def test_samples_of_one_series_in_one_call_are_learned_one_after_the_other():
    """Samples are judged in blocks: the second of a row must find what the first has left."""
    rng = np.random.default_rng(7)
    number = np.tile(rng.permutation(50).astype(np.int32), 90)
    ts_ms = np.repeat(np.arange(1, 91) * 60_000, 50)
    value = 20 + rng.standard_normal(len(number)) + 30 * (ts_ms > 80 * 60_000)
    together, apart = allocate(50), allocate(50)
    pools, others = allocate_pools(1), allocate_pools(1)
    together["pool"] = apart["pool"] = 0
    together["load_row"] = apart["load_row"] = np.roll(np.arange(50), 1)
    pools.volume[:] = others.volume[:] = 1
    spoken = judge(together, pools, number, ts_ms, value)
    singly = [
        judge(apart, others, *(each[k : k + 1] for each in (number, ts_ms, value))) for k in range(4500)
    ]
    assert together.tobytes() == apart.tobytes()
    assert pools.histogram.tobytes() == others.histogram.tobytes()
    assert len(spoken.scale) > 0
    assert spoken.lasting.tolist() == [x for each in singly for x in each.lasting.tolist()]


def test_the_own_tail_is_the_upper_tenth_of_the_newest_deviations():
    rng = np.random.default_rng(4)
    row = allocate(1)[0]
    deviations = np.abs(rng.standard_normal(900)) * np.where(np.arange(900) > 500, 5.0, 1.0)
    for k, a in enumerate(deviations):
        learn_own(row, level_of(a))
        if k > 60:
            expected = np.sort(deviations[max(0, k - 239) : k + 1])
            at = len(expected) - 1 - int((1.0 - 0.9) * len(expected))
            assert own_threshold(row) == pytest.approx(max(expected[at], 0.5), rel=0.06)


def test_a_stamp_tells_ages_below_49_days_and_never():
    now = 1_763_800_000_123
    assert age_of(now, stamp_of(now - 5)) == 5
    assert age_of(now, stamp_of(now - 48 * 86_400_000)) == 48 * 86_400_000
    assert age_of(now, 0) == FOREVER
    assert stamp_of(2**32 * 400) != 0


@pytest.mark.parametrize("away_ms", [2**31 - MINUTE, 2**32, 2**32 + 2 * MINUTE, 3 * 2**32])
def test_a_series_that_was_away_for_weeks_does_not_take_an_old_time_for_a_new_one(away_ms):
    rows, pools = allocate(1), allocate_pools(1)
    rows["pool"] = 0
    pools.relative_floor[:] = 0.05
    rng = np.random.default_rng(5)
    start = 1_763_800_000_000
    ts = start + MINUTE * np.arange(1, 101)
    value = 20 + rng.standard_normal(100)
    value[-1] = 90.0
    judge(rows, pools, np.zeros(100, np.int32), ts, value)
    # One high sample before, one after: they are no pair, however the clock of four bytes stands.
    said = judge(rows, pools, np.zeros(1, np.int32), ts[-1:] + away_ms, np.array([90.0]))
    assert said.lasting.max(initial=0.0) < 9.0


def test_the_habit_that_a_row_keeps_is_what_its_week_says():
    rng = np.random.default_rng(8)
    row = allocate(1)[0]
    now, kept = 1_763_800_000_000, []
    for _ in range(4000):
        now += int(rng.choice([MINUTE, 20 * MINUTE, HOUR, 23 * HOUR], p=[0.5, 0.3, 0.18, 0.02]))
        learn_week(row, level_of(float(rng.exponential(4.0))), now)
        kept.append(int(row["habit"]))
        assert kept[-1] == habit_at(row, now // HOUR)
    assert len(set(kept)) > 5


def habits(visits):
    """A row that saw a deviation of 20 at the given times and was calm in all other hours."""
    row = allocate(1)[0]
    for ts in range(HOUR // 2, max(visits) + 1, HOUR):
        hot = any(ts - HOUR // 2 <= visit < ts + HOUR // 2 for visit in visits)
        learn_week(row, level_of(20.0 if hot else 0.3), ts)
    return row


def test_what_an_hour_of_the_week_brought_twice_is_known_the_third_time_only():
    at = 50 * HOUR + HOUR // 2
    twice = habits([at, at + WEEK])
    once = habits([at + WEEK])
    calm = [hour * HOUR + HOUR // 2 for hour in range((at + WEEK) // HOUR + 1, (at + 2 * WEEK) // HOUR)]
    for row in (twice, once):
        for ts in calm:
            learn_week(row, level_of(0.3), ts)
    assert habit_of(twice, at + 2 * WEEK) == pytest.approx(20, rel=0.2)
    assert habit_of(once, at + 2 * WEEK) == 0
    assert habit_of(twice, at + 2 * WEEK + 12 * HOUR) == 0


@pytest.mark.parametrize("shift", [-HOUR, HOUR])
def test_a_weekly_habit_survives_the_change_of_clocks(shift):
    at = 50 * HOUR + HOUR // 2
    row = habits([at, at + WEEK])
    when = at + 2 * WEEK + shift
    for hour in range((at + WEEK) // HOUR + 1, when // HOUR):
        learn_week(row, level_of(0.3), hour * HOUR + HOUR // 2)
    assert habit_of(row, when) == pytest.approx(20, rel=0.2)


@pytest.mark.parametrize("watched", [False, True])
def test_rows_keep_their_state_when_room_is_made_for_more(watched):
    roster = Roster(10_000, Catalog())
    roster.admit([Series("cart", "cpu", f"pod-{k}") for k in range(200)], 0)
    roster.rows["last_ts"][:200] = np.arange(200)
    seen = roster.rows[:200] if watched else None
    roster.admit([Series("cart", "cpu", f"new-{k:04}") for k in range(3_000)], 0)
    assert roster.rows["last_ts"][:200].tolist() == list(range(200))
    assert (roster.rows["last_ts"][200:] == NEVER).all()
    assert seen is None or seen["last_ts"].tolist() == list(range(200))


def test_there_is_never_room_for_more_rows_than_there_may_be_series():
    roster = Roster(1_000, Catalog())
    roster.admit([Series("cart", "cpu", f"pod-{k}") for k in range(1_200)], 0)
    assert len(roster.rows) == 1_000
    assert roster.refused == 200

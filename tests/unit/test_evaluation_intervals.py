import math

import pytest

from streams.evaluation.intervals import poisson_rate, wilson


def at_most(events, mean):
    return sum(math.exp(-mean) * mean**k / math.factorial(k) for k in range(events + 1))


@pytest.mark.parametrize("events", [0, 1, 3, 25])
@pytest.mark.parametrize("hours", [0.5, 57.0])
def test_poisson_limits_leave_two_and_a_half_percent_on_each_side(events, hours):
    low, high = poisson_rate(events, hours)
    assert at_most(events, high * hours) == pytest.approx(0.025, abs=1e-9)
    if events:
        assert 1 - at_most(events - 1, low * hours) == pytest.approx(0.025, abs=1e-9)
    else:
        assert low == 0
        assert high * hours == pytest.approx(-math.log(0.025))


def test_thousands_of_events_neither_overflow_nor_underflow():
    low, high = poisson_rate(5000, 1.0)
    assert 4850 < low < 5000 < high < 5150


def test_nothing_observed_has_no_interval():
    assert poisson_rate(0, 0.0) is None
    assert wilson(0, 0) is None


def test_wilson_stays_within_nought_and_one():
    assert wilson(0, 10)[0] == 0
    assert wilson(10, 10)[1] == pytest.approx(1)
    low, high = wilson(10, 10)
    assert low == pytest.approx(0.7225, abs=1e-4)
    assert high <= 1

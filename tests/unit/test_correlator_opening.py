"""When evidence wakes somebody, on small hand-made evidence."""

from detectors.anomaly import Family
from tests.hand_made import MINUTE, T0, edge, episode, opened


def measured_but_calm():
    """Shows that web's calls to cart are measured, long before anything happens."""
    yield from episode("web", Family.CLIENT_LATENCY, T0, minutes=1, score=1.4, peer="cart")


def busy(unit, observed, expected):
    return episode("cart", Family.CPU, T0 + 10 * MINUTE, unit=unit, observed=observed, expected=expected)


def test_a_busy_processor_opens_nothing_while_its_users_do_not_wait():
    items = [edge("web", "cart"), *measured_but_calm(), *busy("{cpu}", 0.6, 0.05)]
    assert opened(items) == {}


def test_a_busy_processor_opens_where_nobody_measures_its_users():
    assert len(opened([edge("web", "cart"), *busy("%", 45.0, 5.0)])) == 1


def test_an_exhausted_processor_opens_before_its_users_wait():
    items = [edge("web", "cart"), *measured_but_calm(), *busy("%", 92.0, 20.0)]
    assert len(opened(items)) == 1


def test_a_busy_processor_opens_once_its_callers_wait():
    waits = episode("web", Family.LATENCY, T0 + 10 * MINUTE, observed=0.4, expected=0.1, score=4.0)
    items = [edge("web", "cart"), *measured_but_calm(), *busy("{cpu}", 0.6, 0.05), *waits]
    assert len(opened(items)) == 1


def test_a_sixth_more_latency_wakes_nobody_however_steady_the_series_was():
    slow = episode(
        "web", Family.CLIENT_LATENCY, T0 + 10 * MINUTE, observed=0.021, expected=0.018, peer="cart"
    )
    assert opened([edge("web", "cart"), *slow]) == {}


def test_thrice_the_latency_towards_a_callee_opens():
    slow = episode(
        "web", Family.CLIENT_LATENCY, T0 + 10 * MINUTE, observed=0.054, expected=0.018, peer="cart"
    )
    assert len(opened([edge("web", "cart"), *slow])) == 1


def test_waiting_for_a_callee_that_is_not_slow_itself_points_at_the_way_to_it():
    waits = list(
        episode("web", Family.CLIENT_LATENCY, T0 + 10 * MINUTE, observed=0.5, expected=0.1, peer="cart")
    )
    serves = episode("cart", Family.LATENCY, T0 + 10 * MINUTE, observed=0.45, expected=0.05)
    (alone,) = opened([edge("web", "cart"), *waits]).values()
    (both,) = opened([edge("web", "cart"), *waits, *serves]).values()
    assert "between" in alone.title
    assert "between" not in both.title


def test_waiting_for_a_callee_is_one_voice_not_two():
    waits = episode("web", Family.CLIENT_LATENCY, T0 + 10 * MINUTE, observed=0.5, expected=0.1, peer="cart")
    (incident,) = opened([edge("web", "cart"), *waits]).values()
    (severity,) = (f for f in incident.hypotheses[0].factors if f.name == "own_severity")
    assert incident.hypotheses[0].service == "cart"
    assert severity.why.count("client_latency_x") == 1

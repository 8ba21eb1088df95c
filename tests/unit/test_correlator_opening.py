"""When evidence wakes somebody, on small hand-made evidence."""

from correlator import Engine
from correlator.evidence import Edge, EdgeSource, Progress
from detectors.anomaly import Anomaly, Family, Signal, anomaly_id

T0 = 1_700_000_010_000 // 15_000 * 15_000
MINUTE = 60_000
STEP = 15_000


def episode(
    service, family, from_ms, *, minutes=3, score=9.0, observed=2.0, expected=1.0, unit="s", peer=None
):
    """One episode with an update every 15 seconds."""
    signal = Signal(
        source="edge" if peer else "metric", metric=f"{family}_x", family=family, unit=unit, peer=peer
    )
    for at in range(from_ms, from_ms + minutes * MINUTE, STEP):
        yield Anomaly(
            id=anomaly_id("shop", service, signal, from_ms),
            domain="shop",
            service=service,
            signal=signal,
            first_ms=from_ms,
            onset_ms=from_ms - STEP,
            ts_ms=at,
            interval_ms=STEP,
            direction="up",
            score=score,
            peak_score=score,
            observed=observed,
            expected=expected,
            scale=0.1,
        )


def edge(caller, callee):
    return Edge(
        domain="shop",
        caller=caller,
        callee=callee,
        source=EdgeSource.SERVICE_GRAPH,
        first_seen_ms=T0,
        last_seen_ms=T0,
    )


def opened(items, until_ms=T0 + 30 * MINUTE):
    engine = Engine("shop")
    for item in items:
        engine.apply(item)
    return {i.id: i for i in engine.apply(Progress(domain="shop", source="p", watermark_ms=until_ms))}


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

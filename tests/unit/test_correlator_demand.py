import pytest

from correlator import Engine
from correlator.evidence import Edge, EdgeSource, Progress
from detectors.anomaly import Anomaly, Family, Signal, anomaly_id

T0 = 1_700_000_010_000
MINUTE = 60_000


def anomaly(service, family, observed, expected=1.0, *, peer=None, score=8.0, unit="s", at_ms=T0 + MINUTE):
    signal = Signal(
        source="edge" if peer else "metric", metric=f"{family}_x", family=family, unit=unit, peer=peer
    )
    return Anomaly(
        id=anomaly_id("shop", service, signal, at_ms),
        domain="shop",
        service=service,
        signal=signal,
        first_ms=at_ms,
        onset_ms=at_ms - MINUTE,
        ts_ms=at_ms,
        interval_ms=MINUTE,
        direction="up",
        score=score,
        peak_score=score,
        observed=observed,
        expected=expected,
        scale=0.1,
    )


def ranked(items):
    engine = Engine("shop")
    for item in items:
        engine.apply(item)
    engine.apply(Progress(domain="shop", source="p0", watermark_ms=T0 + 6 * MINUTE))
    return [h.service for h in engine.rank_at(T0).hypotheses]


def calls(caller, callee):
    return Edge(
        domain="shop",
        caller=caller,
        callee=callee,
        source=EdgeSource.SPAN,
        first_seen_ms=T0,
        last_seen_ms=T0,
    )


def swamped(times):
    """Web asks `times` as much of the database as usual, asked no more itself; both fail and are slow."""
    yield calls("web", "db")
    yield anomaly("web", Family.LOAD, times, peer="db", unit="{call}")
    for service, score in (("db", 8.0), ("web", 7.0)):
        yield anomaly(service, Family.LATENCY, 9.0, score=score)
        yield anomaly(service, Family.ERROR, 40.0, 0.0, score=score, unit="%")


@pytest.mark.parametrize(("times", "root"), [(40.0, "web"), (3.0, "db")])
def test_who_asks_far_more_than_retries_would_is_the_root_of_what_it_swamps(times, root):
    assert ranked(swamped(times))[0] == root


@pytest.mark.parametrize(("waits", "root"), [(False, "store"), (True, "backup")])
def test_a_busy_processor_that_nobody_waits_for_is_no_root(waits, root):
    items = [
        anomaly("backup", Family.LATENCY, 9.0, at_ms=T0 + MINUTE if waits else T0 - 90 * MINUTE),
        anomaly("backup", Family.CPU, 9.0, score=12.0, unit="{cpu}"),
        anomaly("store", Family.LATENCY, 9.0, score=7.0),
    ]
    assert ranked(items)[0] == root

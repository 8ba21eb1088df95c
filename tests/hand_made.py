"""Small hand-made evidence for tests of the correlator: a few episodes, a few edges, one domain."""

from itertools import count, takewhile

from correlator import Engine
from correlator.evidence import Change, ChangeKind, Edge, EdgeSource, Progress
from detectors.anomaly import Anomaly, Family, Signal, anomaly_id

T0 = 1_700_000_010_000 // 15_000 * 15_000
MINUTE = 60_000
STEP = 15_000


def anomaly(
    service,
    family,
    at_ms,
    score=6.0,
    *,
    peer=None,
    source="metric",
    metric=None,
    unit=None,
    direction="up",
    first_ms=None,
    interval_ms=MINUTE,
    observed=2.0,
    expected=1.0,
):
    """What is said once of an episode; failures are in per cent, all else is in seconds unless told."""
    signal = Signal(
        source="edge" if peer else source,
        metric=metric or f"{family}_x",
        family=family,
        unit=unit or ("%" if family is Family.ERROR else "s"),
        peer=peer,
    )
    first = at_ms if first_ms is None else first_ms
    return Anomaly(
        id=anomaly_id("shop", service, signal, first),
        domain="shop",
        service=service,
        signal=signal,
        first_ms=first,
        onset_ms=first - interval_ms,
        ts_ms=at_ms,
        interval_ms=interval_ms,
        direction=direction,
        score=score,
        peak_score=score,
        observed=observed,
        expected=expected,
        scale=0.1,
    )


def seen(service, family, observed, expected=1.0, *, at_ms=T0 + MINUTE, score=8.0, unit="s", **more):
    """What is said once, by how much it is off."""
    return anomaly(service, family, at_ms, score, observed=observed, expected=expected, unit=unit, **more)


def episode(service, family, from_ms, *, minutes=3, score=9.0, unit="s", **more):
    """One episode with an update every 15 seconds."""
    for at in range(from_ms, from_ms + minutes * MINUTE, STEP):
        yield anomaly(service, family, at, score, unit=unit, first_ms=from_ms, interval_ms=STEP, **more)


def lasting(service, family, minute, *, length=3, score=8.0, **more):
    """One episode with an update every minute."""
    first = T0 + minute * MINUTE
    for k in range(length):
        yield anomaly(service, family, first + k * MINUTE, score, first_ms=first, **more)


def edge(caller, callee, source=EdgeSource.SERVICE_GRAPH):
    return Edge(
        domain="shop",
        caller=caller,
        callee=callee,
        source=source,
        first_seen_ms=T0,
        last_seen_ms=T0,
    )


def change(service, at_ms, kind=ChangeKind.DEPLOY, name="c1", **more):
    return Change(id=name, domain="shop", ts_ms=at_ms, kind=kind, service=service, **more)


def progress(at_ms, source="p0"):
    return Progress(domain="shop", source=source, watermark_ms=at_ms)


def cascade():
    """The database burns its processor; the cart waits for it, and the web shop for the cart."""
    yield edge("web", "cart")
    yield edge("cart", "db")
    at = T0 + 10 * MINUTE
    for k in range(3):
        when = at + k * MINUTE
        yield anomaly("db", Family.CPU, when, 8.0, first_ms=at)
        yield anomaly("db", Family.LATENCY, when, 6.0, first_ms=at)
        yield anomaly("cart", Family.LATENCY, when, 7.0, first_ms=at)
        yield anomaly("web", Family.LATENCY, when, 8.0, first_ms=at, observed=4.0)


def run(items, until_ms, step_ms=STEP):
    """Give all items to an engine and then let time pass; returns it and what it published meanwhile."""
    engine = Engine("shop")
    for item in items:
        assert engine.apply(item) == []
    times = takewhile(lambda at: at <= until_ms, count(T0, step_ms))
    return engine, [each for at in times for each in engine.apply(progress(at))]


def opened(items, until_ms=T0 + 30 * MINUTE):
    engine = Engine("shop")
    for item in items:
        engine.apply(item)
    return {i.id: i for i in engine.apply(progress(until_ms))}


def ranked(items):
    """Services in the order in which they are named for it, told when it began."""
    engine = Engine("shop")
    for item in items:
        engine.apply(item)
    engine.apply(progress(T0 + 6 * MINUTE))
    return [h.service for h in engine.rank_at(T0).hypotheses]


def ids(incidents):
    return {incident.id for incident in incidents}

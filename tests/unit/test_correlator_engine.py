from correlator import Engine
from correlator.evidence import Change, ChangeKind, Edge, EdgeSource, Progress
from detectors.anomaly import Anomaly, Family, Signal, anomaly_id

T0 = 1_700_000_010_000 // 15_000 * 15_000
MINUTE = 60_000


def anomaly(
    service,
    family,
    at_ms,
    score=6.0,
    *,
    peer=None,
    direction="up",
    source="metric",
    first_ms=None,
    observed=2.0,
):
    signal = Signal(
        source="edge" if peer else source, metric=f"{family}_x", family=family, unit="s", peer=peer
    )
    first = at_ms if first_ms is None else first_ms
    return Anomaly(
        id=anomaly_id("shop", service, signal, first),
        domain="shop",
        service=service,
        signal=signal,
        first_ms=first,
        onset_ms=first - MINUTE,
        ts_ms=at_ms,
        interval_ms=MINUTE,
        direction=direction,
        score=score,
        peak_score=score,
        observed=observed,
        expected=1.0,
        scale=0.1,
    )


def edge(caller, callee):
    return Edge(
        domain="shop",
        caller=caller,
        callee=callee,
        source=EdgeSource.SPAN,
        first_seen_ms=T0,
        last_seen_ms=T0,
    )


def progress(at_ms):
    return Progress(domain="shop", source="p0", watermark_ms=at_ms)


def run(items, until_ms, step_ms=15_000):
    engine = Engine("shop")
    for item in items:
        assert engine.apply(item) == []
    out = []
    at = T0
    while at <= until_ms:
        out += engine.apply(progress(at))
        at += step_ms
    return engine, out


def cascade():
    yield edge("web", "cart")
    yield edge("cart", "db")
    at = T0 + 10 * MINUTE
    for k in range(3):
        when = at + k * MINUTE
        yield anomaly("db", Family.CPU, when, 8.0, first_ms=at)
        yield anomaly("db", Family.LATENCY, when, 6.0, first_ms=at)
        yield anomaly("cart", Family.LATENCY, when, 7.0, first_ms=at)
        yield anomaly("web", Family.LATENCY, when, 8.0, first_ms=at, observed=4.0)


def test_a_cascade_is_one_incident_and_its_root_is_ranked_first():
    _, out = run(cascade(), T0 + 40 * MINUTE)
    assert len({incident.id for incident in out}) == 1
    assert out[0].status == "open"
    assert out[-1].status == "closed"
    assert out[-1].settled
    assert out[-1].hypotheses[0].service == "db"
    assert [(hop.source, hop.target) for hop in out[-1].hypotheses[0].chain] == [
        ("db", "cart"),
        ("cart", "web"),
    ]


def test_progress_in_other_steps_brings_the_same_revisions():
    _, fine = run(cascade(), T0 + 40 * MINUTE)
    _, coarse = run(cascade(), T0 + 40 * MINUTE, step_ms=8 * MINUTE)
    assert fine == coarse


def test_a_dumped_engine_continues_as_if_never_stopped():
    items = list(cascade())
    whole, expected = run(items, T0 + 40 * MINUTE)
    engine = Engine("shop")
    for item in items:
        engine.apply(item)
    got, at = [], T0
    while at <= T0 + 40 * MINUTE:
        got += engine.apply(progress(at))
        engine = Engine.load(engine.dump())
        at += 15_000
    assert got == expected
    assert engine.dump() == whole.dump()


def test_a_lone_spike_and_an_innocent_deploy_open_nothing():
    deploy = Change(
        id="c1", domain="shop", ts_ms=T0 + 9 * MINUTE, kind=ChangeKind.DEPLOY, service="web", summary="v2"
    )
    spike = anomaly("cart", Family.MEMORY, T0 + 10 * MINUTE, 9.0)
    _, out = run([edge("web", "cart"), deploy, spike], T0 + 30 * MINUTE)
    assert out == []

"""Small hand-made evidence for tests of the correlator: a few episodes, a few edges, one domain."""

from correlator import Engine
from correlator.evidence import Edge, EdgeSource, Progress
from detectors.anomaly import Anomaly, Signal, anomaly_id

T0 = 1_700_000_010_000 // 15_000 * 15_000
MINUTE = 60_000
STEP = 15_000


def episode(
    service,
    family,
    from_ms,
    *,
    minutes=3,
    score=9.0,
    observed=2.0,
    expected=1.0,
    unit="s",
    peer=None,
    metric=None,
    direction="up",
):
    """One episode with an update every 15 seconds."""
    signal = Signal(
        source="edge" if peer else "metric",
        metric=metric or f"{family}_x",
        family=family,
        unit=unit,
        peer=peer,
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
            direction=direction,
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

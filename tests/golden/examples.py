"""One example of every published message, every field filled: the source of `tests/golden/messages/`.

Run `python tests/golden/examples.py` after adding a field; the diff of the golden files is the review.
"""

from __future__ import annotations

from pathlib import Path

import orjson

from correlator.evidence import Alert, Change, ChangeKind, Edge, EdgeSource, Progress, Verdict
from correlator.incident import (
    Abstention,
    AbstentionType,
    CauseKind,
    Contributor,
    EvidenceLine,
    Exoneration,
    Factor,
    Hop,
    Hypothesis,
    Impact,
    Incident,
    Role,
)
from detectors.anomaly import Anomaly, Family, Signal
from streams.wire import cloudevents, codec
from streams.wire.messages import (
    Candidate,
    Citation,
    Confidence,
    DeadLetter,
    EnrichedAlert,
    EvidenceRecord,
    Explanation,
    IncidentRecord,
    ModelUse,
    RootCause,
    RunnerUp,
    Term,
)

FOLDER = Path(__file__).parent / "messages"
T0 = 1_790_000_000_000  # 2026-09-21T14:13:20Z

ANOMALY = Anomaly(
    id="an-2c1f0d9e8b7a65544332",
    domain="production",
    service="shop/redis-main",
    signal=Signal(
        source="metric",
        metric="redis.memory.used",
        family=Family.MEMORY,
        unit="By",
        instance="redis-main-0",
        version="8.2.1",
        labels="redis.role=primary",
    ),
    first_ms=T0 + 15_000,
    onset_ms=T0,
    onset_uncertainty_ms=15_000,
    ts_ms=T0 + 60_000,
    interval_ms=15_000,
    direction="up",
    score=6.5,
    peak_score=8.25,
    observed=4.25e9,
    expected=2.5e9,
    scale=1.2e8,
    member="level",
    sample=((T0 - 15_000, 2.51e9), (T0, 3.9e9), (T0 + 15_000, 4.2e9)),
    exemplar="OOM command not allowed when used memory > 'maxmemory'.",
    load_ratio=1.04,
)
EDGE_ANOMALY = ANOMALY.model_copy(
    update={
        "id": "an-00112233445566778899",
        "service": "shop/cart",
        "status": "closed",
        "signal": Signal(
            source="edge",
            metric="client_p95_s",
            family=Family.CLIENT_LATENCY,
            unit="s",
            peer="shop/redis-main",
        ),
        "first_ms": T0 + 30_000,
        "onset_ms": T0 + 20_000,
        "observed": 0.75,
        "expected": 0.004,
        "scale": 0.001,
        "sample": (),
        "exemplar": None,
    }
)
CHANGE = Change(
    id="cfg-7",
    domain="production",
    ts_ms=T0 - 3_600_000,
    kind=ChangeKind.CONFIG,
    service="shop/redis-main",
    summary="redis.maxmemory_policy: allkeys-lru → noeviction",
    version_before="8.2.0",
    version_after="8.2.1",
    end_ms=T0 - 3_590_000,
    attributes={"author": "ops", "key": "redis.maxmemory_policy"},
)
EDGE = Edge(
    domain="production",
    caller="shop/cart",
    callee="shop/redis-main",
    source=EdgeSource.CLIENT_METRIC,
    callee_kind="redis",
    confidence=0.9,
    first_seen_ms=T0 - 86_400_000,
    last_seen_ms=T0,
    valid_from_ms=T0 - 86_400_000,
    valid_to_ms=T0 + 86_400_000,
    schedule="except TUE 02:00-04:00",
)
ALERT_IN = Alert(
    id="c6eadffa33fcdf37",
    domain="production",
    ts_ms=T0 + 200_000,
    service="shop/checkout",
    name="SLOBurn",
    severity="critical",
    status="firing",
    summary="error budget burns 14 × too fast",
)
VERDICT = Verdict(
    id="v-1",
    domain="production",
    ts_ms=T0 + 7_200_000,
    incident_id="hw-0123456789abcdef",
    root_service="shop/redis-main",
    right=True,
    by="on-call",
    note="confirmed in the post-mortem",
)
PROGRESS = Progress(domain="production", source="otlp_metrics-0", sources=2, watermark_ms=T0 + 60_000)

HOP = Hop(
    source="shop/redis-main",
    target="shop/cart",
    onset_ms=T0 + 20_000,
    lag_s=20.0,
    edge_sources=(EdgeSource.CLIENT_METRIC,),
    evidence=(EDGE_ANOMALY.id,),
)
FACTOR = Factor(
    name="own_severity",
    value=8.25,
    contribution=1.5,
    why="memory 4.25 GB against 2.5 GB expected",
    evidence=(ANOMALY.id,),
)
INCIDENT = Incident(
    id="hw-0123456789abcdef",
    domain="production",
    revision=1,
    published_ms=T0 + 75_000,
    opened_ms=T0 + 75_000,
    onset_ms=T0,
    severity="critical",
    title="checkout fails 12 % of requests",
    is_candidate=True,
    services=("shop/redis-main", "shop/cart", "shop/checkout"),
    hypotheses=(
        Hypothesis(
            service="shop/redis-main",
            kind=CauseKind.CHANGE,
            change_id=CHANGE.id,
            confidence=0.86,
            score=3.2,
            onset_ms=T0,
            summary="memory limit reached; eviction was turned off an hour before",
            others=(
                Contributor(
                    service="shop/frontend",
                    role=Role.TRIGGER,
                    kind=CauseKind.TRAFFIC,
                    why="1.8 × the usual load",
                ),
            ),
            chain=(HOP,),
            factors=(FACTOR,),
        ),
        Hypothesis(
            service="shop/cart",
            kind=CauseKind.SERVICE,
            confidence=0.08,
            score=0.4,
            onset_ms=T0 + 20_000,
            summary="latency towards redis-main",
        ),
    ),
    impact=(
        Impact(
            service="shop/checkout", user_facing=True, summary="12 % of requests fail", onset_ms=T0 + 40_000
        ),
    ),
    exonerated=(
        Exoneration(
            service="shop/checkout", change_id="dep-9", reason="the canary errs as often as the old version"
        ),
    ),
    not_checked=("logs of shop/redis-main: none received",),
    conflicts=("topology.yaml declares no callee of shop/cart",),
    discovered=("shop/cart → shop/redis-main",),
    evidence=(
        EvidenceLine(
            id=ANOMALY.id,
            service="shop/redis-main",
            text="redis.memory.used 4.25 GB against 2.5 GB",
            onset_ms=T0,
            score=8.25,
        ),
    ),
    supersedes=("hw-fedcba9876543210",),
    what_changed="",
)
ABSTAINED = INCIDENT.model_copy(
    update={
        "revision": 3,
        "status": "closed",
        "settled": True,
        "closed_ms": T0 + 900_000,
        "published_ms": T0 + 915_000,
        "calibrated": True,
        "what_changed": "closed: all signals are back to normal",
        "abstention": Abstention(
            type=AbstentionType.CONFLICTING_SIGNALS,
            reason="redis-main and cart deviate within one interval of each other",
            conflict=(ANOMALY.id, EDGE_ANOMALY.id),
            next_question="Did redis-main reject writes before 14:13:35?",
        ),
    }
)
CANDIDATE = Candidate(
    incident_id=INCIDENT.id, revision=1, domain="production", digest="9f86d081884c7d65", incident=INCIDENT
)
EXPLANATION = Explanation(
    incident_id=INCIDENT.id,
    revision=1,
    origin="model",
    summary="redis-main ran out of memory after eviction was turned off.",
    steps=(Citation(text="Memory reached the limit at 14:13:20.", evidence=(ANOMALY.id,)),),
    next_question="Who turned eviction off?",
    use=ModelUse(
        model="gpt-5-mini",
        calls=1,
        input_tokens=1400,
        output_tokens=120,
        usd=0.0006,
        duration_s=2.5,
        dropped_sentences=1,
        outcome="ok",
    ),
)
ENRICHED = EnrichedAlert(
    incident_id=INCIDENT.id,
    revision=1,
    domain="production",
    status="firing",
    verdict="likely_cause",
    severity="critical",
    title=INCIDENT.title,
    started_ms=T0,
    detected_ms=T0 + 75_000,
    resolved_ms=None,
    root_cause=RootCause(
        entity="shop/redis-main",
        kind="change",
        change_id=CHANGE.id,
        onset_ms=T0,
        summary="memory limit reached; eviction was turned off an hour before",
    ),
    confidence=Confidence(
        probability=0.86,
        calibrated=False,
        terms=(Term(name="own_severity", contribution=1.5, why="memory 4.25 GB against 2.5 GB expected"),),
    ),
    chain=(HOP,),
    impact=INCIDENT.impact,
    runners_up=(RunnerUp(entity="shop/cart", probability=0.08, why_lower="deviates 20 s later"),),
    speaks_against=("no log of redis-main confirms it",),
    exonerated=("deploy dep-9 of shop/checkout: the canary errs as often as the old version",),
    conflicts=INCIDENT.conflicts,
    not_checked=INCIDENT.not_checked,
    next_question="Who turned eviction off?",
    explanation=EXPLANATION,
    incident=INCIDENT,
)
DEAD_LETTER = DeadLetter(
    source_topic="otlp_metrics",
    source_partition=3,
    source_offset=812_345,
    stage="detect",
    error="DecodeError",
    reason="resourceMetrics[0]: truncated message",
    code_version="0.1.0",
    first_seen_ms=T0,
)


def record(*items: object, tick_ms: int = T0 + 60_000) -> EvidenceRecord:
    return EvidenceRecord(domain="production", source="otlp_metrics-0", tick_ms=tick_ms, items=items)


MESSAGES = {
    "evidence-anomaly": record(ANOMALY, EDGE_ANOMALY),
    "evidence-change": record(CHANGE),
    "evidence-edge": record(EDGE),
    "evidence-alert": record(ALERT_IN),
    "evidence-verdict": EvidenceRecord(domain="production", source="verdicts", tick_ms=0, items=(VERDICT,)),
    "evidence-progress": record(PROGRESS),
    "evidence-tick": record(EDGE, ANOMALY, PROGRESS),
    "incident": IncidentRecord(incident=INCIDENT),
    "incident-abstained": IncidentRecord(incident=ABSTAINED),
    "candidate": CANDIDATE,
    "explanation": EXPLANATION,
    "enriched-alert": ENRICHED,
    "dead-letter": DEAD_LETTER,
}
EVENTS = {
    "incident-opened.cloudevent": cloudevents.encode_incident(INCIDENT),
    "incident-resolved.cloudevent": cloudevents.encode_incident(ABSTAINED),
    "enriched-alert.cloudevent": cloudevents.encode_alert(ENRICHED),
}


def goldens() -> dict[str, bytes]:
    """Canonical bytes of every example, by file name without suffix."""
    return {name: codec.encode(message) for name, message in MESSAGES.items()} | EVENTS


if __name__ == "__main__":
    for name, value in goldens().items():
        pretty = orjson.dumps(orjson.loads(value), option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS)
        (FOLDER / f"{name}.json").write_bytes(pretty + b"\n")

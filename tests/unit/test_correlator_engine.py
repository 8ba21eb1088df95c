import time
from itertools import pairwise

import pytest

from correlator import Engine, EngineConfig
from correlator.evidence import Change, ChangeKind, Edge, EdgeSource, Progress, Verdict
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
        source="edge" if peer else source,
        metric=f"{family}_x",
        family=family,
        unit="%" if family is Family.ERROR else "s",
        peer=peer,
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


def test_a_summary_leads_with_what_can_be_a_cause_though_an_effect_is_louder():
    def louder(item):
        effect = isinstance(item, Anomaly) and item.service == "db" and item.signal.family is Family.LATENCY
        return (
            item.model_copy(update={"score": 14.0, "peak_score": 14.0, "observed": 9.0}) if effect else item
        )

    _, out = run(map(louder, cascade()), T0 + 40 * MINUTE)
    first = out[-1].hypotheses[0]
    assert first.service == "db"
    assert first.summary.startswith("CPU up: cpu_x 2 s against 1 s since ")


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


def change(service, at_ms, kind=ChangeKind.DEPLOY, name="c1", **more):
    return Change(id=name, domain="shop", ts_ms=at_ms, kind=kind, service=service, **more)


def episode(service, family, minute, *, length=3, score=8.0, **more):
    first = T0 + minute * MINUTE
    for k in range(length):
        yield anomaly(service, family, first + k * MINUTE, score, first_ms=first, **more)


def ids(incidents):
    return {incident.id for incident in incidents}


def test_two_faults_far_apart_in_the_graph_are_two_incidents():
    chain = ["a", "b", "c", "d", "e", "f", "g"]
    evidence = [edge(x, y) for x, y in pairwise(chain)]
    for service in ("a", "g"):
        evidence += [*episode(service, Family.CPU, 10, score=9), *episode(service, Family.ERROR, 10, score=9)]
    _, out = run(evidence, T0 + 30 * MINUTE)
    assert len(ids(out)) == 2
    assert {i.hypotheses[0].service for i in out} == {"a", "g"}


def test_incidents_that_turn_out_to_be_one_are_merged_and_each_says_where_the_other_went():
    evidence = [edge(x, y) for x, y in pairwise("abcdefg")]
    for service, minute in (("a", 10), ("g", 11)):
        evidence += [*episode(service, Family.CPU, minute), *episode(service, Family.ERROR, minute)]
    engine, apart = run(evidence, T0 + 13 * MINUTE)
    older, younger = dict.fromkeys(i.id for i in apart)
    engine.apply(edge("a", "g"))
    merged = [i for at in range(13, 40) for i in engine.apply(progress(T0 + at * MINUTE))]
    kept = [i for i in merged if i.id == older]
    gone = [i for i in merged if i.id == younger]
    assert kept[-1].supersedes == (younger,)
    assert [(i.status, i.what_changed) for i in gone] == [("closed", f"merged into {older}")]
    assert {e.service for e in kept[-1].evidence} == {"a", "g"}


def test_the_watermark_is_the_lowest_of_all_sources():
    engine = Engine("shop")
    for item in cascade():
        engine.apply(item)
    late = T0 + 40 * MINUTE
    assert engine.apply(Progress(domain="shop", source="p0", sources=2, watermark_ms=late)) == []
    assert engine.apply(Progress(domain="shop", source="p1", sources=2, watermark_ms=T0)) == []
    assert engine.apply(Progress(domain="shop", source="p1", sources=2, watermark_ms=late)) != []


def test_late_evidence_revises_a_closed_incident_and_may_flip_the_ranking():
    engine, out = run([edge("web", "db"), *episode("web", Family.ERROR, 10)], T0 + 40 * MINUTE)
    assert out[-1].settled
    assert out[-1].hypotheses[0].service == "web"
    for item in [*episode("db", Family.ERROR, 10, score=10), *episode("db", Family.SATURATION, 10, score=10)]:
        engine.apply(item)
    again = engine.apply(progress(T0 + 41 * MINUTE))
    assert ids(again) == ids(out)
    assert again[-1].revision == out[-1].revision + 1
    assert again[-1].hypotheses[0].service == "db"
    assert "late evidence" in again[-1].what_changed


def test_a_healthy_peak_and_a_recovery_open_nothing():
    peak = [edge("web", "cart")]
    for service in ("web", "cart"):
        peak += [*episode(service, Family.LOAD, 10), *episode(service, Family.CPU, 10, score=6)]
        peak += episode(service, Family.LATENCY, 20, direction="down", score=9, observed=0.5)
    assert run(peak, T0 + 40 * MINUTE)[1] == []


def test_a_deploy_of_what_merely_waits_is_exonerated_with_the_reason():
    deploy = change("web", T0 + 9 * MINUTE, summary="new banner")
    settled = run([*cascade(), deploy], T0 + 40 * MINUTE)[1][-1]
    assert settled.hypotheses[0].service == "db"
    assert settled.hypotheses[0].change_id is None
    (reason,) = [e.reason for e in settled.exonerated if e.change_id == "c1"]
    assert "web waits for db" in reason


def test_a_change_of_the_root_just_before_is_named_and_one_after_is_not():
    before = change("db", T0 + 8 * MINUTE, ChangeKind.CONFIG, "before")
    after = change("db", T0 + 13 * MINUTE, ChangeKind.CONFIG, "after")
    settled = run([*cascade(), before, after], T0 + 40 * MINUTE)[1][-1]
    assert settled.hypotheses[0].change_id == "before"
    assert any("after it began" in e.reason for e in settled.exonerated if e.change_id == "after")


def test_a_dependency_without_telemetry_is_found_through_its_callers():
    evidence = [edge("web", "cart"), edge("web", "auth")]
    for caller in ("cart", "auth"):
        evidence.append(edge(caller, "redis"))
        evidence += episode(caller, Family.ERROR, 10, peer="redis", score=9)
        evidence += episode(caller, Family.ERROR, 10, score=8, observed=40.0)
    settled = run(evidence, T0 + 40 * MINUTE)[1][-1]
    assert settled.hypotheses[0].service == "redis"
    assert any("redis" in line for line in settled.not_checked)
    assert any(e.endswith("→ redis") for e in settled.discovered)


def test_a_job_that_has_grown_is_the_cause_and_the_deploy_of_the_loudest_is_not():
    day = 24 * 60 * MINUTE
    night = T0 + 20 * day
    jobs = [
        change(
            "db",
            night - n * day,
            ChangeKind.JOB,
            f"j{n}",
            end_ms=night - n * day + (40 - 2 * n) * MINUTE,
            attributes={"job": "settle"},
        )
        for n in range(1, 13)
    ]
    jobs.append(change("db", night, ChangeKind.JOB, "tonight", attributes={"job": "settle"}))
    engine, out = Engine("shop"), []
    deploy = change("web", night - 3 * MINUTE, name="innocent")
    shift = night - T0 - 8 * MINUTE
    moved = [
        i.model_copy(
            update={k: getattr(i, k) + shift for k in ("ts_ms", "first_ms", "onset_ms")}
            if i.type == "anomaly"
            else {"last_seen_ms": night - 60 * MINUTE}
        )
        for i in cascade()
    ]
    for item in [*jobs, deploy, *moved]:
        engine.apply(item)
    for minute in range(40):
        out += engine.apply(progress(night + minute * MINUTE))
    first = out[-1].hypotheses[0]
    assert (first.service, first.kind, first.change_id) == ("db", "job", "tonight")
    assert "grown to" in next(f.why for f in first.factors if f.name == "job_recurrence")
    assert "innocent" in {e.change_id for e in out[-1].exonerated}


def test_a_maintenance_window_mutes_its_service_and_nothing_else():
    window = change("db", T0, ChangeKind.OTHER, end_ms=T0 + 60 * MINUTE, attributes={"maintenance": "true"})
    alone = [edge("web", "db"), window, *episode("db", Family.CPU, 10), *episode("db", Family.ERROR, 10)]
    assert run(alone, T0 + 40 * MINUTE)[1] == []
    other = [*episode("cart", Family.CPU, 10), *episode("cart", Family.ERROR, 10)]
    assert {i.hypotheses[0].service for i in run([*alone, *other], T0 + 40 * MINUTE)[1]} == {"cart"}


def test_a_candidate_for_a_model_has_lasted_a_minute():
    _, out = run(cascade(), T0 + 40 * MINUTE)
    assert not out[0].is_candidate
    assert out[-1].is_candidate
    ripe = next(i for i in out if i.is_candidate)
    assert ripe.published_ms - ripe.opened_ms >= MINUTE


def test_a_factor_that_is_left_out_is_not_in_the_output():
    engine = Engine("shop", EngineConfig(without=frozenset({"coverage"})))
    for item in cascade():
        engine.apply(item)
    out = engine.apply(progress(T0 + 40 * MINUTE))
    names = {f.name for h in out[-1].hypotheses for f in h.factors}
    assert "own_severity" in names
    assert "coverage" not in names


def test_ranking_at_a_told_time_needs_no_open_incident():
    engine, _ = run([edge("web", "db"), *episode("db", Family.LATENCY, 10, score=2.5)], T0 + 14 * MINUTE)
    told = engine.rank_at(T0 + 9 * MINUTE)
    assert told.hypotheses[0].service == "db"


def test_a_verdict_counts_for_the_service_that_was_named():
    engine, out = run(cascade(), T0 + 40 * MINUTE)
    verdict = Verdict(
        id="v1", domain="shop", ts_ms=T0 + 41 * MINUTE, incident_id=out[-1].id, root_service="db", right=True
    )
    engine.apply(verdict)
    engine.apply(progress(T0 + 42 * MINUTE))
    assert engine.memory.past.named_right == {"db": 1}
    assert engine.memory.calibration.labels == 1


@pytest.mark.parametrize("state", [b"", b"{", b'{"version": 99}', b'{"version": 1}'])
def test_a_damaged_or_foreign_state_is_refused(state):
    with pytest.raises(ValueError, match="correlator state"):
        Engine.load(state)


def test_a_storm_is_absorbed_in_bounded_time_and_memory():
    engine = Engine("shop")
    began = time.perf_counter()
    for second in range(3):
        for number in range(10_000):
            at = T0 + 10 * MINUTE + second * 1000
            service = f"s{number % 500}"
            signal = Signal(source="log", metric=f"t{number}", family=Family.LOG)
            engine.apply(
                anomaly(service, Family.LOG, at, 4.0).model_copy(
                    update={"id": f"an-{number}-{second}", "signal": signal}
                )
            )
    engine.apply(progress(T0 + 12 * MINUTE))
    assert time.perf_counter() - began < 30
    assert sum(len(mine) for mine in engine.memory.window.episodes.values()) <= 500 * 120
    assert len(engine.memory.incidents) <= 500


@pytest.mark.parametrize(("later", "incidents"), [(3, 2), (0, 1)])
def test_a_fault_that_begins_near_an_open_incident_and_later_is_an_incident_of_its_own(later, incidents):
    """What breaks minutes later next door is no part of a cascade, which takes seconds a hop."""
    evidence = [edge("web", "cart"), edge("cart", "cart-db"), edge("web", "search-db")]
    for service, minute in (("cart-db", 10), ("search-db", 10 + later)):
        evidence += episode(service, Family.CPU, minute, score=9, length=6)
        evidence += episode(service, Family.ERROR, minute, score=9, length=6, observed=40.0)
    evidence += episode("cart", Family.ERROR, 10, score=7, length=6, observed=40.0)
    _, out = run(evidence, T0 + 40 * MINUTE)
    gone = {name for i in out for name in i.supersedes}
    left = {i.id: i for i in out if i.settled and i.id not in gone}
    assert len(left) == incidents
    if incidents == 2:
        assert {i.hypotheses[0].service for i in left.values()} == {"cart-db", "search-db"}

"""Evidence becomes incidents: when they open, what joins them, how they are revised and how they end."""

import time
from itertools import pairwise

import pytest

from correlator import Engine
from correlator.evidence import Change, ChangeKind, Progress
from detectors.anomaly import Family, Signal
from tests.hand_made import MINUTE, T0, anomaly, cascade, change, edge, ids, lasting, progress, run


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


def test_two_faults_far_apart_in_the_graph_are_two_incidents():
    chain = ["a", "b", "c", "d", "e", "f", "g"]
    evidence = [edge(x, y) for x, y in pairwise(chain)]
    for service in ("a", "g"):
        evidence += [*lasting(service, Family.CPU, 10, score=9), *lasting(service, Family.ERROR, 10, score=9)]
    _, out = run(evidence, T0 + 30 * MINUTE)
    assert len(ids(out)) == 2
    assert {i.hypotheses[0].service for i in out} == {"a", "g"}


def test_incidents_that_turn_out_to_be_one_are_merged_and_each_says_where_the_other_went():
    evidence = [edge(x, y) for x, y in pairwise("abcdefg")]
    for service, minute in (("a", 10), ("g", 11)):
        evidence += [*lasting(service, Family.CPU, minute), *lasting(service, Family.ERROR, minute)]
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
    engine, out = run([edge("web", "db"), *lasting("web", Family.ERROR, 10)], T0 + 40 * MINUTE)
    assert out[-1].settled
    assert out[-1].hypotheses[0].service == "web"
    for item in [*lasting("db", Family.ERROR, 10, score=10), *lasting("db", Family.SATURATION, 10, score=10)]:
        engine.apply(item)
    again = engine.apply(progress(T0 + 41 * MINUTE))
    assert ids(again) == ids(out)
    assert again[-1].revision == out[-1].revision + 1
    assert again[-1].hypotheses[0].service == "db"
    assert "late evidence" in again[-1].what_changed


def test_a_healthy_peak_and_a_recovery_open_nothing():
    peak = [edge("web", "cart")]
    for service in ("web", "cart"):
        peak += [*lasting(service, Family.LOAD, 10), *lasting(service, Family.CPU, 10, score=6)]
        peak += lasting(service, Family.LATENCY, 20, direction="down", score=9, observed=0.5)
    assert run(peak, T0 + 40 * MINUTE)[1] == []


def test_a_maintenance_window_mutes_its_service_and_nothing_else():
    window = change("db", T0, ChangeKind.OTHER, end_ms=T0 + 60 * MINUTE, attributes={"maintenance": "true"})
    alone = [edge("web", "db"), window, *lasting("db", Family.CPU, 10), *lasting("db", Family.ERROR, 10)]
    assert run(alone, T0 + 40 * MINUTE)[1] == []
    other = [*lasting("cart", Family.CPU, 10), *lasting("cart", Family.ERROR, 10)]
    assert {i.hypotheses[0].service for i in run([*alone, *other], T0 + 40 * MINUTE)[1]} == {"cart"}


def test_a_candidate_for_a_model_has_lasted_a_minute():
    _, out = run(cascade(), T0 + 40 * MINUTE)
    assert not out[0].is_candidate
    assert out[-1].is_candidate
    ripe = next(i for i in out if i.is_candidate)
    assert ripe.published_ms - ripe.opened_ms >= MINUTE


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
        evidence += lasting(service, Family.CPU, minute, score=9, length=6)
        evidence += lasting(service, Family.ERROR, minute, score=9, length=6, observed=40.0)
    evidence += lasting("cart", Family.ERROR, 10, score=7, length=6, observed=40.0)
    _, out = run(evidence, T0 + 40 * MINUTE)
    gone = {name for i in out for name in i.supersedes}
    left = {i.id: i for i in out if i.settled and i.id not in gone}
    assert len(left) == incidents
    if incidents == 2:
        assert {i.hypotheses[0].service for i in left.values()} == {"cart-db", "search-db"}

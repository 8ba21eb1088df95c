"""Two faults at once next door are two incidents; what follows from the first is not a second."""

import pytest

from correlator import Engine
from correlator.evidence_window import EvidenceWindow
from detectors.anomaly import Family
from tests.unit.test_correlator_engine import MINUTE, T0, edge, episode, ids, progress, run


def shop():
    """Web calls api, api calls db; api fails and runs hot from minute 10 on, web suffers."""
    evidence = [edge("web", "api"), edge("api", "db")]
    evidence += [*episode("api", Family.CPU, 10, length=12), *episode("api", Family.ERROR, 10, length=12)]
    evidence += [*episode("web", Family.ERROR, 10, length=12, score=7.0)]
    return evidence


def later_at(service, minute=15):
    return [
        *episode(service, Family.SATURATION, minute, length=6, score=9.0),
        *episode(service, Family.ERROR, minute, length=6, score=9.0),
    ]


def opened(evidence):
    _, out = run(evidence, T0 + 60 * MINUTE)
    last = {incident.id: incident for incident in out}
    return [i.hypotheses[0].service for i in last.values()]


def test_a_callee_that_falls_ill_by_itself_minutes_later_is_an_incident_of_its_own():
    assert opened([*shop(), *later_at("db")]) == ["api", "db"]


def test_a_caller_that_suffers_more_minutes_later_is_still_the_first_incident():
    assert opened([*shop(), *later_at("web")]) == ["api"]


def test_a_callee_that_is_asked_more_than_usual_is_still_the_first_incident():
    more = episode("db", Family.LOAD, 15, length=6, score=9.0, observed=4.0)
    assert opened([*shop(), *later_at("db"), *more]) == ["api"]


def test_a_callee_that_was_ill_from_the_beginning_is_still_the_first_incident():
    early = episode("db", Family.LATENCY, 10, length=12, score=7.0)
    assert len(opened([*shop(), *early, *later_at("db")])) == 1


def test_the_two_stay_two_over_a_restart_and_however_long_both_last():
    engine, kept = Engine("shop"), []
    for item in [*shop(), *later_at("db")]:
        engine.apply(item)
    for minute in range(60):
        kept += engine.apply(progress(T0 + minute * MINUTE))
        engine = Engine.load(engine.dump())
    assert len(ids(kept)) == 2
    assert not any("merged" in i.what_changed for i in kept)


@pytest.mark.parametrize(("direction", "course"), [("up", (1.5, 9.0, 0.1)), ("down", (0.8, 0.2, 3.0))])
def test_what_an_episode_shows_at_its_worst_lies_on_its_own_side(direction, course):
    window = EvidenceWindow()
    updates = episode("db", Family.LOAD, 10, direction=direction)
    for score, (update, observed) in enumerate(zip(updates, course, strict=True), start=4):
        kept = window.add_anomaly(update.model_copy(update={"score": float(score), "observed": observed}))
    assert kept.worst[1] == course[1]

"""Two faults at once next door are two incidents; what follows from the first is not a second."""

import pytest

from correlator import Engine
from correlator.apart import beside
from correlator.assignment import merge
from correlator.evidence_window import EvidenceWindow
from correlator.grouping import OpenIncident
from correlator.opening import OPEN_AT
from correlator.present import pressures, weigh_now
from detectors.anomaly import Family
from tests.hand_made import MINUTE, STEP, T0, edge, ids, lasting, progress, run


def shop():
    """Web calls api, api calls db; api fails and runs hot from minute 10 on, web suffers."""
    evidence = [edge("web", "api"), edge("api", "db")]
    evidence += [*lasting("api", Family.CPU, 10, length=12), *lasting("api", Family.ERROR, 10, length=12)]
    evidence += [*lasting("web", Family.ERROR, 10, length=12, score=7.0)]
    return evidence


def later_at(service, minute=15):
    return [
        *lasting(service, Family.SATURATION, minute, length=6, score=9.0),
        *lasting(service, Family.ERROR, minute, length=6, score=9.0),
    ]


def last_words(evidence):
    """The last revision of each incident, in order of opening."""
    _, out = run(evidence, T0 + 60 * MINUTE)
    return list({incident.id: incident for incident in out}.values())


def opened(evidence):
    return [incident.hypotheses[0].service for incident in last_words(evidence)]


def test_a_callee_that_falls_ill_by_itself_minutes_later_is_an_incident_of_its_own():
    assert opened([*shop(), *later_at("db")]) == ["api", "db"]


def test_a_caller_that_suffers_more_minutes_later_is_still_the_first_incident():
    assert opened([*shop(), *later_at("web")]) == ["api"]


def test_a_callee_that_is_asked_more_than_usual_is_still_the_first_incident():
    more = lasting("db", Family.LOAD, 15, length=6, score=9.0, observed=4.0)
    assert opened([*shop(), *later_at("db"), *more]) == ["api"]


def test_a_caller_that_was_well_until_then_is_still_the_first_incident():
    assert opened([*shop(), edge("mobile", "api"), *later_at("mobile")]) == ["api"]


def test_a_callee_that_was_ill_from_the_beginning_is_still_the_first_incident():
    early = lasting("db", Family.LATENCY, 10, length=12, score=4.5)
    assert opened([*shop(), *early, *later_at("db")]) == ["api"]


def crashed(load_moves, fails):
    """A caller of api whose calls to its own store stop while what is asked of it fails, or takes longer."""
    stopped = lasting(
        "mobile", Family.LOAD, 15, length=6, score=18.0, peer="store", direction="down", observed=0.1
    )
    failing = {"observed": 90.0, "expected": 0.0} if fails else {"observed": 9.0}
    family = Family.ERROR if fails else Family.LATENCY
    answers = lasting("front", family, 15, length=6, score=9.0, peer="mobile", **failing)
    more = lasting("mobile", Family.LOAD, 15, length=6, score=9.0, observed=4.0) if load_moves else ()
    edges = [edge("mobile", "api"), edge("mobile", "store"), edge("front", "mobile")]
    return [*edges, *stopped, *answers, *more]


@pytest.mark.parametrize(
    ("load_moves", "fails", "roots"),
    [(False, True, ["api", "mobile"]), (True, True, ["api"]), (False, False, ["api"])],
)
def test_a_caller_that_fails_before_it_calls_is_an_incident_of_its_own(load_moves, fails, roots):
    assert opened([*shop(), *crashed(load_moves, fails)]) == roots


def test_a_caller_that_fails_on_the_root_before_it_comes_to_the_next_is_still_the_first_incident():
    calls = lasting("mobile", Family.ERROR, 15, length=6, score=12.0, peer="api", observed=95.0, expected=0.0)
    assert opened([*shop(), *crashed(load_moves=False, fails=True), *calls]) == ["api"]


@pytest.mark.parametrize(
    "beside",
    [
        {"family": Family.LOAD, "peer": "api", "direction": "down", "observed": 0.1},
        {"family": Family.CLIENT_LATENCY, "peer": "mail", "observed": 9.0},
    ],
    ids=["calls to the root stop as well", "calls to somebody else take longer"],
)
def test_only_trouble_on_its_calls_towards_the_root_keeps_a_caller_that_fails(beside):
    family, more = beside["family"], {k: v for k, v in beside.items() if k != "family"}
    calls = lasting("mobile", family, 15, length=6, score=6.0, **more)
    assert opened([*shop(), *crashed(load_moves=False, fails=True), *calls]) == ["api", "mobile"]


def test_a_slow_callee_without_telemetry_is_an_incident_of_its_own():
    waits = lasting("api", Family.CLIENT_LATENCY, 13, peer="bank", length=6, score=12.0, observed=9.0)
    assert len(opened([*shop(), edge("api", "bank"), *waits])) == 2


def provider(tried_again_min):
    """Calls of api to a provider without telemetry fail from minute 13 on."""
    failing = {"length": 6, "score": 12.0, "observed": 60.0, "expected": 0.0}
    again = {"length": 6, "score": 9.0, "observed": 3.0, "peer": "bank"}
    return [
        edge("api", "bank"),
        *lasting("api", Family.ERROR, 13, peer="bank", **failing),
        *lasting("api", Family.LOAD, tried_again_min, **again),
    ]


@pytest.mark.parametrize(("tried_again_min", "incidents"), [(14, 2), (13, 1)])
def test_a_callee_without_telemetry_that_fails_is_another_unless_it_was_asked_more_before(
    tried_again_min, incidents
):
    assert len(opened([*shop(), *provider(tried_again_min)])) == incidents


def test_a_callee_with_telemetry_that_shows_nothing_itself_is_still_the_first_incident():
    heard = lasting("bank", Family.CPU, 1, length=1, score=1.4)
    assert len(opened([*shop(), *heard, *provider(14)])) == 1


def faint():
    return lasting("db", Family.LATENCY, 10, score=2.9)


def test_a_callee_that_showed_a_trace_of_it_leaves_the_first_incident_for_its_own():
    first, second = last_words([*shop(), *faint(), *later_at("db")])
    assert "db" not in first.services
    assert "db" in second.services


def test_a_lone_sign_of_a_callee_that_took_part_is_the_aftermath_of_the_first_incident():
    assert opened([*shop(), *faint(), *lasting("db", Family.ERROR, 15, length=6, score=9.0)]) == ["api"]


def test_what_is_left_of_the_second_does_not_go_back_to_the_first():
    first, second = last_words([*shop(), *later_at("db"), *lasting("db", Family.LATENCY, 19, score=4.0)])
    assert "db" not in first.services
    assert "db" in second.services


def slow_api():
    """Web calls api and a store; api is slow from minute 10 on, and web a little."""
    return [
        edge("web", "api"),
        edge("web", "store"),
        *lasting("api", Family.CPU, 10, length=12, score=6.0),
        *lasting("api", Family.LATENCY, 10, length=12, score=4.0),
        *lasting("web", Family.LATENCY, 10, length=12, score=4.0),
    ]


def test_what_a_caller_suffers_of_the_second_does_not_make_it_the_root_of_the_first():
    suffers = [
        reading
        for family in (Family.ERROR, Family.SATURATION, Family.LOG)
        for reading in lasting("web", family, 12, length=6, score=12.0)
    ]
    assert opened([*slow_api(), *later_at("store", 12), *suffers]) == ["api", "store"]


def test_calls_to_the_second_that_fail_as_often_as_a_caller_does_explain_it_in_the_first():
    busy = [
        *lasting("store", Family.CPU, 12, length=6, score=6.0),
        *lasting("store", Family.SATURATION, 12, length=6, score=6.0),
    ]
    failed = {"length": 6, "observed": 60.0, "expected": 0.0}
    suffers = [
        *lasting("web", Family.ERROR, 12, peer="store", score=2.5, **failed),
        *lasting("web", Family.ERROR, 12, score=8.0, **failed),
        *lasting("web", Family.LOG, 12, length=6, score=8.0),
    ]
    assert opened([*slow_api(), *busy, *suffers]) == ["api", "store"]


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
    updates = lasting("db", Family.LOAD, 10, direction=direction)
    for score, (update, observed) in enumerate(zip(updates, course, strict=True), start=4):
        kept = window.add_anomaly(update.model_copy(update={"score": float(score), "observed": observed}))
    assert kept.worst[1] == course[1]


def test_a_surge_that_collapsed_before_it_was_told_of_is_known_by_the_samples_around_it():
    window = EvidenceWindow()
    (told,) = lasting("db", Family.LOAD, 10, length=1)
    course = tuple((told.ts_ms + k * STEP, x) for k, x in ((-9, 20.0), (-3, 9.0), (-2, 6.0), (0, 0.1)))
    kept = window.add_anomaly(told.model_copy(update={"observed": 0.1, "sample": course}))
    assert kept.worst[1] == 9.0


def test_a_success_rate_is_known_by_how_far_it_fell():
    window = EvidenceWindow()
    updates = lasting("db", Family.ERROR, 10, direction="up", unit="%", expected=100.0, length=3)
    for score, (update, observed) in enumerate(zip(updates, (97.0, 60.0, 55.0), strict=True), start=4):
        more = {"score": float(score), "observed": observed, "sample": ((update.ts_ms, 100.0),)}
        kept = window.add_anomaly(update.model_copy(update=more))
    assert kept.worst[1:] == (55.0, 100.0)


def test_samples_of_five_minutes_do_not_say_which_of_two_began_later():
    def coarse(items):
        return [
            item.model_copy(update={"interval_ms": 5 * MINUTE}) if item.type == "anomaly" else item
            for item in items
        ]

    assert opened(coarse([*shop(), *later_at("db", 25)])) == ["api"]
    assert len(opened([*shop(), *later_at("db", 19)])) == 2


@pytest.mark.parametrize(
    ("later_min", "interval_ms", "gone"),
    [(0, STEP, ["younger"]), (3, STEP, []), (3, 5 * MINUTE, ["younger"])],
)
def test_two_that_share_who_suffers_are_one_only_if_they_began_together(later_min, interval_ms, gone):
    engine, _ = run([edge("web", "api"), edge("web", "x"), edge("x", "db")], T0 + MINUTE)
    memory = engine.memory
    for number, (name, top) in enumerate((("older", "api"), ("younger", "db"))):
        onset_ms = T0 + number * later_min * MINUTE
        opened_ms = onset_ms + number * MINUTE
        services = {top, "web"}
        memory.incidents[name] = OpenIncident(
            name, opened_ms, onset_ms, T0 + 5 * MINUTE, interval_ms, services, top=top
        )
    assert [state.id for state in merge(memory, T0 + 6 * MINUTE)] == gone


@pytest.mark.parametrize(("about", "leave"), [({"api", "db"}, {"db"}), ({"db"}, set())])
def test_what_alone_an_incident_is_about_cannot_leave_it(about, leave):
    engine, _ = run([*shop(), *later_at("db")], T0 + 17 * MINUTE)
    memory, now_ms = engine.memory, T0 + 17 * MINUTE
    first, second = memory.in_order()
    del memory.incidents[second.id]
    first.services = about
    waiting = pressures(memory, weigh_now(memory, now_ms, memory.live.values()), now_ms)
    assert beside(memory, first, [waiting["db"]], OPEN_AT, now_ms) == leave

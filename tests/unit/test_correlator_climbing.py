"""Memory that goes on growing is told before it is full, and what is loaded once is not."""

import json
import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from correlator.climbing import grows
from correlator.engine import Engine
from correlator.evidence import ChangeKind
from correlator.evidence_window import Episode
from detectors.anomaly import Family
from tests.hand_made import MINUTE, STEP, T0, anomaly, change, edge, episode, opened, progress

SAMPLES = 12
BEGINS = T0 + 10 * MINUTE


def memory(service, course, *, unit="By", score=10.0, family=Family.MEMORY, from_ms=BEGINS):
    """One episode of a series that was 1 before and follows `course` (minute → times the usual)."""
    for at in range(from_ms, from_ms + 12 * MINUTE, STEP):
        times = [at - k * STEP for k in reversed(range(SAMPLES))]
        sample = tuple((ts, 1e9 * course(max(0.0, (ts - from_ms) / MINUTE))) for ts in times)
        said = anomaly(service, family, at, score, unit=unit, first_ms=from_ms, interval_ms=STEP,
                       observed=sample[-1][1], expected=1e9)  # fmt: skip
        if sample[-1][1] > 1.15e9:
            yield said.model_copy(update={"sample": sample})


def leak(minute):
    return 1.0 + 0.15 * minute


def report(minute):
    return 1.0 + min(0.8, 1.6 * minute)


def cache(minute):
    return 2.0 - 0.5**minute


def test_a_leak_is_told_within_five_minutes_before_anything_else_happens():
    (incident,) = opened([edge("web", "cart"), *memory("cart", leak)], BEGINS + 5 * MINUTE).values()
    assert incident.hypotheses[0].service == "cart"
    assert "memory up" in incident.title
    assert re.search(r"growing by about 1[3-5]\d MB a minute", incident.hypotheses[0].summary)


@pytest.mark.parametrize("course", [report, cache])
def test_what_is_loaded_and_kept_wakes_nobody(course):
    assert opened([edge("web", "cart"), *memory("cart", course)]) == {}


def test_it_takes_three_updates_in_a_row_to_be_sure():
    line, step = [1.0 + 0.1 * k for k in range(SAMPLES)], [1.0] * 6 + [2.0] * 6
    course = [line, step, line, line, line, step, line]
    updates = [_update(values, T0 + k * STEP) for k, values in enumerate(course)]
    episode, said = Episode(updates[0]), []
    for update in updates:
        episode.take(update)
        said.append(episode.climbs)
    assert said == [False, False, False, False, True, False, False]


def test_a_late_update_says_nothing_of_now():
    line, step = [1.0 + 0.1 * k for k in range(SAMPLES)], [1.0] * 6 + [2.0] * 6
    episode = Episode(_update(line, T0))
    for values, k in ((line, 0), (line, 2), (step, 1), (line, 3)):
        episode.take(_update(values, T0 + k * STEP))
        assert episode.climbs is (k > 0)


def test_a_correction_takes_back_what_was_sure():
    line, step = [1.0 + 0.1 * k for k in range(SAMPLES)], [1.0] * 6 + [2.0] * 6
    episode = Episode(_update(line, T0))
    for values, k in ((line, 0), (line, 2), (step, 2)):
        episode.take(_update(values, T0 + k * STEP))
    assert not episode.climbs


def test_a_series_that_fell_silent_does_not_grow():
    line = [1.0 + 0.1 * k for k in range(SAMPLES)]
    episode = Episode(_update(line, T0))
    for k, status in ((0, "open"), (2, "closed")):
        said = _update(line, T0 + k * STEP).model_copy(update={"status": status})
        episode.take(said)
    assert not episode.climbs


@pytest.mark.parametrize(("interval_s", "sure"), [(5, False), (15, True), (60, True)])
def test_samples_of_a_minute_do_not_tell_a_leak_from_a_report(interval_s, sure):
    line = tuple((T0 + k * interval_s * 1000, 1.0 + 0.1 * k) for k in range(SAMPLES))
    assert grows(_update([]).model_copy(update={"sample": line})) is sure


def test_a_store_that_fills_up_wakes_nobody():
    calls = edge("web", "sessions").model_copy(update={"callee_kind": "cache"})
    assert opened([calls, *memory("sessions", leak)]) == {}


@pytest.mark.parametrize(("began_min", "incidents"), [(1, 0), (-6, 1)])
def test_processes_that_have_just_begun_may_fill_their_memory(began_min, incidents):
    began = change("cart", BEGINS + began_min * MINUTE, kind=ChangeKind.DEPLOY)
    said = opened([edge("web", "cart"), began, *memory("cart", leak, score=14.0)], BEGINS + 5 * MINUTE)
    assert len(said) == incidents


@pytest.mark.parametrize("unit", ["s", "s/s", "By/s", "1/s"])
def test_longer_collections_of_garbage_or_more_of_it_are_no_leak(unit):
    assert opened([edge("web", "cart"), *memory("cart", leak, unit=unit)]) == {}


def test_a_faint_climb_does_not_make_a_harmless_processor_an_incident():
    calm = episode("web", Family.CLIENT_LATENCY, T0, minutes=1, score=1.4, peer="cart")
    busy = episode("cart", Family.CPU, BEGINS, minutes=9, score=12.0, unit="{cpu}", observed=3.0)
    faint = memory("cart", leak, score=1.4)
    assert opened([edge("web", "cart"), *calm, *busy, *faint]) == {}


def test_an_incident_lasts_as_long_as_the_memory_climbs_and_is_one():
    engine = Engine("shop")
    for item in [edge("web", "cart"), *memory("cart", leak)]:
        engine.apply(item)
    said = [i for at in range(T0, T0 + 40 * MINUTE, STEP) for i in engine.apply(progress(at))]
    assert len({i.id for i in said}) == 1
    (closed,) = (i.closed_ms for i in said if i.closed_ms is not None)
    assert closed >= BEGINS + 12 * MINUTE


def test_a_leak_stays_the_root_although_a_neighbour_stumbles():
    """Users feel the neighbour, and none of that depends on the leak; its own harm is yet to come."""
    stumbles = [
        anomaly("search", Family.LATENCY, at, 4.0, first_ms=BEGINS + 4 * MINUTE, interval_ms=STEP,
                observed=3.0)
        for at in range(BEGINS + 4 * MINUTE, BEGINS + 6 * MINUTE, STEP)
    ]  # fmt: skip
    items = [edge("web", "cart"), edge("cart", "search"), *memory("cart", leak), *stumbles]
    incidents = opened(items, BEGINS + 8 * MINUTE)
    assert [i.hypotheses[0].service for i in incidents.values()] == ["cart"]


def test_a_climb_goes_on_over_a_restart():
    items = [edge("web", "cart"), *memory("cart", leak)]
    whole = Engine("shop")
    for item in items:
        whole.apply(item)
    at_ms = BEGINS
    while not _last(whole, "cart").grows_from_ms:  # one sample before it is sure
        at_ms += STEP
        assert whole.apply(progress(at_ms)) == []
    again = Engine.load(whole.dump())
    assert again.dump() == whole.dump()
    (at_once, after) = (engine.apply(progress(at_ms + 3 * STEP)) for engine in (whole, again))
    assert at_once
    assert after == at_once


def _last(engine, service):
    """The newest episode of a service, or a new one where there is none."""
    held = engine.memory.window.episodes.get(service, {})
    return max(
        held.values(), key=lambda e: e.anomaly.ts_ms, default=Episode(anomaly(service, Family.MEMORY, T0))
    )


def test_a_state_from_before_climbs_were_followed_is_read():
    engine = Engine("shop")
    for item in [edge("web", "cart"), *memory("cart", leak)]:
        engine.apply(item)
    engine.apply(progress(BEGINS + 3 * MINUTE))
    state = json.loads(engine.dump())
    state["episodes"] = [kept[:5] for kept in state["episodes"]]
    assert Engine.load(json.dumps(state).encode()).memory.window.episodes


@given(
    slope=st.floats(0.002, 0.5),
    jitter=st.lists(st.floats(-0.2, 0.2), min_size=SAMPLES, max_size=SAMPLES),
)
def test_a_straight_line_grows_however_its_samples_jitter(slope, jitter):
    values = [1.0 + slope * (k + noise) for k, noise in enumerate(jitter)]
    assume(abs(values[-1] - values[0] - 0.2) > 1e-9)
    assert grows(_update(values)) is (values[-1] - values[0] >= 0.2)


@given(at=st.integers(1, SAMPLES - 1), high=st.floats(1.2, 9.0), rises=st.integers(1, 3))
def test_a_rise_of_less_than_a_minute_is_none(at, high, rises):
    """However far back in the samples it lies."""
    values = [1.0 + (high - 1.0) * min(1.0, max(0.0, (k - at + 1) / rises)) for k in range(SAMPLES)]
    assert not grows(_update(values))


@pytest.mark.parametrize("samples", [0, 1, 8])
def test_too_few_samples_tell_nothing(samples):
    assert not grows(_update([1.0 + 0.2 * k for k in range(samples)]))


def test_memory_that_falls_does_not_grow():
    update = _update([3.0 - 0.2 * k for k in range(SAMPLES)])
    assert not grows(update)
    assert not grows(
        _update([1.0 + 0.2 * k for k in range(SAMPLES)]).model_copy(update={"direction": "down"})
    )


def _update(values, at_ms=T0):
    said = anomaly("cart", Family.MEMORY, at_ms, unit="By", interval_ms=STEP, first_ms=T0)
    return said.model_copy(update={"sample": tuple((at_ms + k * STEP, x) for k, x in enumerate(values))})

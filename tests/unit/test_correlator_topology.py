import time

import pytest

from correlator.contradictions import contradictions
from correlator.evidence import Edge, EdgeSource
from correlator.schedule import Schedule
from correlator.topology import Topology

DAY = 86_400_000
HOUR = 3_600_000
TUESDAY = 5 * DAY


def edge(caller, callee, source=EdgeSource.SPAN, at=TUESDAY, **more):
    return Edge(
        domain="shop",
        caller=caller,
        callee=callee,
        source=source,
        first_seen_ms=more.pop("first", at),
        last_seen_ms=at,
        **more,
    )


def names(found):
    return [n.service for n in found]


def topology(*edges):
    made = Topology()
    for each in edges:
        made.apply(each)
    return made


def test_an_edge_except_on_tuesday_night_does_not_hold_then_and_holds_an_hour_later():
    made = topology(edge("web", "db", EdgeSource.DECLARED, schedule="except tue 02:00-04:00"))
    assert made.callees("web", TUESDAY + 3 * HOUR) == []
    assert names(made.callees("web", TUESDAY + 4 * HOUR)) == ["db"]


def test_a_span_past_midnight_belongs_to_the_day_on_which_it_began():
    night = Schedule.parse("mon 23:00-01:00")
    assert night.holds(TUESDAY + HOUR // 2)
    assert not night.holds(TUESDAY + 23 * HOUR)


@pytest.mark.parametrize("text", ["", "sometimes", "tue 25:00-26:00", "tue 02:70-04:00"])
def test_an_impossible_schedule_is_refused(text):
    with pytest.raises(ValueError, match="schedule"):
        Schedule.parse(text)


def test_trust_in_an_unseen_observation_decays_and_a_declaration_does_not():
    made = topology(edge("web", "db"), edge("web", "mq", EdgeSource.DECLARED))
    month = TUESDAY + 30 * DAY
    assert names(made.callees("web", month)) == ["mq"]
    assert made.callees("web", TUESDAY + 7 * DAY)[1].belief == pytest.approx(0.5)


def test_what_was_believed_then_differs_from_what_is_known_now():
    made = Topology()
    made.apply(edge("web", "db", EdgeSource.DECLARED), believed_ms=TUESDAY)
    made.apply(
        edge("web", "db", EdgeSource.DECLARED, valid_to_ms=TUESDAY + HOUR), believed_ms=TUESDAY + 5 * HOUR
    )
    asked = TUESDAY + 2 * HOUR
    assert names(made.callees("web", asked, believed_ms=asked)) == ["db"]
    assert made.callees("web", asked) == []
    assert len(list(made.facts())) == 2


def test_a_reused_address_draws_no_edge_until_the_flow_persists():
    made = topology(edge("web", "db", EdgeSource.FLOW))
    assert made.callees("web", TUESDAY) == []
    assert [c.kind for c in contradictions(made, TUESDAY)] == ["unconfirmed_flow"]
    made.apply(edge("web", "db", EdgeSource.FLOW, at=TUESDAY + 200_000))
    assert names(made.callees("web", TUESDAY + 200_000)) == ["db"]


def test_sources_are_independent_witnesses_and_a_denial_lowers_belief():
    flow = topology(edge("a", "b", EdgeSource.INFERRED)).edge("a", "b", TUESDAY)
    both = topology(edge("a", "b", EdgeSource.INFERRED), edge("a", "b", EdgeSource.CLIENT_METRIC))
    assert both.edge("a", "b", TUESDAY).belief > flow.belief
    denied = topology(edge("a", "b"), edge("a", "b", EdgeSource.DECLARED, valid_to_ms=TUESDAY - HOUR))
    assert denied.edge("a", "b", TUESDAY).belief < topology(edge("a", "b")).edge("a", "b", TUESDAY).belief


def test_an_undeclared_dependency_is_reported_where_others_are_declared():
    made = topology(edge("web", "cart", EdgeSource.DECLARED), edge("web", "cart"), edge("web", "redis"))
    assert [(c.kind, c.callee) for c in contradictions(made, TUESDAY)] == [("undeclared", "redis")]


def test_a_declared_edge_seen_outside_its_schedule_and_one_never_seen_are_reported():
    made = topology(
        edge("web", "db", EdgeSource.DECLARED, schedule="except tue 02:00-04:00"),
        edge("web", "db", at=TUESDAY + 3 * HOUR),
        edge("web", "old", EdgeSource.DECLARED),
    )
    kinds = {c.callee: c.kind for c in contradictions(made, TUESDAY + 3 * HOUR)}
    assert kinds == {"db": "outside_schedule", "old": "unobserved"}


def test_a_neighbourhood_as_of_a_time_takes_at_most_a_millisecond_among_100_000_edges():
    made = Topology()
    for number in range(100_000):
        made.apply(edge(f"s{number % 10_000}", f"s{(number * 7919 + number // 10_000 + 1) % 10_000}"))
    best = min(_timed(made, f"s{k * 97}") for k in range(50))
    assert best <= 0.001


def _timed(made, service):
    began = time.perf_counter()
    made.callees(service, TUESDAY)
    made.callers(service, TUESDAY)
    return time.perf_counter() - began

"""Which way trouble is said to have taken, on small hand-made evidence."""

from detectors.anomaly import Family
from tests.hand_made import MINUTE, T0, edge, episode, opened

START = T0 + 10 * MINUTE


def ill(service, times):
    """A service whose answers take so many times as long."""
    return episode(service, Family.LATENCY, START, observed=0.1 * times, expected=0.1)


def waits(caller, callee, times):
    return episode(
        caller, Family.CLIENT_LATENCY, START, observed=0.1 * times, expected=0.1, peer=callee, score=5.0
    )


def broken(service):
    return episode(service, Family.CPU, START, unit="%", observed=99.0, expected=20.0, score=14.0)


def way(items):
    (incident,) = opened(items).values()
    first = incident.hypotheses[0]
    return [first.service, *(hop.target for hop in first.chain)]


def test_the_way_leads_to_the_loudest_symptom_not_to_the_furthest():
    graph = [edge("web", "cart"), edge("mobile", "orders"), edge("orders", "cart"), edge("gate", "orders")]
    trouble = [*broken("cart"), *ill("cart", 2), *ill("web", 9), *ill("orders", 2), *ill("gate", 2)]
    assert way([*graph, *trouble]) == ["cart", "web"]


def test_of_two_equally_short_ways_the_one_is_taken_whose_edge_shows_more():
    graph = [edge("a", "db"), edge("b", "db"), edge("web", "a"), edge("web", "b")]
    trouble = [*broken("db"), *ill("db", 3), *ill("a", 3), *ill("b", 3), *ill("web", 8)]
    assert way([*graph, *trouble, *waits("web", "a", 2), *waits("web", "b", 6)]) == ["db", "b", "web"]
    assert way([*graph, *trouble, *waits("web", "a", 6), *waits("web", "b", 2)]) == ["db", "a", "web"]


def test_the_way_goes_on_to_a_caller_that_waits_for_the_loudest():
    graph = [edge("cart", "db"), edge("web", "cart")]
    trouble = [*broken("db"), *ill("db", 3), *ill("cart", 9), *ill("web", 4)]
    assert way([*graph, *trouble, *waits("web", "cart", 4)]) == ["db", "cart", "web"]


def test_a_root_that_is_loudest_itself_has_no_way_to_a_caller_that_feels_nothing():
    graph = [edge("web", "cart")]
    barely = episode("web", Family.LATENCY, START, observed=0.103, expected=0.1)
    assert way([*graph, *broken("cart"), *ill("cart", 9), *barely]) == ["cart"]


def test_the_way_does_not_go_on_to_a_caller_that_feels_little_of_the_loudest():
    graph = [edge("cart", "db"), edge("web", "cart")]
    trouble = [*broken("db"), *ill("db", 3), *ill("cart", 9), *ill("web", 1.6)]
    assert way([*graph, *trouble, *waits("web", "cart", 1.6)]) == ["db", "cart"]


def test_a_caller_that_shows_nothing_itself_is_still_the_first_to_wait():
    trouble = [*broken("db"), *waits("web", "db", 6), *waits("mobile", "db", 2)]
    assert way([edge("web", "db"), edge("mobile", "db"), *trouble]) == ["db", "web"]


def served(caller, callee):
    """A call to what is known to be a service, with users of its own, and no datastore."""
    return edge(caller, callee).model_copy(update={"callee_kind": "service"})


def test_trouble_ends_at_a_service_whose_caller_makes_up_for_it():
    trouble = [*broken("cart"), *ill("cart", 2), *waits("web", "cart", 6)]
    assert way([served("web", "cart"), *trouble]) == ["cart"]


def test_nobody_makes_up_for_calls_that_take_a_hundred_times_as_long():
    trouble = [*broken("cart"), *ill("cart", 2), *waits("web", "cart", 100)]
    assert way([served("web", "cart"), *trouble]) == ["cart", "web"]


def test_a_caller_whose_own_answers_are_slower_makes_up_for_nothing():
    trouble = [*broken("cart"), *ill("cart", 9), *ill("web", 1.3), *waits("web", "cart", 6)]
    assert way([served("web", "cart"), *trouble]) == ["cart", "web"]

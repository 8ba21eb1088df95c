"""Whose trouble it is, by amount, by shortage, and by whom it reaches."""

import pytest

from correlator import Engine
from correlator.evidence import Change, ChangeKind, EdgeSource, Progress
from detectors.anomaly import Family
from tests.hand_made import MINUTE, T0, edge, ranked, seen


def failing(caller_share, callee_share):
    """Web fails and logs, loudly; some of its calls to the store fail, which shows nothing else."""
    yield edge("web", "store")
    yield edge("mobile", "store")
    yield seen("web", Family.ERROR, caller_share, 0.0, score=9.0, unit="%")
    yield seen("web", Family.LOG, 40.0, 0.0, score=5.0, unit="{line}")
    for caller in ("web", "mobile"):
        yield seen(caller, Family.ERROR, callee_share, 0.0, peer="store", score=3.6, unit="%")


@pytest.mark.parametrize(("callee_share", "root"), [(38.0, "store"), (2.0, "web")])
def test_failures_belong_to_the_callee_whose_failed_calls_are_enough_of_them(callee_share, root):
    assert ranked(failing(40.0, callee_share))[0] == root


@pytest.mark.parametrize(("waited_s", "root"), [(0.9, "store"), (0.02, "web")])
def test_delay_belongs_to_the_callee_that_is_waited_for_as_much_longer(waited_s, root):
    items = [edge("web", "store"), edge("mobile", "store")]
    items += [seen("web", Family.LATENCY, 1.1, 0.1, score=9.0)]
    items += [
        seen(caller, Family.LATENCY, 0.02 + waited_s, 0.02, peer="store", score=3.4)
        for caller in ("web", "mobile")
    ]
    assert ranked(items)[0] == root


def short_of(metric):
    """Web alone sees the store slow; the store shows nothing, web shows what there is more of."""
    yield edge("web", "store")
    yield seen("store", Family.CPU, 1.3, score=2.0, unit="{cpu}", at_ms=T0 - 90 * 60_000)
    yield seen("web", Family.GAP, 0.5, 0.01, peer="store", score=7.0)
    held = seen("web", Family.SATURATION, 30.0, 1.0, score=7.0, unit="{request}")
    yield held.model_copy(update={"signal": held.signal.model_copy(update={"metric": metric})})


def score_of_store(metric):
    engine = Engine("shop")
    for item in short_of(metric):
        engine.apply(item)
    engine.apply(Progress(domain="shop", source="p0", watermark_ms=T0 + 360_000))
    named = {h.service: h.score for h in engine.rank_at(T0).hypotheses}
    return named["store"]


def test_requests_in_flight_do_not_excuse_the_callee_but_a_queue_for_connections_does():
    in_flight = score_of_store("http.server.active_requests")
    queueing = score_of_store("client.connections.pending_requests")
    assert queueing < in_flight


def pool(*, queue_min=1, own=3.0, by=Family.CPU):
    """Web gets no connection to the store, which does a little more than usual; mobile hardly notices."""
    yield edge("web", "store")
    yield edge("mobile", "store")
    yield seen("store", by, 1.3, score=own, unit="{cpu}")
    yield seen("mobile", Family.CLIENT_LATENCY, 0.006, 0.005, peer="store", score=4.2)
    yield seen("web", Family.GAP, 1.5, 0.01, peer="store", score=7.0)
    yield seen("web", Family.ERROR, 85.0, 0.0, peer="store", score=14.0, unit="%")
    yield seen("web", Family.ERROR, 85.0, 0.0, score=12.0, unit="%")
    yield seen("web", Family.LATENCY, 2.7, 0.02, score=11.0)
    queue = dict(metric="client.connections.pending_requests", unit="{request}", score=7.5)
    yield seen("web", Family.SATURATION, 29.0, 0.0, at_ms=T0 + queue_min * 60_000, **queue)


@pytest.mark.parametrize(
    ("how", "root"),
    [
        ({}, "web"),
        # The queue came long after the failures: it is what they brought on.
        ({"queue_min": 4}, "store"),
        # The store says itself how ill it is.
        ({"own": 14.0}, "store"),
        ({"own": 5.0, "by": Family.SATURATION}, "store"),
    ],
)
def test_a_queue_for_connections_is_the_callers_though_the_callee_is_a_little_busier(how, root):
    assert ranked(pool(**how))[0] == root


@pytest.mark.parametrize(("beside", "root"), [(True, "store"), (False, "backup")])
def test_a_full_memory_that_none_of_the_harm_depends_on_is_no_root(beside, root):
    items = [
        edge("web", "store"),
        edge("web" if not beside else "report", "backup"),
        seen("backup", Family.MEMORY, 9.0, score=11.0, unit="By"),
        seen("store", Family.ERROR, 60.0, 0.0, score=4.0, unit="%"),
        seen("web", Family.ERROR, 60.0, 0.0, score=3.0, unit="%"),
    ]
    assert ranked(items)[0] == root


def changed(service, minutes_before):
    return Change(
        id=f"c-{service}",
        domain="shop",
        ts_ms=T0 - minutes_before * 60_000,
        kind=ChangeKind.CONFIG,
        service=service,
        summary="connection pool resized",
    )


def alone(waited_s):
    """Web alone sees the store fail, and waits for it; the store, which has telemetry, shows nothing."""
    yield edge("web", "store")
    yield seen("store", Family.CPU, 1.3, score=2.0, unit="{cpu}", at_ms=T0 - 90 * 60_000)
    if waited_s:
        yield seen("web", Family.GAP, waited_s, 0.01, peer="store", score=9.0)
    yield seen("web", Family.ERROR, 70.0, 0.0, peer="store", score=9.0, unit="%")
    yield seen("web", Family.ERROR, 70.0, 0.0, score=6.0, unit="%")
    yield seen("web", Family.LATENCY, 3.0, 0.1, score=6.0)


@pytest.mark.parametrize(
    ("changes", "waited_s", "root"),
    [
        ((), 3.0, "store"),
        ((changed("web", 1),), 3.0, "web"),
        ((changed("web", 1), changed("store", 1)), 3.0, "store"),
    ],
)
def test_what_only_a_caller_sees_that_was_just_changed_is_the_callers(changes, waited_s, root):
    assert ranked([*changes, *alone(waited_s)])[0] == root


@pytest.mark.parametrize("waited_s", [3.0, None])
def test_only_who_waits_for_a_callee_is_doubted_for_a_change_of_its_own(waited_s):
    engine = Engine("shop")
    for item in [changed("web", 1), *alone(waited_s)]:
        engine.apply(item)
    engine.apply(Progress(domain="shop", source="p0", watermark_ms=T0 + 360_000))
    store = next(h for h in engine.rank_at(T0).hypotheses if h.service == "store")
    assert ("one_sided" in {factor.name for factor in store.factors}) == bool(waited_s)


@pytest.mark.parametrize(("source", "root"), [(EdgeSource.SPAN, "batch"), (EdgeSource.DECLARED, "store")])
def test_callers_whose_calls_nobody_measures_do_not_speak_for_the_callee(source, root):
    items = [
        edge("web", "store"),
        seen("web", Family.ERROR, 60.0, 0.0, peer="store", score=9.0, unit="%"),
    ]
    items += [edge(c, "store").model_copy(update={"source": source}) for c in ("a", "b", "c", "d")]
    items += [seen("batch", Family.SATURATION, 3.0, score=5.4)]
    assert ranked(items)[0] == root


def rush(times, fails_at_once):
    """Requests enter at web, which nobody calls; the api below is swamped by as much."""
    at = T0 + 60_000
    yield edge("web", "api")
    yield seen("web", Family.LOAD, times, unit="{request}", score=7.0)
    yield seen("web", Family.LOAD, times, peer="api", unit="{call}", score=7.0)
    for service, score in (("api", 6.0), ("web", 9.0)):
        yield seen(service, Family.LATENCY, 9.0, 0.1, score=score)
        yield seen(service, Family.SATURATION, 90.0, score=score)
        failing_ms = at if fails_at_once else at + 60_000
        yield seen(service, Family.ERROR, 40.0, 0.0, score=score, unit="%", at_ms=failing_ms)


@pytest.mark.parametrize(
    ("times", "fails_at_once", "root"),
    [(6.0, False, "web"), (1.6, False, "api"), (2.8, True, "api"), (6.0, True, "web")],
)
def test_a_rush_of_users_is_the_root_of_what_it_swamps_unless_failures_may_be_why_they_come_again(
    times, fails_at_once, root
):
    engine = Engine("shop")
    for item in rush(times, fails_at_once):
        engine.apply(item)
    engine.apply(Progress(domain="shop", source="p0", watermark_ms=T0 + 360_000))
    found = engine.rank_at(T0).hypotheses
    assert found[0].service == root
    assert ("traffic" in {h.kind for h in found}) == (root == "web")


@pytest.mark.parametrize(("times", "beside"), [(6.0, False), (1.6, True)])
def test_who_a_rush_comes_to_is_not_beside_the_harm_because_users_wait_further_down(times, beside):
    engine = Engine("shop")
    for item in (
        edge("web", "api"),
        seen("web", Family.LOAD, times, unit="{request}", score=7.0),
        seen("web", Family.CPU, 9.0, unit="%", score=9.0),
        seen("api", Family.LATENCY, 90.0, 0.01, score=9.0),
    ):
        engine.apply(item)
    engine.apply(Progress(domain="shop", source="p0", watermark_ms=T0 + 360_000))
    (web,) = (h for h in engine.rank_at(T0).hypotheses if h.service == "web")
    assert ("relevance" in {factor.name for factor in web.factors}) is beside


def waits_for_a_provider(waited_s, kind, heard):
    """Web takes a second longer, fills its queues and complains, while it waits longer for a provider."""
    yield edge("mobile", "web")
    yield edge("web", "provider").model_copy(update={"callee_kind": kind})
    yield seen("web", Family.CLIENT_LATENCY, waited_s, 0.1, peer="provider", score=7.0)
    yield seen("web", Family.LATENCY, 1.1, 0.1)
    yield seen("web", Family.SATURATION, 5.1, 0.1, score=4.0)
    yield seen("web", Family.LOG, 40.0, 0.1, unit="{line}", source="log")
    if heard:
        yield seen("provider", Family.MEMORY, 5.1, 0.1, score=1.8, at_ms=T0 - 120 * MINUTE)


@pytest.mark.parametrize(
    ("waited_s", "kind", "heard", "root"),
    [
        # All that web lost it lost waiting.
        (1.1, "service", False, "provider"),
        # It lost more than that, and a service of our own would say what ails it.
        (0.4, "service", False, "web"),
        # A stranger cannot,
        (0.4, "external", False, "provider"),
        # unless it is measured here, too.
        (0.4, "external", True, "web"),
    ],
)
def test_a_callee_is_judged_by_what_is_lost_on_it_and_not_by_telemetry_that_it_cannot_have(
    waited_s, kind, heard, root
):
    assert ranked(waits_for_a_provider(waited_s, kind, heard))[0] == root

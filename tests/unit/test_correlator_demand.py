"""Who asks a callee for more than it was built for, and who is merely asked."""

import pytest

from correlator import Engine
from detectors.anomaly import Anomaly, Family
from tests.hand_made import MINUTE, T0, edge, progress, ranked, seen


def swamped(times):
    """Web asks `times` as much of the database as usual, asked no more itself; both fail and are slow."""
    yield edge("web", "db")
    yield seen("web", Family.LOAD, times, peer="db", unit="{call}")
    for service, score in (("db", 8.0), ("web", 7.0)):
        yield seen(service, Family.LATENCY, 9.0, score=score)
        yield seen(service, Family.ERROR, 40.0, 0.0, score=score, unit="%")


@pytest.mark.parametrize(("times", "root"), [(40.0, "web"), (3.0, "db")])
def test_who_asks_far_more_than_retries_would_is_the_root_of_what_it_swamps(times, root):
    assert ranked(swamped(times))[0] == root


@pytest.mark.parametrize(("waits", "root"), [(False, "store"), (True, "backup")])
def test_a_busy_processor_that_nobody_waits_for_is_no_root(waits, root):
    items = [
        seen("backup", Family.LATENCY, 9.0, at_ms=T0 + MINUTE if waits else T0 - 90 * MINUTE),
        seen("backup", Family.CPU, 9.0, score=12.0, unit="{cpu}"),
        seen("store", Family.LATENCY, 9.0, score=7.0),
    ]
    assert ranked(items)[0] == root


def test_users_who_try_again_later_are_less_suspect_than_who_swamped_a_callee_first():
    later = T0 + 4 * MINUTE
    again = seen("front", Family.LOAD, 5.0, peer="web", unit="{call}", at_ms=later)
    assert [s for s in ranked([*swamped(5.0), edge("front", "web"), again]) if s != "db"] == ["web", "front"]


def asking(times):
    """Web asks a store that stands it `times` as often as usual, each time as improbable."""
    return [edge("web", "db"), seen("web", Family.LOAD, times, peer="db", unit="{call}", score=12.0)]


def test_the_more_it_makes_of_its_calls_the_more_it_is_its_own_doing():
    def severity(times):
        (web,) = (h for h in told(asking(times)) if h.service == "web")
        return next(f.contribution for f in web.factors if f.name == "own_severity")

    assert severity(3.0) == severity(4.0) < severity(8.0) < severity(16.0) == severity(60.0)


def repeated(upstream_min):
    """Web asks the database three times as often as usual until it fails; then users of web try again."""
    yield edge("front", "web")
    yield edge("web", "db")
    yield edge("report", "db")
    yield seen("web", Family.LOAD, 3.0, peer="db", unit="{call}", score=12.0)
    yield seen("front", Family.LOAD, 3.0, peer="web", unit="{call}", at_ms=T0 + upstream_min * MINUTE)
    yield seen("db", Family.ERROR, 95.0, 0.0, at_ms=T0 + 2 * MINUTE, score=9.0, unit="%")


def told(items):
    """The hypotheses about what began at `T0`."""
    engine = Engine("shop")
    for item in items:
        engine.apply(item)
    engine.apply(progress(T0 + 6 * MINUTE))
    return engine.rank_at(T0).hypotheses


def blamed_for_asking(items):
    """Services of whose own severity the calls to the database are a part."""
    items = list(items)
    calls = next(item.id for item in items if isinstance(item, Anomaly) and item.signal.peer == "db")
    return {
        h.service
        for h in told(items)
        if any(f.name == "own_severity" and calls in f.evidence for f in h.factors)
    }


@pytest.mark.parametrize(("upstream_min", "blamed"), [(3, {"web"}), (1, set())])
def test_who_asks_more_is_blamed_and_no_other_caller_unless_more_was_asked_of_it_before(upstream_min, blamed):
    assert blamed_for_asking(repeated(upstream_min)) == blamed


def passed_on(asked, asks):
    """Front asks `asked` times as much of web as usual, and web `asks` times as much of the database."""
    yield edge("front", "web")
    yield edge("web", "db")
    yield seen("front", Family.LOAD, asked, peer="web", unit="{call}")
    yield seen("web", Family.LOAD, asked, unit="{call}")
    yield seen("web", Family.LOAD, asks, peer="db", unit="{call}")
    yield seen("db", Family.CPU, asks, unit="{cpu}")
    yield seen("db", Family.SATURATION, asks)


@pytest.mark.parametrize(("asked", "asks", "blamed"), [(1.4, 40.0, True), (2.0, 3.0, False)])
def test_who_makes_much_more_of_what_it_is_asked_is_blamed_though_it_is_asked_more_itself(
    asked, asks, blamed
):
    assert (ranked(passed_on(asked, asks))[0] == "web") is blamed

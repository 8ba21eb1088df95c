"""Whose trouble it is, by amount, by shortage, and by whom it reaches."""

import pytest

from detectors.anomaly import Family
from tests.unit.test_correlator_demand import T0, anomaly, calls, ranked


def failing(caller_share, callee_share):
    """Web fails and logs, loudly; some of its calls to the store fail, which shows nothing else."""
    yield calls("web", "store")
    yield calls("mobile", "store")
    yield anomaly("web", Family.ERROR, caller_share, 0.0, score=9.0, unit="%")
    yield anomaly("web", Family.LOG, 40.0, 0.0, score=5.0, unit="{line}")
    for caller in ("web", "mobile"):
        yield anomaly(caller, Family.ERROR, callee_share, 0.0, peer="store", score=3.6, unit="%")


@pytest.mark.parametrize(("callee_share", "root"), [(38.0, "store"), (2.0, "web")])
def test_failures_belong_to_the_callee_whose_failed_calls_are_enough_of_them(callee_share, root):
    assert ranked(failing(40.0, callee_share))[0] == root


@pytest.mark.parametrize(("waited_s", "root"), [(0.9, "store"), (0.02, "web")])
def test_delay_belongs_to_the_callee_that_is_waited_for_as_much_longer(waited_s, root):
    items = [calls("web", "store"), calls("mobile", "store")]
    items += [anomaly("web", Family.LATENCY, 1.1, 0.1, score=9.0)]
    items += [
        anomaly(caller, Family.LATENCY, 0.02 + waited_s, 0.02, peer="store", score=3.4)
        for caller in ("web", "mobile")
    ]
    assert ranked(items)[0] == root


def short_of(metric):
    """Web alone sees the store slow; the store shows nothing, web shows what there is more of."""
    yield calls("web", "store")
    yield anomaly("store", Family.CPU, 1.3, score=2.0, unit="{cpu}", at_ms=T0 - 90 * 60_000)
    yield anomaly("web", Family.GAP, 0.5, 0.01, peer="store", score=7.0)
    held = anomaly("web", Family.SATURATION, 30.0, 1.0, score=7.0, unit="{request}")
    yield held.model_copy(update={"signal": held.signal.model_copy(update={"metric": metric})})


def score_of_store(metric):
    from correlator import Engine
    from correlator.evidence import Progress

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


@pytest.mark.parametrize(("beside", "root"), [(True, "store"), (False, "backup")])
def test_a_full_memory_that_none_of_the_harm_depends_on_is_no_root(beside, root):
    items = [
        calls("web", "store"),
        calls("web" if not beside else "report", "backup"),
        anomaly("backup", Family.MEMORY, 9.0, score=11.0, unit="By"),
        anomaly("store", Family.ERROR, 60.0, 0.0, score=4.0, unit="%"),
        anomaly("web", Family.ERROR, 60.0, 0.0, score=3.0, unit="%"),
    ]
    assert ranked(items)[0] == root

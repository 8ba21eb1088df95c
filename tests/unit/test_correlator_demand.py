"""Who asks a callee for more than it was built for, and who is merely asked."""

import pytest

from detectors.anomaly import Family
from tests.hand_made import MINUTE, T0, edge, ranked, seen


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

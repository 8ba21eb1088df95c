import pytest

from correlator.evidence import Change, Edge
from detectors.anomaly import Anomaly, Family, Signal
from streams.evaluation.baselines import (
    Past,
    earliest_anomaly,
    largest_deviation,
    latest_change,
    pagerank,
)

MINUTE = 60_000


def anomaly(service, ts_ms, score, onset_ms=None, name="a"):
    return Anomaly(
        id=f"{service}-{name}",
        domain="shop",
        service=service,
        signal=Signal(source="metric", metric="cpu", family=Family.CPU),
        first_ms=ts_ms,
        onset_ms=ts_ms if onset_ms is None else onset_ms,
        ts_ms=ts_ms,
        interval_ms=MINUTE,
        direction="up",
        score=score,
        peak_score=99,
        observed=1,
        expected=0,
        scale=1,
    )


def change(name, service, ts_ms):
    return Change(id=name, domain="shop", ts_ms=ts_ms, kind="deploy", service=service)


def edge(caller, callee, seen_ms=0):
    return Edge(
        domain="shop",
        caller=caller,
        callee=callee,
        source="declared",
        first_seen_ms=seen_ms,
        last_seen_ms=seen_ms,
    )


def test_no_rule_sees_what_comes_later():
    past = Past(
        [
            anomaly("cart", 10 * MINUTE, 4.0),
            anomaly("cart", 30 * MINUTE, 12.0),
            anomaly("pay", 30 * MINUTE, 9.0),
            change("c1", "cart", 10 * MINUTE),
            change("c2", "pay", 30 * MINUTE),
            edge("front", "cart"),
            edge("front", "pay", 30 * MINUTE),
        ]
    )
    seen = past.at(5 * MINUTE, 15 * MINUTE)
    assert seen.score == {"cart": 4.0}
    assert latest_change(seen) == ["cart"]
    assert earliest_anomaly(seen) == largest_deviation(seen) == ["cart"]
    assert seen.edges == {("front", "cart")}


def test_no_rule_sees_episodes_that_were_over_before():
    past = Past([anomaly("cart", 10 * MINUTE, 9.0), anomaly("pay", 50 * MINUTE, 4.0)])
    assert largest_deviation(past.at(45 * MINUTE, 60 * MINUTE)) == ["pay"]


def test_the_latest_change_is_ranked_first_whatever_it_did():
    past = Past(
        [change("c1", "cart", 1), change("c2", "pay", 2), change("c3", "cart", 3), change("c4", "db", 2)]
    )
    assert latest_change(past.at(0, 9)) == ["cart", "db", "pay"]


def test_the_earliest_anomaly_ignores_what_crosses_by_chance():
    past = Past([anomaly("noise", 1, 2.0), anomaly("cart", 5, 8.0, onset_ms=3), anomaly("pay", 4, 3.5)])
    assert earliest_anomaly(past.at(0, 9)) == ["cart", "pay"]


def test_pagerank_follows_dependencies_to_where_the_trouble_is():
    past = Past(
        [
            edge("front", "cart"),
            edge("front", "pay"),
            edge("cart", "db"),
            anomaly("front", 5, 8.0),
            anomaly("cart", 5, 6.0),
            anomaly("db", 5, 6.0),
        ]
    )
    assert pagerank(past.at(0, 9))[0] == "db"
    assert "pay" not in pagerank(past.at(0, 9))


@pytest.mark.parametrize("rule", [latest_change, earliest_anomaly, largest_deviation, pagerank])
def test_a_rule_without_evidence_names_nobody(rule):
    assert rule(Past([edge("front", "cart")]).at(0, 9)) == []

"""Which change is named as the cause, on small hand-made evidence."""

from correlator.evidence import Change, ChangeKind
from detectors.anomaly import Family
from tests.hand_made import MINUTE, T0, edge, episode, opened

START = T0 + 60 * MINUTE


def deploy(minutes_before):
    return Change(
        id="c1",
        domain="shop",
        ts_ms=START - minutes_before * MINUTE,
        kind=ChangeKind.DEPLOY,
        service="cart",
        summary="v2",
    )


def blamed(change):
    broken = [
        *episode("cart", Family.CPU, START, unit="%", observed=99.0, expected=20.0),
        *episode("cart", Family.LATENCY, START, observed=0.9, expected=0.1),
    ]
    (incident,) = opened([edge("web", "cart"), change, *broken], START + 30 * MINUTE).values()
    return incident.hypotheses[0].service, incident.hypotheses[0].change_id


def test_a_change_minutes_before_the_service_breaks_is_named():
    assert blamed(deploy(minutes_before=2)) == ("cart", "c1")


def test_a_change_a_quarter_of_an_hour_before_is_not_named_though_its_service_is_the_root():
    assert blamed(deploy(minutes_before=15)) == ("cart", None)

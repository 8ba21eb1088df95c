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


def blamed(*changes):
    broken = [
        *episode("cart", Family.CPU, START, unit="%", observed=99.0, expected=20.0),
        *episode("cart", Family.LATENCY, START, observed=0.9, expected=0.1),
    ]
    (incident,) = opened([edge("web", "cart"), *changes, *broken], START + 30 * MINUTE).values()
    return incident.hypotheses[0].service, incident.hypotheses[0].change_id


def test_a_change_minutes_before_the_service_breaks_is_named():
    assert blamed(deploy(minutes_before=2)) == ("cart", "c1")


def test_a_change_a_quarter_of_an_hour_before_is_not_named_though_its_service_is_the_root():
    assert blamed(deploy(minutes_before=15)) == ("cart", None)


def test_a_change_is_not_named_where_its_service_shows_no_more_than_a_restart_moves():
    restarted = [
        *episode("cart", Family.MEMORY, START, unit="By", observed=4e8, expected=1e8),
        *episode("cart", Family.LOG, START, score=7.0, unit="1"),
    ]
    (incident,) = opened(
        [edge("web", "cart"), deploy(minutes_before=1), *restarted], START + 30 * MINUTE
    ).values()
    first = incident.hypotheses[0]
    assert (first.service, first.change_id) == ("cart", None)
    assert "change_proximity" in {f.name for f in first.factors}


def test_a_job_that_never_reported_its_end_is_not_blamed_hours_after_it_must_have_ended():
    day = 24 * 60 * MINUTE

    def run_of(start_ms, name, end_ms=None):
        return Change(
            id=name,
            domain="shop",
            ts_ms=start_ms,
            kind=ChangeKind.JOB,
            service="cart",
            summary="settle",
            end_ms=end_ms,
            attributes={"job": "settle"},
        )

    def blamed_after(minutes):
        began = START - minutes * MINUTE
        earlier = [run_of(began - n * day, f"j{n}", began - n * day + 10 * MINUTE) for n in range(1, 5)]
        return blamed(run_of(began, "tonight"), *earlier)

    assert blamed_after(20) == ("cart", "tonight")
    assert blamed_after(150) == ("cart", None)

import pytest

from correlator.evidence_window import TOLD_ERROR_MS, Episode
from detectors.anomaly import Anomaly, Family, Signal

T0 = 1_700_000_010_000


def episode(scores, interval_ms, first_ms=T0):
    """An episode of one signal with these scores, one an interval."""
    updates = [
        Anomaly(
            id="an-1",
            domain="shop",
            service="cart",
            signal=Signal(source="metric", metric="errors", family=Family.ERROR, unit="%"),
            first_ms=first_ms,
            onset_ms=first_ms,
            ts_ms=first_ms + k * interval_ms,
            interval_ms=interval_ms,
            direction="up",
            score=score,
            peak_score=max(scores),
            observed=50.0,
            expected=0.0,
            scale=1.0,
        )
        for k, score in enumerate(scores)
    ]
    made = Episode(updates[0])
    for update in updates:
        made.take(update)
    return made


def confirmed(scores, interval_ms):
    last_ms = T0 + (len(scores) - 1) * interval_ms
    return episode(scores, interval_ms).confirmed_between(last_ms - interval_ms, last_ms)


def test_what_fine_samples_show_is_news_when_it_has_lasted_half_a_minute():
    assert confirmed([8.0], 15_000) < 3.0
    assert confirmed([8.0, 8.0], 15_000) < 3.0
    assert confirmed([8.0, 8.0, 0.0], 15_000) < 3.0
    assert confirmed([8.0, 8.0, 8.0], 15_000) == 8.0
    assert confirmed([8.0, 8.0], 30_000) == 8.0


def test_a_coarse_sample_must_be_borne_out_by_the_one_before_it():
    assert confirmed([8.0], 300_000) == 2.0
    assert confirmed([8.0, 4.0], 300_000) == pytest.approx(0.85 * 4.0 + 0.15 * 8.0)


def test_a_minute_needs_no_second_one():
    assert confirmed([8.0], 60_000) == 8.0


@pytest.mark.parametrize(
    ("interval_ms", "early_ms", "counted"),
    [(15_000, TOLD_ERROR_MS, 6.0), (15_000, TOLD_ERROR_MS + 1, 0.0), (300_000, 60_000, 0.0)],
)
def test_a_told_time_may_be_a_minute_wrong_for_what_is_sampled_more_often(interval_ms, early_ms, counted):
    made = episode([6.0, 6.0], interval_ms, T0 - early_ms)
    assert made.score_between(T0 - early_ms, T0 + interval_ms, news_from_ms=T0) == counted

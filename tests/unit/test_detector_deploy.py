"""A service that was just deployed is given more room for minutes, and is never muted."""

import numpy as np
import pytest

from detectors import Detector, SampleBatch, Series
from detectors.widening import LASTS_MS, WIDEST, Widening

STEP = 15_000
END = 400
DEPLOY = 300


def shop(jump, *, deploys=(), version="v1", bad_from=DEPLOY + 2):
    """Return what is said of a latency that jumps by so many spreads."""
    rng = np.random.default_rng(3)
    detector = Detector("shop")
    for service in ("cart", "shop"):
        x = 100 + rng.standard_normal(END)
        if service == "cart":
            x[bad_from : bad_from + 8] += jump
        old = Series(service, "heap_bytes", "a0", unit="By", version="v1")
        new = old if service == "shop" or version == "v1" else old._replace(instance="b0", version=version)
        for series, part in ((old, slice(0, DEPLOY)), (new, slice(DEPLOY, END))):
            number = detector.catalog.intern(series)
            ts = (np.arange(END, dtype=np.int64)[part] + 1) * STEP
            detector.observe(SampleBatch(ts, np.full(len(ts), number, np.int32), x[part]))
    for service, ts_ms in deploys:
        detector.changed(service, ts_ms)
    said = [a for tick in detector.advance((END + 1) * STEP) for a in tick.anomalies]
    return {(a.first_ms, a.ts_ms): a for a in said if a.service == "cart" and a.status == "open"}


def peak(said):
    return max((a.score for a in said.values()), default=0.0)


AT = (("cart", DEPLOY * STEP),)


def test_what_a_deploy_may_bring_counts_less_than_the_same_on_any_other_day():
    usual, after = peak(shop(12.0)), peak(shop(12.0, deploys=AT))
    assert usual > 2
    assert after < usual - 0.5


def test_a_large_deviation_after_a_deploy_still_alarms():
    assert peak(shop(400.0, deploys=AT)) > 5


def test_the_deploy_of_another_service_changes_nothing():
    assert shop(12.0, deploys=(("shop", DEPLOY * STEP),)) == shop(12.0)


def test_trouble_from_before_the_deploy_is_not_talked_down():
    bad_from = DEPLOY - 4
    assert shop(12.0, deploys=AT, bad_from=bad_from) == shop(12.0, bad_from=bad_from)


def test_a_rollout_that_nobody_announced_is_noticed_by_its_version():
    said = shop(12.0, version="v2")
    assert said
    assert peak(said) < peak(shop(12.0)) - 0.5


def test_the_anomaly_says_the_scale_that_it_was_measured_with():
    usual, after = shop(400.0), shop(400.0, deploys=AT)
    both = sorted(usual.keys() & after.keys())
    ratios = [after[each].scale / usual[each].scale for each in both]
    assert ratios[0] == pytest.approx(
        1 + (WIDEST - 1) * (1 - (both[0][1] - DEPLOY * STEP) / LASTS_MS), rel=1e-3
    )
    assert ratios == sorted(ratios, reverse=True)


def test_changes_are_remembered_over_a_restart_and_forgotten_in_time():
    widening = Widening()
    widening.changed("cart", 0)
    copy = Widening()
    copy.restore(widening.dump())
    assert copy.factor("cart", 0, 0) == WIDEST
    copy.forget(LASTS_MS)
    assert copy.dump() == [[], []]

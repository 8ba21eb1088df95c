"""A series that comes and goes is one anomaly, however it does so."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors import Detector, SampleBatch, Series

MINUTE = 60_000
CALM, AFTER = 120, 40
"""Minutes before and after."""


def flapping(step_s, up, down, lasts, seed):
    """What is said of a series that goes up and down for so many minutes each, beside three calm ones."""
    detector, rng = Detector("shop"), np.random.default_rng(seed)
    ts = np.arange(step_s, 60 * (CALM + lasts + AFTER) + 1, step_s) * 1000
    for k in range(4):
        column = 20 + rng.standard_normal(len(ts))
        # A sample speaks for the interval that ends at it.
        minute = ts / MINUTE - CALM - 1e-6
        if k == 0:
            column[(minute >= 0) & (minute < lasts) & (minute % (up + down) < up)] += 60
        series = Series("db" if k == 0 else f"calm{k}", "cpu", "pod", unit="%")
        number = detector.catalog.intern(series)
        detector.observe(SampleBatch(ts, np.full(len(ts), number, np.int32), column))
    ticks = detector.advance((CALM + lasts + AFTER + 10) * MINUTE)
    found = [a for tick in ticks for a in tick.anomalies if a.service == "db" and a.peak_score > 2]
    # Noise alone says something every few weeks.
    return [a for a in found if CALM <= a.first_ms / MINUTE <= CALM + lasts]


@settings(max_examples=25, deadline=None)
@given(
    step_s=st.sampled_from([15, 30, 60]),
    up=st.integers(1, 3),
    shorter=st.integers(0, 2),
    lasts=st.integers(20, 60),
    seed=st.integers(0, 10_000),
)
def test_flapping_is_one_episode(step_s, up, shorter, lasts, seed):
    said = flapping(step_s, up, max(up - shorter, 1), lasts, seed)
    assert len({each.id for each in said}) == 1
    assert abs(said[0].onset_ms / MINUTE - CALM) <= 2
    assert said[-1].status == "closed"

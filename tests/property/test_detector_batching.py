"""What is said must depend on the telemetry alone, not on how it came."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors import Detector, Kind, SampleBatch, Series

SERIES = [
    Series("shop", "cpu_usage_pct", "pod-1", unit="%"),
    Series("shop", "http_requests_total", "pod-1", kind=Kind.COUNTER),
    Series("shop", "latency_p95_s", "pod-1", unit="s"),
    Series("cart", "cpu_usage_pct", "pod-9", unit="%"),
    Series("shop", "errors", peer="cart", kind=Kind.DELTA),
    Series("shop", "availability", unit="%"),
    Series("cart", "memory_usage_bytes", "pod-9", unit="By"),
    Series("cart", "cpu_usage_pct", "pod-9b", unit="%", version="v2"),
    Series("cart", "cpu_usage_pct", "pod-9a", unit="%", version="v1"),
]
STUCK, NEWER = 6, 7
DEPLOYS = [("shop", 1_900_000), ("cart", 1_860_000)]
"""The fault begins at 1,920,000."""


def telemetry(seed):
    """Noise, a fault, gaps, NaN, duplicates and a counter reset: (series, ts, value) in time order."""
    rng = np.random.default_rng(seed)
    samples = []
    for k, series in enumerate(SERIES):
        step = 5_000 if k == STUCK else int(rng.choice([5_000, 15_000, 60_000]))
        count = 2_400_000 // step
        x = 50 + 3 * rng.standard_normal(count)
        x[int(count * 0.8) : int(count * 0.9)] *= 3
        if series.kind is Kind.COUNTER:
            x = np.abs(x).cumsum()
            x[count // 2 :] -= x[count // 2]
        if k == STUCK:
            x[int(count * 0.7) :] = x[int(count * 0.7)]
        x[rng.random(count) < 0.03] = np.nan
        kept = rng.random(count) > 0.05
        if k == NEWER:
            kept &= np.arange(count) > count * 0.75
        ts = (np.arange(count) + 1) * step + int(rng.integers(0, 5000))
        samples += [(k, int(t), float(v)) for t, v in zip(ts[kept], x[kept], strict=True)]
        samples += samples[-3:]
    return sorted(samples, key=lambda s: s[1])


def feed(detector, samples):
    ids = [detector.catalog.intern(SERIES[k]) for k, _, _ in samples]
    detector.observe(
        SampleBatch(
            np.array([ts for _, ts, _ in samples], np.int64),
            np.array(ids, np.int32),
            np.array([x for _, _, x in samples], float),
        )
    )


def all_at_once(samples):
    detector = Detector("shop")
    feed(detector, samples)
    for deploy in DEPLOYS:
        detector.changed(*deploy)
    return detector.advance(3_000_000)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    cuts=st.lists(st.integers(0, 3_000_000), max_size=12),
    order=st.integers(0, 99),
)
def test_batches_order_within_lateness_and_restarts_do_not_matter(seed, cuts, order):
    samples = telemetry(seed)
    expected = all_at_once(samples)
    detector = Detector("shop")
    said = []
    begin = last = 0
    for cut in [*sorted(cuts), 3_000_000]:
        part = [s for s in samples if begin < s[1] <= cut]
        begin = max(begin, cut)
        part = [part[k] for k in np.random.default_rng(order).permutation(len(part))]
        half = len(part) // 2
        feed(detector, part[:half])
        feed(detector, part[half:])
        for service, ts_ms in DEPLOYS[:: 1 if order % 2 else -1]:
            if last < ts_ms <= cut:
                detector.changed(service, ts_ms)
        last = cut
        said += detector.advance(cut)
        if cut % 2:
            detector = Detector.load(detector.dump())
    assert detector.late == 0
    assert said == expected


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_the_telemetry_of_this_suite_does_make_it_speak(seed):
    members = {each.member for tick in all_at_once(telemetry(seed)) for each in tick.anomalies}
    assert members >= {"level", "still"}

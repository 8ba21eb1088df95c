"""What DETECT says of itself while it works."""

from collections import Counter

import pytest
from prometheus_client import REGISTRY

from streams.stages.detect import DetectStage
from tests.shop_on_kafka import START_MS, evidence_until, running

pytestmark = pytest.mark.kafka

TOPIC = {"topic": "headwater.metrics"}
RECORDS, GARBAGE = 300, 3


def read(name, labels=None):
    return REGISTRY.get_sample_value(f"headwater_{name}", labels or {}) or 0.0


def counted():
    return Counter(
        {
            "read": read("records_consumed_total", TOPIC | {"decoder": "native_metrics"}),
            "rejected": read("records_rejected_total", TOPIC | {"reason": "DecodeError"}),
            "samples": read("points_processed_total", {"signal": "metric"}),
            "ages": read("record_age_seconds_count", {"signal": "metric"}),
            "evicted": read("series_evicted_total"),
            "snapshots": read("snapshot_seconds_count"),
        }
    )


@pytest.mark.parametrize("max_series", [1_000_000, 6])
def test_it_says_what_it_read_rejected_forgot_and_saved(max_series, wire, shop):
    detect = wire.settings.detect.model_copy(update={"max_series": max_series})
    settings = wire.settings.model_copy(update={"detect": detect})
    records = [each for each in shop.records if each[0] == "headwater.metrics"][:RECORDS]
    wire.publish(records + [("headwater.metrics", "cart", b"garbage")] * GARBAGE)
    before = counted()
    with running(DetectStage, settings):
        evidence_until(wire, shop.end_ms - (shop.steps - RECORDS // 3 + 4) * 15_000)
        assert 0 <= read("snapshot_age_seconds") < 60

    grown = counted() - before
    assert (grown["read"], grown["rejected"], grown["samples"]) == (
        RECORDS + GARBAGE,
        GARBAGE,
        RECORDS * 3,
    )
    assert grown["ages"] > 0
    assert grown["snapshots"] > 0
    where = {"topic": settings.kafka.topic("headwater.metrics"), "partition": "0"}
    assert REGISTRY.get_sample_value("headwater_consumer_lag_records", where) == 0
    assert read("active_series") == 9
    assert (grown["evicted"] > 0) == (max_series == 6)
    assert read("state_store_bytes", {"stage": "detect"}) > 0


def test_it_says_how_far_behind_it_is(wire):
    """Metrics that run hours ahead of the logs are held back, so that some of them wait with the broker."""
    minutes = 5_000
    first_ms = START_MS - minutes * 60_000
    detect = wire.settings.detect.model_copy(update={"idle_s": 600.0, "snapshot_interval_s": 600.0})
    settings = wire.settings.model_copy(update={"detect": detect})
    wire.put("headwater.logs", b'{"service": "cart", "body": "up", "ts_ms": %d}' % first_ms, "cart")
    for minute in range(minutes):
        stamp_ms = first_ms + minute * 60_000
        sample = b'{"service": "cart", "metric": "cpu", "value": 1, "ts_ms": %d}' % stamp_ms
        wire.put("headwater.metrics", sample, "cart")
    wire.flush()
    where = {"topic": settings.kafka.topic("headwater.metrics"), "partition": "0"}
    with running(lambda *given: DetectStage(*given, batch=10), settings):
        for _ in range(600):  # as often as it may take until it is said, though nothing is saved
            if 0 < read("consumer_lag_records", where) < minutes:
                break
            wire.everything("headwater.evidence")
        assert 0 < read("consumer_lag_records", where) < minutes

    ages = [read("snapshot_age_seconds") for _ in range(2)]
    assert ages[0] < ages[1], "time goes on, and nothing is saved"

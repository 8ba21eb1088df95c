"""DETECT on several partitions: units share out, follow each other, and move with their state."""

from contextlib import ExitStack

import pytest
from prometheus_client import REGISTRY

from streams.kafka import topics
from streams.stages.detect import DetectStage
from streams.wire.codec import decode
from streams.wire.messages import EvidenceRecord
from tests.shop_on_kafka import Wire, evidence_until, items_of, running, sayings


@pytest.fixture
def two_units(fresh_settings):
    """Topics of two partitions each."""

    def make():
        settings = fresh_settings()
        kafka = settings.kafka.model_copy(update={"detect_partitions": 2})
        settings = settings.model_copy(update={"kafka": kafka})
        topics.create(kafka)
        return Wire(settings)

    return make


def promises(messages):
    found = {}
    for item in items_of(messages):
        if item.type == "progress":
            found.setdefault(item.domain, {})[item.source] = item
    return found


def read_late():
    return REGISTRY.get_sample_value("headwater_points_late_total", {"signal": "metric"}) or 0.0


def all_promise(domains, ts_ms):
    """Until both units have promised a time for each domain."""

    def reached(messages):
        found = promises(messages)
        return all(
            len(found.get(domain, {})) == 2 and all(p.watermark_ms >= ts_ms for p in found[domain].values())
            for domain in domains
        )

    return reached


def test_every_unit_promises_for_every_domain(two_units, shop):
    wire = two_units()
    wire.publish(shop.records)
    # A domain that only one of the two partitions has ever heard of.
    lonely = b'{"domain": "lonely", "service": "x", "metric": "cpu", "ts_ms": %d, "value": 1}'
    for minute in range(5):
        wire.put("headwater.metrics", lonely % (shop.end_ms + minute * 60_000), "x")
    wire.flush()
    with running(DetectStage, wire.settings):
        found = wire.read(
            "headwater.evidence", all_promise(["shop", "lonely"], shop.end_ms // 15_000 * 15_000 - 30_000)
        )

    assert {item.sources for item in items_of(found) if item.type == "progress"} == {2}
    assert any(item.type == "anomaly" and item.service == "redis-cart" for item in items_of(found))


def test_a_second_process_takes_a_unit_over_with_its_state(two_units, shop):
    alone = two_units()
    alone.publish(shop.records)
    end_ms = shop.end_ms // 15_000 * 15_000 - 30_000
    with running(DetectStage, alone.settings):
        expected = alone.read("headwater.evidence", all_promise(["shop"], end_ms))

    cut = len(shop.records) * 92 // 100
    shared = two_units()
    shared.publish(shop.records[:cut])
    # Between the two parts nobody may take a unit for idle: it would go on to what the other promises, and
    # the rest of its own records would be late. On a busy machine a second is nothing.
    # And nothing is saved but when a unit is given away.
    detect = shared.settings.detect.model_copy(update={"idle_s": 15.0, "snapshot_interval_s": 600.0})
    settings = shared.settings.model_copy(update={"detect": detect})
    second = settings.model_copy(update={"state_dir": settings.state_dir / "second"})
    late = read_late()
    with ExitStack() as first:
        first.enter_context(running(DetectStage, settings))
        evidence_until(shared, shop.end_ms - 80 * 15_000)
        with running(DetectStage, second):  # ready when it owns a unit
            shared.publish(shop.records[cut:])
            first.close()  # and now both
            found = shared.read("headwater.evidence", all_promise(["shop"], end_ms))

    assert sayings(found) == sayings(expected)
    ticks = [decode(EvidenceRecord, message.value()) for message in found]
    spoken = [(record.source, record.tick_ms) for record in ticks if record.tick_ms and len(record.items) > 1]
    assert len(spoken) == len(set(spoken)), "what was given away in order was said again"
    assert read_late() == late, "what was in the state was read again"

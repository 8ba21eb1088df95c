"""ROUTE between unkeyed topics and DETECT's units."""

import time
from contextlib import ExitStack

import orjson
import pytest

from streams.errors import ConfigError
from streams.kafka import topics
from streams.serve import Health
from streams.stages.detect import DetectStage
from streams.stages.route import RouteStage
from streams.wire.deadletter import decode_headers
from streams.wire.routed import stamp_of
from tests.integration.test_detect_units import all_promise
from tests.shop_on_kafka import Wire, items_of, running

METRICS = "headwater.metrics"


@pytest.fixture
def unkeyed(fresh_settings):
    """Two partitions of every raw topic, and ROUTE between the metrics and DETECT."""

    def make(*routed):
        settings = fresh_settings()
        kafka = settings.kafka.model_copy(update={"detect_partitions": 2})
        route = settings.route.model_copy(update={"topics": routed})
        settings = settings.model_copy(update={"kafka": kafka, "route": route})
        topics.create(kafka, routed)
        return Wire(settings)

    return make


def publish_round_robin(wire, shop):
    """Batches of all services in one record, spread over the partitions without a key, as collectors do.

    Returns how far behind their event time the records are stamped.
    """
    batches = {}
    for topic, key, value in shop.records:
        if topic == METRICS:
            samples = orjson.loads(value)
            batches.setdefault(samples[0]["ts_ms"], []).extend(samples)
        else:
            wire.put(topic, value, key)
    behind_ms = time.time_ns() // 1_000_000 - max(batches)
    for number, (ts_ms, samples) in enumerate(batches.items()):
        value, headers = orjson.dumps(samples), [("origin", b"a collector")]
        wire.put(METRICS, value, partition=number % 2, timestamp=ts_ms + behind_ms, headers=headers)
    wire.flush()
    return behind_ms


def test_records_without_a_key_reach_one_unit_a_service_and_the_fault_is_found(unkeyed, shop):
    wire = unkeyed(METRICS)
    began_ms = time.time_ns() // 1_000_000
    behind_ms = publish_round_robin(wire, shop)
    end_ms = shop.end_ms // 15_000 * 15_000 - 30_000
    with ExitStack() as stages:
        stages.enter_context(running(RouteStage, wire.settings))
        stages.enter_context(running(DetectStage, wire.settings))
        found = wire.read("headwater.evidence", all_promise(["shop"], end_ms))
        routed = wire.everything(METRICS + ".routed")

    where = {}
    for message in routed:
        assert {sample["service"] for sample in orjson.loads(message.value())} == {message.key().decode()}
        assert dict(message.headers())["origin"] == b"a collector"
        _, stamp = stamp_of(message.headers())
        assert stamp.ts_ms == orjson.loads(message.value())[0]["ts_ms"] + behind_ms
        assert message.timestamp()[1] >= began_ms, "retention must count from when it was written"
        where.setdefault(message.key(), set()).add(message.partition())
    assert len(routed) == 3 * shop.steps
    assert all(len(partitions) == 1 for partitions in where.values())
    times = {}
    for message in routed:
        times.setdefault(message.partition(), []).append(stamp_of(message.headers())[1].ts_ms)
    assert all(each == sorted(each) for each in times.values()), "source partitions are not merged by time"
    assert any(item.type == "anomaly" and item.service == "redis-cart" for item in items_of(found))


def test_what_cannot_be_parted_goes_on_as_it_came_for_detect_to_judge(unkeyed):
    wire = unkeyed(METRICS)
    hour_ago_ms = time.time_ns() // 1_000_000 - 3_600_000
    wire.put(METRICS, b"\xff no json", "some-key", timestamp=hour_ago_ms)
    wire.flush()
    with ExitStack() as stages:
        stages.enter_context(running(RouteStage, wire.settings))
        stages.enter_context(running(DetectStage, wire.settings))
        (dead,) = wire.read("headwater.dlq", lambda letters: len(letters) == 1)

    assert (dead.key(), dead.value()) == (b"some-key", b"\xff no json")
    why, _ = decode_headers(dead.headers())
    assert why.source_topic.endswith(METRICS + ".routed")
    assert why.source_ts_ms == hour_ago_ms, "what has no time of its own has its source's"


@pytest.mark.parametrize(("routed", "said"), [((), "it is empty"), (("nowhere",), "nowhere is not in")])
def test_a_setting_that_routes_nothing_is_refused(kafka_settings, routed, said):
    route = kafka_settings.route.model_copy(update={"topics": routed})
    with pytest.raises(ConfigError, match=said):
        RouteStage(kafka_settings.model_copy(update={"route": route}), Health())

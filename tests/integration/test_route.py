"""ROUTE between unkeyed topics and DETECT's units."""

from contextlib import ExitStack

import orjson
import pytest

from streams.errors import ConfigError
from streams.kafka import topics
from streams.serve import Health
from streams.stages.detect import DetectStage
from streams.stages.route import RouteStage
from streams.wire.deadletter import decode_headers
from tests.integration.test_detect_units import all_promise
from tests.shop_on_kafka import Wire, items_of, running

pytestmark = pytest.mark.kafka

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
    """Batches of all services in one record, spread over the partitions without a key, as collectors do."""
    batches = {}
    for topic, key, value in shop.records:
        if topic == METRICS:
            samples = orjson.loads(value)
            batches.setdefault(samples[0]["ts_ms"], []).extend(samples)
        else:
            wire.put(topic, value, key)
    for number, (ts_ms, samples) in enumerate(batches.items()):
        headers = [("origin", b"a collector")]
        wire.put(METRICS, orjson.dumps(samples), partition=number % 2, timestamp=ts_ms, headers=headers)
    wire.flush()


def test_records_without_a_key_reach_one_unit_a_service_and_the_fault_is_found(unkeyed, shop):
    wire = unkeyed(METRICS)
    publish_round_robin(wire, shop)
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
        assert message.timestamp()[1] == orjson.loads(message.value())[0]["ts_ms"]
        where.setdefault(message.key(), set()).add(message.partition())
    assert len(routed) == 3 * shop.steps
    assert all(len(partitions) == 1 for partitions in where.values())
    times = {}
    for message in routed:
        times.setdefault(message.partition(), []).append(message.timestamp()[1])
    assert all(each == sorted(each) for each in times.values()), "source partitions are not merged by time"
    assert any(item.type == "anomaly" and item.service == "redis-cart" for item in items_of(found))


def test_what_cannot_be_parted_goes_on_as_it_came_for_detect_to_judge(unkeyed):
    wire = unkeyed(METRICS)
    wire.put(METRICS, b"\xff no json", "some-key")
    wire.flush()
    with ExitStack() as stages:
        stages.enter_context(running(RouteStage, wire.settings))
        stages.enter_context(running(DetectStage, wire.settings))
        (dead,) = wire.read("headwater.dlq", lambda letters: len(letters) == 1)

    assert (dead.key(), dead.value()) == (b"some-key", b"\xff no json")
    why, _ = decode_headers(dead.headers())
    assert why.source_topic.endswith(METRICS + ".routed")


@pytest.mark.parametrize(("routed", "said"), [((), "it is empty"), (("nowhere",), "nowhere is not in")])
def test_a_setting_that_routes_nothing_is_refused(kafka_settings, routed, said):
    route = kafka_settings.route.model_copy(update={"topics": routed})
    with pytest.raises(ConfigError, match=said):
        RouteStage(kafka_settings.model_copy(update={"route": route}), Health())

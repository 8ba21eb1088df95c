"""What DETECT makes of one batch from the consumer, whatever lies beside each other in it."""

from collections import Counter

import orjson
import pytest
from confluent_kafka import KafkaError, Message
from prometheus_client import REGISTRY

from streams.errors import FatalError
from streams.kafka import DeadLetters, producer
from streams.settings import KafkaSettings, Settings
from streams.stages.detect.emitter import Emitter
from streams.stages.detect.intake import Intake
from streams.stages.detect.ownership import Owned
from streams.stages.detect.snapshot import Packed
from streams.stages.detect.unit import Clocks, Unit
from streams.wire.routed import Stamp, stamp_header

NOBODY = KafkaSettings(bootstrap_servers="127.0.0.1:1")
START_MS = 1_700_000_000_000
METRICS = "headwater.metrics"
PROMETHEUS = orjson.dumps(
    {"name": "up", "value": "1", "timestamp": "2023-11-14T22:13:20Z", "labels": {"job": "cart"}}
)


class Desk:
    """What is around an intake: one unit that owns all partitions, and a broker that takes nothing."""

    def __init__(self, routed=()):
        settings = Settings(kafka=NOBODY)
        settings = settings.model_copy(
            update={"route": settings.route.model_copy(update={"topics": tuple(routed)})}
        )
        self.sender = producer(NOBODY)
        self.now_ms = START_MS + 3_600_000
        clocks = Clocks(now_ms=lambda: self.now_ms, elapsed_s=lambda: 0.0)
        self.unit = Unit(0, 1, [(METRICS, 0), (METRICS, 1)], settings.detect, clocks)
        self.ended, self.stamps = [], {}
        dead = DeadLetters(self.sender, NOBODY, "detect")
        self.intake = Intake(settings, self, Emitter(self.sender, NOBODY), dead, clocks.now_ms)
        self.topic = settings.read_by_detect(METRICS)

    def of(self, _key):
        return Owned(self.unit, None, (), set())

    def has_read(self, key, stamp_ms):
        self.stamps[key] = stamp_ms

    def reached_end(self, key):
        self.ended.append(key)

    def message(self, value, offset, partition=0, headers=None, error=None):
        return Message(
            self.topic,
            partition,
            offset,
            None,
            value,
            headers,
            KafkaError(error) if error is not None else None,
            (1, START_MS + offset),
        )

    def end(self, partition=0, offset=9):
        return self.message(None, offset, partition, error=KafkaError._PARTITION_EOF)


@pytest.fixture
def desk():
    made = []

    def make(*routed):
        made.append(Desk(routed))
        return made[-1]

    yield make
    for each in made:
        each.sender.purge()
        each.sender.flush(5)


def sample(number, value=1.0):
    return orjson.dumps(
        {"service": "cart", "metric": f"m{number}", "value": value, "ts_ms": START_MS + 1_000 * number}
    )


def counted():
    of = {"topic": METRICS}
    return Counter(
        {
            "read": REGISTRY.get_sample_value("headwater_points_processed_total", {"signal": "metric"}) or 0,
            "repeated": REGISTRY.get_sample_value("headwater_records_repeated_total", of) or 0,
            "rejected": REGISTRY.get_sample_value(
                "headwater_records_rejected_total", of | {"reason": "DecodeError"}
            )
            or 0,
        }
    )


def state(desk):
    return Packed(desk.unit.snapshot()).digests


def test_a_batch_of_several_partitions_is_what_its_records_are_one_by_one(desk):
    at_once, singly = desk(), desk()

    def batch(of):
        return [
            of.message(sample(1), 0),
            of.message(sample(2), 0, partition=1),
            of.end(partition=1),
            of.message(None, 1),
            of.message(sample(1, 2.0), 2),
            of.end(),
            of.message(sample(3), 3, headers=[("origin", b"a test")]),
            of.message(PROMETHEUS, 4, headers=[("x-headwater-decoder", b"prometheus_json")]),
            of.message(b"", 5),
            of.message(sample(2), 1, partition=1),
        ]

    before = counted()
    at_once.intake.feed(batch(at_once))
    grown = counted() - before
    for message in sorted(batch(singly), key=Message.partition):
        singly.intake.feed([message])

    assert at_once.unit.offsets == {(METRICS, 0): 6, (METRICS, 1): 2}
    assert at_once.stamps == {(METRICS, 0): START_MS + 5, (METRICS, 1): START_MS + 1}
    assert grown == {"read": 6, "rejected": 1}
    assert state(at_once) == state(singly)


def test_a_partition_has_ended_if_nothing_of_it_came_after(desk):
    mine = desk()
    mine.intake.feed([mine.message(sample(1), 0), mine.end(), mine.end(1), mine.message(sample(1), 1)])
    assert mine.ended == [(METRICS, 1)]
    mine.intake.feed([mine.end()])
    assert mine.ended == [(METRICS, 1), (METRICS, 0)]


def test_a_plain_value_is_read_as_its_header_says(desk):
    mine, before = desk(), counted()
    mine.intake.feed([mine.message(sample(1), 0)])
    named = mine.message(sample(1), 2, headers=[("x-headwater-decoder", b"native_deploys")])
    mine.intake.feed([mine.message(sample(1, 2.0), 1), named])
    assert counted() - before == {"read": 2, "rejected": 1}


def test_a_repeated_record_of_a_topic_that_is_routed_is_passed_over(desk):
    mine, before = desk(METRICS), counted()

    def routed(offset, place):
        header = stamp_header(METRICS, 0, Stamp(place, 0, START_MS))
        return mine.message(sample(1, float(place)), offset, headers=[header])

    mine.intake.feed([routed(0, 7), routed(1, 8), routed(2, 7), routed(3, 8)])
    mine.intake.feed([routed(4, 8), routed(5, 9)])
    assert counted() - before == {"read": 3, "repeated": 3}


def test_a_partition_that_cannot_be_read_stops_the_stage(desk):
    mine = desk()
    refused = mine.message(None, 0, error=KafkaError.TOPIC_AUTHORIZATION_FAILED)
    with pytest.raises(FatalError, match=f"cannot read {METRICS} partition 0"):
        mine.intake.feed([refused])


def points(what, signal="metric"):
    return REGISTRY.get_sample_value(f"headwater_points_{what}_total", {"signal": signal}) or 0


def test_samples_that_come_late_or_from_the_future_are_counted_apart(desk):
    made, late, clamped = desk(), points("late"), points("clamped")
    now = (made.now_ms - START_MS) // 1_000
    for offset, second in enumerate((now - 60, now, now - 61, now - 600, now + 3_600, now + 299)):
        made.intake.feed([made.message(sample(second), offset)])
    assert (points("late") - late, points("clamped") - clamped) == (2, 1)


YEAR_MS = 365 * 86_400_000
GRAPH = {
    "name": "traces_service_graph_request_total",
    "sum": {"aggregationTemporality": 2, "isMonotonic": True},
}
HISTOGRAM = {"name": "request.duration", "histogram": {"aggregationTemporality": 2}}
CALL = [{"key": key, "value": {"stringValue": name}} for key, name in (("client", "web"), ("server", "cart"))]


def cumulative(metric, number, ts_ms, version="1"):
    """A record of one cumulative point that has grown by one, or four, since the one before."""
    value = {"asInt": number} if "sum" in metric else {"count": 4 * number, "sum": number, "bucketCounts": []}
    point = {"timeUnixNano": str(ts_ms * 1_000_000), "attributes": CALL, **value}
    shape = next(key for key in metric if key != "name")
    names = {"service.name": "web", "service.version": version}
    resource = {"attributes": [{"key": key, "value": {"stringValue": each}} for key, each in names.items()]}
    metrics = [metric | {shape: metric[shape] | {"dataPoints": [point]}}]
    return orjson.dumps({"resourceMetrics": [{"resource": resource, "scopeMetrics": [{"metrics": metrics}]}]})


class Heard:
    """An emitter that keeps what it is given."""

    def __init__(self):
        self.items = []

    def send(self, records):
        self.items += [item for record in records for item in record.items]


@pytest.mark.parametrize("metric", [GRAPH, HISTOGRAM])
def test_one_point_from_next_year_does_not_silence_its_series_until_then(desk, metric):
    made, read = desk(), counted()["read"]
    for number, ahead_ms in enumerate((0, YEAR_MS, 0, 0)):
        stamp_ms = START_MS + 15_000 * number + ahead_ms
        made.intake.feed([made.message(cumulative(metric, number, stamp_ms), number)])
    # The first is only a baseline; a histogram gives a count and a mean each time.
    assert counted()["read"] - read == 3 * (1 if metric is GRAPH else 2)


def test_a_producer_that_is_always_ahead_is_not_counted_twice(desk):
    made, read = desk(), counted()["read"]
    for number, at in enumerate((0, 1, 1, 0, 2)):
        value = cumulative(GRAPH, at, START_MS + YEAR_MS + 15_000 * at)
        made.intake.feed([made.message(value, number)])
    assert counted()["read"] - read == 2


def test_an_edge_from_next_year_is_told_now_and_again(desk):
    made = desk()
    made.intake._emitter = heard = Heard()
    calls = orjson.dumps(CALL)
    to_a_store = calls[:-1] + b',{"key":"connection_type","value":{"stringValue":"database"}}]'
    for number, ahead_ms in enumerate((YEAR_MS, 0, 0)):
        value = cumulative(GRAPH, number, START_MS + 1_200_000 * number + ahead_ms)
        made.intake.feed([made.message(value.replace(calls, to_a_store), number)])
    edges = [each.last_seen_ms for each in heard.items if each.type == "edge"]
    assert edges == [made.now_ms, START_MS + 1_200_000, START_MS + 2_400_000]


@pytest.mark.parametrize(
    ("connection", "client", "kind"),
    [
        ("database", "web", "database"),
        ("virtual_node", "web", "external"),
        ("virtual_node", "user", None),  # requests from outside: the server is the one that sends spans
        ("messaging_system", "web", None),
    ],
)
def test_what_the_server_of_an_edge_is_follows_from_its_connection(desk, connection, client, kind):
    made = desk()
    made.intake._emitter = heard = Heard()
    calls = orjson.dumps(CALL)
    said = b',{"key":"connection_type","value":{"stringValue":"%s"}}]' % connection.encode()
    value = cumulative(GRAPH, 0, START_MS).replace(calls, calls[:-1] + said)
    made.intake.feed([made.message(value.replace(b'"web"', b'"%s"' % client.encode()), 0)])
    assert [each.callee_kind for each in heard.items if each.type == "edge"] == [kind]


def test_a_version_from_next_year_can_be_rolled_back_to(desk):
    made = desk()
    made.intake._emitter = heard = Heard()
    for number, (version, now_h, after_h) in enumerate((("1", 1, 9_000), ("2", 3, 3), ("1", 4, 4))):
        made.now_ms = START_MS + now_h * 3_600_000
        value = cumulative(GRAPH, number, START_MS + after_h * 3_600_000, version)
        made.intake.feed([made.message(value, number)])
    deploys = [each.summary for each in heard.items if each.type == "change"]
    assert deploys == ["service.version 1 → 2", "service.version 2 → 1"]

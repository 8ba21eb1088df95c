"""DETECT between a real broker and the evidence log."""

import json
import re
import time
from threading import Event, Thread

import pytest
from confluent_kafka import Producer

from streams.stages.detect import DetectStage
from streams.wire.codec import decode
from streams.wire.deadletter import decode_headers
from streams.wire.messages import EvidenceRecord
from tests.shop_on_kafka import Wire, evidence_until, items_of, running, sayings

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")


def test_a_fault_becomes_evidence_with_its_changes_and_edges(one_run):
    items = items_of(one_run)
    assert {message.key() for message in one_run} == {b"shop"}
    assert any(item.type == "anomaly" and item.service == "redis-cart" for item in items)
    assert [item.id for item in items if item.type == "change"] == ["d-1"]
    assert {(item.caller, item.callee) for item in items if item.type == "edge"} == {
        ("frontend", "checkout"),
        ("checkout", "redis-cart"),
    }


def test_a_stop_and_a_restart_say_what_one_run_says(wire, shop, one_run):
    cut = len(shop.records) * 95 // 100
    wire.publish(shop.records[:cut])
    with running(DetectStage, wire.settings):
        evidence_until(wire, shop.end_ms - 50 * 15_000)
    wire.publish(shop.records[cut:])
    with running(DetectStage, wire.settings):
        found = evidence_until(wire, shop.end_ms - 30_000)

    assert sayings(found) == sayings(one_run)
    ticks = [decode(EvidenceRecord, message.value()) for message in found]
    spoken = [record.tick_ms for record in ticks if len(record.items) > 1]
    assert len(spoken) == len(set(spoken)), "a tick was said twice although the stop was in order"


def test_records_are_read_whatever_their_producers_compressed_them_with(wire, shop, one_run):
    each = -(-len(shop.records) // len(CODECS))
    for number, codec in enumerate(CODECS):
        # Not ours, which has a codec of its own.
        sender = Producer(
            {
                "bootstrap.servers": wire.settings.kafka.bootstrap_servers,
                "compression.type": codec,
                "linger.ms": 50,
            }
        )
        for topic, key, value in shop.records[number * each : (number + 1) * each]:
            sender.produce(wire.settings.kafka.topic(topic), value, key, partition=0)
            sender.poll(0)
        assert sender.flush(30) == 0
    with running(DetectStage, wire.settings):
        found = evidence_until(wire, shop.end_ms - 30_000)

    assert sayings(found) == sayings(one_run)


def test_a_lost_state_directory_is_restored_from_the_snapshot_topic(wire, shop, tmp_path):
    cut = len(shop.records) * 95 // 100
    wire.publish(shop.records[:cut])
    with running(DetectStage, wire.settings):
        before = evidence_until(wire, shop.end_ms - 50 * 15_000)
    wire.publish(shop.records[cut:])
    elsewhere = wire.settings.model_copy(update={"state_dir": tmp_path / "elsewhere"})
    with running(DetectStage, elsewhere):
        found = evidence_until(wire, shop.end_ms - 30_000)

    again = {item.model_dump_json() for item in items_of(found[len(before) :]) if item.type == "anomaly"}
    assert again
    assert not again & {item.model_dump_json() for item in items_of(before)}, "history was read again"


def test_garbage_on_every_topic_is_dead_lettered_untouched_and_the_rest_goes_on(wire, shop):
    garbage = b'\xff\x00 {"not": json'
    wire.publish(shop.records[: len(shop.records) // 2])
    for topic in wire.settings.detect.topics:
        wire.put(topic, garbage, "some-key", headers=[("origin", b"a test")])
    wire.publish(shop.records[len(shop.records) // 2 :])
    with running(DetectStage, wire.settings):
        found = evidence_until(wire, shop.end_ms - 30_000)
        count = len(wire.settings.detect.topics)
        dead = wire.read("headwater.dlq", lambda letters: len(letters) == count)

    assert any(item.type == "anomaly" and item.service == "redis-cart" for item in items_of(found))
    letters = [decode_headers(message.headers()) for message in dead]
    prefix = wire.settings.kafka.topic_prefix
    assert {letter.source_topic.removeprefix(prefix) for letter, _ in letters} == set(
        wire.settings.detect.topics
    )
    assert all(letter.stage == "detect" and letter.error == "DecodeError" for letter, _ in letters)
    assert all(original == [("origin", b"a test")] for _, original in letters)
    assert {(message.key(), message.value()) for message in dead} == {(b"some-key", garbage)}


@pytest.mark.parametrize(
    ("topic", "of_a_hundred"), [("headwater.metrics", 1), ("headwater.metrics", 50), ("headwater.logs", 100)]
)
def test_a_flood_of_garbage_stops_no_good_record(wire, shop, topic, of_a_hundred):
    floods = 0
    for number, (name, key, value) in enumerate(shop.records):
        wire.put(name, value, key)
        # As many pieces of garbage as make the share; on its own topic it is all that there is.
        for _ in range(3 if of_a_hundred == 100 else of_a_hundred == 50 or number % 100 == 0):
            wire.put(topic, b"\xff garbage %d" % floods, "frontend")
            floods += 1
    wire.flush()
    with running(DetectStage, wire.settings):
        found = wire.read("headwater.evidence", lambda each: has_promised(each[-1], shop.end_ms - 30_000))
        dead = wire.read("headwater.dlq", lambda letters: len(letters) == floods)

    assert any(item.type == "anomaly" and item.service == "redis-cart" for item in items_of(found))
    assert {item.id for item in items_of(found) if item.type == "change"} == {"d-1"}
    assert len({message.value() for message in dead}) == floods


def test_a_topic_of_changes_that_never_pauses_does_not_hold_up_telemetry(wire, shop):
    wire.publish(shop.records)
    done = Event()

    def deploy_for_ever():
        number = 0
        while not done.wait(0.02):
            number += 1
            change = {"domain": "shop", "service": "frontend", "id": f"e-{number}", "ts_ms": shop.end_ms}
            wire.put("headwater.deploys", json.dumps(change).encode(), "frontend")

    producer = Thread(target=deploy_for_ever)
    producer.start()
    try:
        with running(DetectStage, wire.settings):
            wire.read("headwater.evidence", lambda found: has_promised(found[-1], shop.end_ms - 30_000))
    finally:
        done.set()
        producer.join()


def has_promised(message, ts_ms):
    return any(item.type == "progress" and item.watermark_ms >= ts_ms for item in items_of([message]))


def test_a_clock_an_hour_ahead_does_not_close_everybodys_windows(wire, shop):
    now_ms = time.time_ns() // 1_000_000
    shift_ms = now_ms - shop.end_ms
    recent = [
        (topic, key, re.sub(rb'"ts_ms": (\d+)', lambda m: b'"ts_ms": %d' % (int(m[1]) + shift_ms), value))
        for topic, key, value in shop.records
    ]
    wrong = {
        "domain": "shop",
        "service": "wrong",
        "metric": "cpu_usage",
        "ts_ms": now_ms + 3_600_000,
        "value": 1,
    }
    half = len(recent) // 2
    wire.publish(recent[:half])
    wire.publish([("headwater.metrics", "wrong", json.dumps(wrong).encode())])
    wire.publish(recent[half:])
    with running(DetectStage, wire.settings):
        found = evidence_until(wire, now_ms - 60_000)

    newest = max(item.watermark_ms for item in items_of(found) if item.type == "progress")
    assert newest <= time.time_ns() // 1_000_000


def test_a_partition_that_is_added_while_running_is_read(wire, shop, is_apache):
    if not is_apache:
        pytest.skip("the embedded broker cannot add partitions: run with --kafka apache1")
    from confluent_kafka.admin import NewPartitions

    from streams.kafka import admin

    topic = wire.settings.kafka.topic("headwater.metrics")
    half = len(shop.records) // 2

    def stage(settings, health):
        return DetectStage(settings, health, look_every_s=0.2)

    with running(stage, wire.settings):
        wire.publish(shop.records[:half])
        evidence_until(wire, shop.end_ms - 280 * 15_000)
        client = admin(wire.settings.kafka)
        for done in client.create_partitions([NewPartitions(topic, 2)]).values():
            done.result(30)
        later = Wire(wire.settings, anew=True)
        later.wait_for_partitions("headwater.metrics", 2)
        for name, key, value in shop.records[half:]:
            later.put(name, value, key, **({"partition": 1} if name == "headwater.metrics" else {}))
        later.flush()
        found = evidence_until(wire, shop.end_ms - 30_000)

    assert any(item.type == "anomaly" and item.service == "redis-cart" for item in items_of(found))


def test_a_snapshot_of_other_mathematics_is_left_and_the_sources_are_read_again(wire, shop, monkeypatch):
    from detectors import Detector

    wire.publish(shop.records)
    with running(DetectStage, wire.settings):
        before = evidence_until(wire, shop.end_ms - 30_000)

    def refuse(state, config=None):
        raise ValueError("version 0 is not readable")

    monkeypatch.setattr(Detector, "load", refuse)
    with running(DetectStage, wire.settings):
        everything = wire.read("headwater.evidence", lambda found: len(found) >= 2 * len(before) - 5)

    assert sayings(everything) == sayings(before)

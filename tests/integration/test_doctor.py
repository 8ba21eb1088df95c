"""`headwater doctor` names each fault of a set-up, and what to do."""

import json
import time

import pytest
from confluent_kafka.admin import NewTopic

from streams.cli import main
from streams.doctor import examine
from streams.kafka import admin, topics
from streams.kafka.reading import newest, one
from streams.settings import KafkaSettings, Settings
from tests.integration.test_route import METRICS, publish_round_robin, unkeyed

__all__ = ["unkeyed"]


def found_by(settings, *levels, **options):
    prefix = settings.kafka.topic_prefix
    return {
        each.subject.removeprefix(prefix): f"{each.what} → {each.do}"
        for each in examine(settings, **options)
        if each.level in levels
    }


def test_unkeyed_series_on_several_units_are_a_fault_until_they_are_routed(unkeyed, shop):
    wire = unkeyed()
    publish_round_robin(wire, shop)
    fault = found_by(wire.settings, "fault")
    assert list(fault) == [METRICS]
    assert "the same series is read by several of 2 units" in fault[METRICS]
    assert "have no key" in fault[METRICS]
    assert f"add {METRICS} to HEADWATER_ROUTE__TOPICS" in fault[METRICS]

    one = unkeyed(METRICS)
    publish_round_robin(one, shop)
    assert found_by(one.settings, "fault") == {
        f"{METRICS}.routed": "is empty: nobody re-keys its source → run `headwater run --stage route`"
    }


def test_a_sound_set_up_has_neither_a_fault_nor_a_warning(wire, shop):
    wire.publish(shop.records)
    wire.put(METRICS, shop.records[-1][2], "cart")  # stamped now by the producer, as live telemetry is
    wire.flush()
    assert found_by(wire.settings, "fault", "warning") == {}


def test_garbage_wrong_clocks_and_missing_edges_are_warnings(wire):
    now_ms = time.time_ns() // 1_000_000
    sample = {"service": "cart", "metric": "cpu", "value": 1.0, "ts_ms": now_ms + 3_600_000}
    wire.put("headwater.metrics", json.dumps(sample).encode(), "cart")
    wire.put("headwater.logs", b"\xff\xff", "cart")
    nameless = {"resourceMetrics": [{"scopeMetrics": [{"metrics": [{"name": "cpu", "gauge": {"dataPoints": [
        {"timeUnixNano": str(now_ms * 10**6), "asDouble": 1.0}]}}]}]}]}  # fmt: skip
    wire.put("otlp_metrics", json.dumps(nameless).encode())
    wire.flush()
    said = found_by(wire.settings, "warning")

    assert "s ahead of our clock" in said["headwater.metrics"]
    assert "1 of 1 records cannot be read" in said["headwater.logs"]
    assert "headwater decode --topic headwater.logs --partition 0 --offset 0" in said["headwater.logs"]
    assert "do not say which service" in said["otlp_metrics"]
    assert "nobody says who calls whom" in said["topology"]


def test_instances_that_are_read_apart_and_an_exporter_that_is_silent_are_warnings(unkeyed):
    wire = unkeyed()
    now_ms = time.time_ns() // 1_000_000
    for partition, instance in enumerate("ab"):
        samples = [
            {"service": service, "metric": "cpu", "value": 1, "ts_ms": now_ms, "instance": instance}
            for service in ("cart", f"only-{instance}")
        ]
        old_ms = now_ms - 3_600_000
        wire.put(METRICS, json.dumps(samples).encode(), partition=partition, timestamp=old_ms)
    wire.flush()
    said = [each.what for each in examine(wire.settings) if each.level == "warning"]

    assert "instances of one service are read by different units (cart): " in said[0]
    assert said[0].endswith("2 hold several services")
    assert "the newest record is 60 min old" in said


def test_producers_that_share_an_identity_are_a_warning(wire):
    now_ms = time.time_ns() // 1_000_000
    for service, values in (("worker", (3.0, 900.0)), ("cart", (1.0, 1.0))):  # a retry says the same twice
        for value in values:
            sample = {"service": service, "metric": "cpu", "value": value, "ts_ms": now_ms}
            wire.put(METRICS, json.dumps(sample).encode(), service)
    wire.flush()
    said = found_by(wire.settings, "warning")[METRICS]
    assert said.startswith("series have two values for one time (worker): several producers share")
    assert "service.instance.id" in said


def test_all_newest_records_are_looked_at_though_the_producers_clock_is_ahead(wire):
    ahead_ms = time.time_ns() // 1_000_000 + 3_600_000
    for number in range(5):
        wire.put(METRICS, str(number).encode(), "cart", partition=0, timestamp=ahead_ms)
    wire.flush()
    kafka = wire.settings.kafka
    topic = kafka.topic(METRICS)

    found = [each.value() for each in newest(kafka, [(topic, 0)], 4)]
    assert found[-4:] == [b"1", b"2", b"3", b"4"]
    assert one(kafka, topic, 0, -3).value() == b"2"


def test_missing_topics_short_retention_and_silence_are_faults(kafka_settings):
    assert "headwater topics create" in found_by(kafka_settings, "fault")["topics"]
    name = kafka_settings.kafka.topic("otlp_metrics")
    replicas = kafka_settings.kafka.replication_factor
    short = NewTopic(name, 1, replicas, config={"retention.ms": "60000"})
    client = admin(kafka_settings.kafka)
    for done in client.create_topics([short]).values():
        done.result(30)
    topics.create(kafka_settings.kafka)
    said = found_by(kafka_settings, "fault")

    assert "keeps records for 60 s only" in said["otlp_metrics"]
    assert "no metric sample and no log line" in said["telemetry"]
    assert "topics" not in said


def test_a_broker_that_is_away_is_named_by_the_command_with_exit_code_1(tmp_path, capsys):
    config = tmp_path / "headwater.yaml"
    config.write_text(f"kafka: {{bootstrap_servers: '127.0.0.1:1'}}\nstate_dir: {tmp_path}\n")
    with pytest.raises(SystemExit) as ended:
        main(["doctor", "--config", str(config)])
    assert ended.value.code == 1
    assert "FAULT broker: no Kafka broker answers at 127.0.0.1:1" in capsys.readouterr().out


@pytest.mark.parametrize(("folder", "warned"), [("not/yet/there", False), ("a-file/state", True)])
def test_a_state_folder_is_judged_and_not_made(tmp_path, folder, warned):
    (tmp_path / "a-file").write_text("")
    away = KafkaSettings(bootstrap_servers="127.0.0.1:1")
    said = found_by(Settings(kafka=away, state_dir=tmp_path / folder), "warning")
    assert ("state_dir" in said) == warned
    assert [each.name for each in tmp_path.iterdir()] == ["a-file"]

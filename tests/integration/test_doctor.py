"""`headwater doctor` names each fault of a set-up, and what to do."""

import json
import time

import pytest
from confluent_kafka.admin import NewTopic

from streams.cli import main
from streams.doctor import examine
from streams.kafka import admin, topics
from tests.integration.test_route import METRICS, publish_round_robin, unkeyed

pytestmark = pytest.mark.kafka
__all__ = ["unkeyed"]


def found(settings, *levels, **options):
    prefix = settings.kafka.topic_prefix
    return {
        each.subject.removeprefix(prefix): f"{each.what} → {each.do}"
        for each in examine(settings, **options)
        if each.level in levels
    }


def test_unkeyed_series_on_several_units_are_a_fault_until_they_are_routed(unkeyed, shop):
    wire = unkeyed()
    publish_round_robin(wire, shop)
    fault = found(wire.settings, "fault")
    assert list(fault) == [METRICS]
    assert "the same series is read by several of 2 units" in fault[METRICS]
    assert "have no key" in fault[METRICS]
    assert f"add {METRICS} to HEADWATER_ROUTE__TOPICS" in fault[METRICS]

    one = unkeyed(METRICS)
    publish_round_robin(one, shop)
    assert found(one.settings, "fault") == {
        f"{METRICS}.routed": "is empty: nobody re-keys its source → run `headwater run --stage route`"
    }


def test_a_sound_set_up_has_neither_a_fault_nor_a_warning(wire, shop):
    wire.publish(shop.records)
    wire.put(METRICS, shop.records[-1][2], "cart")  # stamped now by the producer, as live telemetry is
    wire.flush()
    assert found(wire.settings, "fault", "warning") == {}


def test_garbage_wrong_clocks_and_missing_edges_are_warnings(wire):
    now_ms = time.time_ns() // 1_000_000
    sample = {"service": "cart", "metric": "cpu", "value": 1.0, "ts_ms": now_ms + 3_600_000}
    wire.put("headwater.metrics", json.dumps(sample).encode(), "cart")
    wire.put("headwater.logs", b"\xff\xff", "cart")
    nameless = {"resourceMetrics": [{"scopeMetrics": [{"metrics": [{"name": "cpu", "gauge": {"dataPoints": [
        {"timeUnixNano": str(now_ms * 10**6), "asDouble": 1.0}]}}]}]}]}  # fmt: skip
    wire.put("otlp_metrics", json.dumps(nameless).encode())
    wire.flush()
    said = found(wire.settings, "warning")

    assert "s ahead of our clock" in said["headwater.metrics"]
    assert "1 of 1 records cannot be read" in said["headwater.logs"]
    assert "headwater decode --topic headwater.logs --partition 0 --offset 0" in said["headwater.logs"]
    assert "do not say which service" in said["otlp_metrics"]
    assert "nobody says who calls whom" in said["topology"]


def test_missing_topics_short_retention_and_silence_are_faults(kafka_settings):
    assert "headwater topics create" in found(kafka_settings, "fault")["topics"]
    name = kafka_settings.kafka.topic("otlp_metrics")
    replicas = kafka_settings.kafka.replication_factor
    short = NewTopic(name, 1, replicas, config={"retention.ms": "60000"})
    client = admin(kafka_settings.kafka)
    for done in client.create_topics([short]).values():
        done.result(30)
    topics.create(kafka_settings.kafka)
    said = found(kafka_settings, "fault")

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

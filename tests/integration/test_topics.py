"""`headwater topics` on a living broker."""

import json
import re

import pytest

from streams.cli import main
from streams.errors import BrokerUnavailable
from streams.kafka import admin, topics
from streams.kafka.cluster import metadata
from streams.wire.topics import ALL


def test_creating_twice_creates_once(kafka_settings):
    first = topics.create(kafka_settings.kafka)
    second = topics.create(kafka_settings.kafka)

    assert {state.state for state in first} == {"created"}
    assert len(first) == len(ALL)
    assert {state.state for state in second} == {"ok"}


def test_a_missing_topic_is_reported_with_the_command_that_creates_it(kafka_settings):
    states = topics.check(kafka_settings.kafka)

    assert {state.state for state in states} == {"missing"}
    assert "headwater topics create" in states[0].note


def test_a_topic_of_another_width_is_reported(kafka_settings):
    topics.create(kafka_settings.kafka)
    wider = kafka_settings.kafka.model_copy(update={"domain_partitions": 3})

    differing = {state.name for state in topics.check(wider) if state.state == "differs"}

    assert wider.topic("headwater.evidence") in differing
    assert wider.topic("otlp_metrics") not in differing


def test_a_broker_that_does_not_answer_is_named(kafka_settings):
    away = kafka_settings.kafka.model_copy(update={"bootstrap_servers": "127.0.0.1:1"})

    with pytest.raises(BrokerUnavailable, match=re.escape("127.0.0.1:1")):
        metadata(admin(away), away.bootstrap_servers, timeout_s=0.3)


def test_the_command_prints_one_json_array_and_tells_by_its_exit_code(kafka_settings, tmp_path, capsys):
    config = tmp_path / "headwater.yaml"
    config.write_text(
        f"kafka:\n  bootstrap_servers: {kafka_settings.kafka.bootstrap_servers}\n"
        f"  topic_prefix: {kafka_settings.kafka.topic_prefix}\n"
        f"  replication_factor: {kafka_settings.kafka.replication_factor}\n"
    )

    with pytest.raises(SystemExit) as checked:
        main(["topics", "check", "--config", str(config), "--json"])
    assert checked.value.code == 1
    assert {state["state"] for state in json.loads(capsys.readouterr().out)} == {"missing"}

    with pytest.raises(SystemExit) as created:
        main(["topics", "create", "--config", str(config), "--json"])
    assert created.value.code in (0, None)
    assert {state["state"] for state in json.loads(capsys.readouterr().out)} == {"created"}

"""`headwater replay` on a living broker: everything arrives, in order, and mistakes are one line."""

from __future__ import annotations

import json
import time

import pyarrow as pa
import pytest

from detectors.catalog import Catalog
from streams.cli import main
from streams.kafka import consumer, headers_of, topics
from streams.recording import Recording, metric_samples, write_recording
from streams.recording.tables import METRICS, schema_of
from streams.wire.decoders import Decoders
from streams.wire.record import RawRecord
from streams.wire.telemetry import TelemetryBuilder

T0 = 1_790_000_010_000


@pytest.fixture
def recording(tmp_path):
    count = 40
    times = [T0 + i * 15_000 for i in range(count) for _ in range(2)]
    rows = [
        times,
        ["shop/cart", "shop/auth"] * count,
        ["cart-0", None] * count,
        ["cpu"] * 2 * count,
        ["1"] * 2 * count,
        ["gauge"] * 2 * count,
        [i / 7 for i in range(2 * count)],
    ]
    path = write_recording(
        tmp_path / "rec",
        name="rec",
        system="shop",
        start_ms=T0,
        end_ms=times[-1],
        interval_s=15,
        metrics=pa.table(rows, schema=schema_of(METRICS)),
        changes=[
            {"id": "d1", "ts_ms": T0 + 1, "kind": "deploy", "service": "shop/cart", "version_after": "2"}
        ],
        topology={"nodes": [], "edges": [{"caller": "shop/cart", "callee": "shop/auth"}]},
    )
    return Recording.open(path)


@pytest.fixture
def config(kafka_settings, tmp_path):
    file = tmp_path / "headwater.yaml"
    kafka = kafka_settings.kafka
    file.write_text(
        f"kafka:\n  bootstrap_servers: {kafka.bootstrap_servers}\n  topic_prefix: {kafka.topic_prefix}\n"
    )
    return file


def everything_on(kafka, names):
    """Read topics from their beginnings to their ends."""
    from confluent_kafka import TopicPartition

    reader = consumer(kafka, "check")
    found = []
    try:
        for name in names:
            partition = TopicPartition(kafka.topic(name), 0, 0)
            reader.assign([partition])
            while (message := reader.poll(10)).error() is None:  # the end of the partition is one
                found.append(
                    RawRecord(name, 0, message.offset(), message.key(), message.value(), headers_of(message))
                )
    finally:
        reader.close()
    return found


def test_a_replay_through_kafka_is_the_recording(recording, config, kafka_settings, capsys):
    topics.create(kafka_settings.kafka)
    main_exit = run(["replay", str(recording.path), "--speed", "0", "--config", str(config), "--json"])
    assert main_exit in (None, 0)
    summary = json.loads(capsys.readouterr().out)

    found = everything_on(kafka_settings.kafka, ("headwater.topology", "cdevents", "otlp_metrics"))
    assert len(found) == summary["records"]
    catalog = Catalog()
    builder = TelemetryBuilder(lambda _domain: catalog)
    decoders = Decoders()
    for record in found:
        decoders.decode(record, builder)
    telemetry = builder.take()["shop"]
    expected = metric_samples(recording.metrics())
    assert sorted(telemetry.samples.value.tolist()) == sorted(expected.value.tolist())
    # Services are written one by one within a tick, and never behind the next one.
    assert telemetry.samples.ts_ms.tolist() == expected.ts_ms.tolist()
    assert list(telemetry.items) == [*recording.declared_edges(), *recording.changes()]


def test_missing_topics_are_one_line_with_the_remedy(recording, config, capsys):
    assert run(["replay", str(recording.path), "--config", str(config)]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "otlp_metrics" in error
    assert "headwater topics create" in error


def test_a_broker_that_is_away_is_one_line_with_its_address(recording, tmp_path, capsys):
    file = tmp_path / "away.yaml"
    file.write_text("kafka:\n  bootstrap_servers: 127.0.0.1:1\n")
    assert run(["replay", str(recording.path), "--config", str(file)]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "127.0.0.1:1" in error


def test_a_folder_that_is_no_recording_is_one_line(config, tmp_path, capsys):
    assert run(["replay", str(tmp_path / "nowhere"), "--config", str(config)]) == 2
    assert "nowhere" in capsys.readouterr().err


def run(arguments):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    return ended.value.code


def test_decode_shows_a_record_of_a_topic(recording, config, kafka_settings, capsys):
    topics.create(kafka_settings.kafka)
    run(["replay", str(recording.path), "--speed", "0", "--config", str(config)])
    capsys.readouterr()
    where = ["decode", "--config", str(config), "--topic", "otlp_metrics"]
    assert run([*where, "--offset", "-1", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["record"].endswith("@79")
    assert shown["becomes"]["shop"]["samples"][0]["metric"] == "cpu"
    assert run([*where, "--offset", "3", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["record"].endswith("@3")
    assert run([*where, "--offset", "100000"]) == 2
    assert "no record at offset 100000" in capsys.readouterr().err
    assert run([*where, "--offset", "0", "--partition", "7"]) == 2
    assert "partitions 0 to 0" in capsys.readouterr().err


def test_a_story_played_live_ends_now(kafka_settings, tmp_path, monkeypatch, capsys):
    kafka = kafka_settings.kafka
    monkeypatch.setenv("HEADWATER_KAFKA__BOOTSTRAP_SERVERS", kafka.bootstrap_servers)
    monkeypatch.setenv("HEADWATER_KAFKA__TOPIC_PREFIX", kafka.topic_prefix)
    topics.create(kafka)
    story = ["simulate", "--scenario", "healthy", "--hours", "0.1", "--out", str(tmp_path)]
    assert run([*story, "--live", "--traces", "--speed", "1000"]) in (None, 0)
    now_ms = time.time_ns() // 1_000_000
    assert "published" in capsys.readouterr().err

    builder = TelemetryBuilder(lambda _domain: Catalog())
    decoders = Decoders()
    for record in everything_on(kafka, ("otlp_metrics",)):
        decoders.decode(record, builder)
    newest_ms = builder.take()["shop"].samples.ts_ms.max()
    assert now_ms - 120_000 < newest_ms <= now_ms + 15_000
    for topic in ("otlp_logs", "otlp_spans", "cdevents", "headwater.topology"):
        assert everything_on(kafka, (topic,))

"""`headwater dlq` on a living broker: poison is listed, shown, and sent back as it came."""

import json
import time

import pytest

from detectors import Catalog
from streams.cli import main
from streams.errors import DecodeError
from streams.kafka import DeadLetters, producer, topics
from streams.kafka.letters import LetterBox
from streams.stages.detect import DetectStage
from streams.wire.deadletter import decode_headers
from streams.wire.decoders import Decoders
from streams.wire.record import RawRecord
from streams.wire.telemetry import TelemetryBuilder
from tests.shop_on_kafka import Wire, running

POISON = b'{"service": "cart", "metric": "cpu", "value": "warm", "ts_ms": 1790000000000}'
STAMP_MS = time.time_ns() // 1_000_000 - 3_600_123
"""Within what a topic keeps: a broker deletes what is stamped older."""


@pytest.fixture
def dlq(wire, tmp_path, capsys):
    """Runs the command against the test's topics; returns exit code and what it printed."""
    config = tmp_path / "headwater.yaml"
    kafka = wire.settings.kafka
    config.write_text(
        f"kafka: {{bootstrap_servers: '{kafka.bootstrap_servers}', topic_prefix: {kafka.topic_prefix},"
        f" group_prefix: {kafka.group_prefix}}}\n"
    )

    def run(*arguments):
        with pytest.raises(SystemExit) as ended:
            main(["dlq", *arguments, "--config", str(config)])
        return ended.value.code or 0, capsys.readouterr()

    return run


@pytest.fixture
def poisoned(wire):
    """Two dead letters, as DETECT writes them."""
    kafka = wire.settings.kafka
    dead = DeadLetters(producer(kafka), kafka, "detect")
    headers = (("origin", b"a test"),)
    for topic, value in (("headwater.metrics", POISON), ("headwater.logs", b"{no json")):
        record = RawRecord(topic, 0, 7, b"cart", value, headers, STAMP_MS)
        with pytest.raises(DecodeError) as failed:
            Decoders().decode(record, TelemetryBuilder(lambda _: Catalog()))
        dead.put(record._replace(topic=kafka.topic(topic)), failed.value, STAMP_MS + 1)
    dead.flush()
    return wire


def test_letters_are_listed_and_counted_by_reason(poisoned, dlq):
    code, said = dlq("list", "--json")
    found = json.loads(said.out)

    assert (code, found["total"], len(found["letters"])) == (0, 2, 2)
    prefix = poisoned.settings.kafka.topic_prefix
    assert {row["topic"] for row in found["by_reason"]} == {
        f"{prefix}headwater.{n}" for n in ("metrics", "logs")
    }
    code, said = dlq("list", "--reason", "expected a number")
    assert said.out.count("expected a number") == 2
    assert "not JSON" not in said.out


def test_a_long_list_of_reasons_is_cut_where_a_person_stops_reading(poisoned, dlq):
    _, said = dlq("list", "--limit", "1")
    assert said.out.count(" × ") == 1
    assert "and 1 more reasons; --json has all" in said.out


def test_the_newest_letter_is_shown_by_counting_from_the_end(poisoned, dlq):
    newest = max(each.offset for each in LetterBox(poisoned.settings.kafka).all())
    found = [json.loads(dlq("show", number, "--json")[1].out) for number in ("-1", str(newest))]
    assert found[0] == found[1]


def test_a_letter_is_shown_whole_and_its_value_written_to_a_file(poisoned, dlq, tmp_path):
    offsets = {each.value: each.offset for each in LetterBox(poisoned.settings.kafka).all()}
    code, said = dlq("show", str(offsets[POISON]), "--json", "--out", str(tmp_path / "value"))
    found = json.loads(said.out)

    assert code == 0
    assert (tmp_path / "value").read_bytes() == POISON
    assert found["headers"] == {"origin": "a test"}
    assert (found["key"], found["source_ts_ms"], found["attempt"]) == ("cart", STAMP_MS, 1)
    assert found["reason"].startswith("value: expected a number")
    # Which record, and what of it: topic, partition, offset, field.
    _, told = dlq("show", str(offsets[POISON]))
    assert f"{poisoned.settings.kafka.topic('headwater.metrics')}[0]@" in told.out
    assert "value: expected a number" in told.out


def test_a_replay_sends_every_letter_once_byte_for_byte_and_a_repeated_failure_is_counted(poisoned, dlq):
    assert json.loads(dlq("replay", "--yes", "--json")[1].out) == {"replayed": 2}
    assert json.loads(dlq("replay", "--yes", "--json")[1].out) == {"replayed": 0}

    again = poisoned.everything("headwater.metrics")[-1]
    assert (again.key(), again.value(), again.timestamp()[1]) == (b"cart", POISON, STAMP_MS)
    assert dict(again.headers())["origin"] == b"a test"
    with running(DetectStage, poisoned.settings):
        dead = poisoned.read("headwater.dlq", lambda found: len(found) == 4)
    why = [decode_headers(each.headers())[0] for each in dead]
    assert [each.attempt for each in why] == [1, 1, 2, 2]
    assert {each.source_ts_ms for each in why} == {STAMP_MS}


def test_a_letter_goes_back_to_the_partition_that_it_came_from(fresh_settings):
    settings = fresh_settings()
    kafka = settings.kafka.model_copy(update={"detect_partitions": 2})
    topics.create(kafka)
    dead = DeadLetters(producer(kafka), kafka, "detect")
    for partition in (0, 1):  # with one key, which alone would lead both to one
        record = RawRecord(kafka.topic("headwater.metrics"), partition, 7, b"cart", POISON, (), STAMP_MS)
        dead.put(record, DecodeError("no number"), STAMP_MS + 1)
    dead.flush()

    box = LetterBox(kafka)
    assert box.replay(box.all(), note=False) == 2
    again = Wire(settings.model_copy(update={"kafka": kafka})).everything("headwater.metrics")
    assert sorted(each.partition() for each in again) == [0, 1]


def test_poison_that_is_too_large_for_a_letter_is_told_of_and_stops_nobody(poisoned, dlq):
    """A record of a megabyte on the broker, compressed, may be ten."""
    kafka = poisoned.settings.kafka
    dead = DeadLetters(producer(kafka), kafka, "detect")
    topic = kafka.topic("headwater.metrics")
    for offset, value in ((8, b"?" * 4_500_000), (9, b"?" * 3_500_000)):
        dead.put(RawRecord(topic, 0, offset, b"cart", value, (), STAMP_MS), DecodeError("no JSON"), STAMP_MS)
    dead.flush()

    letters = list(LetterBox(kafka).all())
    assert [len(each.value or b"") for each in letters[-2:]] == [0, 3_500_000]
    reason = letters[-2].why.reason
    assert reason == f"no JSON; its 4500000 bytes are too many for a letter: read them at {topic}[0]@8"
    code, said = dlq("replay", "--offset", str(letters[-2].offset), "--yes")
    assert code == 2
    assert "holds no value" in said.err
    _, said = dlq("replay", "--reason", "JSON", "--yes")
    assert "2 records replayed" in said.out
    assert "1 letter that holds no value is left" in said.err


def test_chosen_letters_are_replayed_without_moving_the_mark(poisoned, dlq):
    assert json.loads(dlq("replay", "--reason", "not JSON", "--yes", "--json")[1].out) == {"replayed": 1}
    assert json.loads(dlq("replay", "--yes", "--json")[1].out) == {"replayed": 2}


def test_a_letter_whose_topic_is_gone_is_named_before_anything_is_sent(poisoned, dlq):
    kafka = poisoned.settings.kafka
    dead = DeadLetters(producer(kafka), kafka, "detect")
    lost = RawRecord(kafka.topic("gone"), 0, 1, None, b"?", (), STAMP_MS)
    dead.put(lost, DecodeError("no decoder"), STAMP_MS + 2)
    dead.flush()
    code, said = dlq("replay", "--yes")

    assert code == 2
    assert "nothing was sent" in said.err
    assert kafka.topic("gone") in said.err
    assert poisoned.everything("headwater.metrics") == []


def test_mistakes_are_one_line_and_send_nothing(poisoned, dlq):
    code, said = dlq("replay")
    assert (code, said.err.splitlines()[-1]) == (2, "headwater: nothing was sent; --yes sends without asking")
    code, said = dlq("replay", "--offset", "99", "--yes")
    assert (code, said.err) == (2, "headwater: no such letter: 99; `headwater dlq list` shows them\n")
    code, said = dlq("show", "99")
    assert code == 2
    assert "holds no record at offset 99" in said.err
    assert poisoned.everything("headwater.metrics") == []

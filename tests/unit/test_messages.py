"""The published messages: golden files, evolution, canonical bytes."""

import runpy
from pathlib import Path

import orjson
import pytest
from cloudevents.core.bindings.kafka import KafkaMessage, from_kafka_event
from hypothesis import given
from hypothesis import strategies as st

from streams.errors import DecodeError, PermanentError
from streams.wire import cloudevents, codec, deadletter
from streams.wire.messages import DeadLetter, EvidenceRecord, IncidentRecord
from streams.wire.schemas import CONTRACTS, schema_text

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "golden"
EXAMPLES = runpy.run_path(str(GOLDEN / "examples.py"))
MESSAGES = EXAMPLES["MESSAGES"]


def golden(name: str, folder: str = "messages") -> bytes:
    return (GOLDEN / folder / f"{name}.json").read_bytes()


@pytest.mark.parametrize("name", MESSAGES)
def test_a_golden_file_decodes_to_the_message_and_back_to_the_same_bytes(name):
    message = MESSAGES[name]
    assert codec.decode(type(message), golden(name)) == message
    assert codec.encode(message) == codec.canonical(orjson.loads(golden(name)))


@pytest.mark.parametrize("name", EXAMPLES["EVENTS"])
def test_a_golden_event_is_what_we_write(name):
    assert codec.canonical(orjson.loads(golden(name))) == EXAMPLES["EVENTS"][name]


def test_no_golden_file_is_left_without_its_example():
    assert {path.stem for path in (GOLDEN / "messages").glob("*.json")} == set(EXAMPLES["goldens"]())


@pytest.mark.parametrize("path", sorted((GOLDEN / "oldest").glob("*.json")), ids=lambda p: p.stem)
def test_documents_of_the_first_day_still_read(path):
    model = type(MESSAGES[path.stem])
    message = codec.decode(model, path.read_bytes())
    assert codec.decode(model, codec.encode(message)) == message


@pytest.mark.parametrize("name", MESSAGES)
def test_unknown_fields_are_ignored_at_every_depth(name):
    def sprinkle(value):
        if isinstance(value, dict):
            return {key: sprinkle(each) for key, each in value.items()} | {
                "added_next_year": [1, {"a": None}]
            }
        return [sprinkle(each) for each in value] if isinstance(value, list) else value

    document = orjson.loads(golden(name))
    for mapping in document.get("items", []):  # a change's attributes are data: whatever is there is kept
        mapping.pop("attributes", None)
    message = type(MESSAGES[name])
    assert codec.decode(message, orjson.dumps(sprinkle(document))) == codec.decode(
        message, orjson.dumps(document)
    )


def test_a_newer_schema_is_refused_with_what_to_do():
    document = orjson.loads(golden("evidence-tick")) | {"schema": 2, "items": "of another shape"}
    with pytest.raises(
        DecodeError, match=r"^schema: EvidenceRecord of schema 2, .* reads 1; upgrade headwater"
    ):
        codec.decode(EvidenceRecord, orjson.dumps(document))


def test_an_error_names_the_field_by_its_path():
    document = orjson.loads(golden("evidence-anomaly"))
    document["items"][1]["score"] = "high"
    with pytest.raises(PermanentError) as caught:
        codec.decode(EvidenceRecord, orjson.dumps(document))
    assert caught.value.field == "items[1].anomaly.score"


@given(st.binary(max_size=200))
def test_garbage_is_a_decode_error_and_nothing_else(value):
    with pytest.raises(DecodeError):
        codec.decode(EvidenceRecord, value)
    with pytest.raises(DecodeError):
        cloudevents.decode_incident(value)


def test_a_number_that_json_cannot_carry_is_refused_where_it_is_made():
    anomaly = EXAMPLES["ANOMALY"]
    with pytest.raises(ValueError, match="finite"):
        type(anomaly)(**(anomaly.model_dump() | {"observed": float("nan")}))


@pytest.mark.parametrize("name", EXAMPLES["EVENTS"])
def test_the_cloudevents_library_reads_our_events(name):
    value = EXAMPLES["EVENTS"][name]
    event = from_kafka_event(KafkaMessage(dict(cloudevents.HEADERS), None, value))
    assert event.get_id() == f"hw-0123456789abcdef.{event.get_data()['incident']['revision']}"
    assert event.get_source() == "/headwater/production"
    assert event.get_time().timestamp() * 1000 == event.get_data()["incident"]["published_ms"]


def test_the_event_type_follows_the_incident():
    incident = EXAMPLES["INCIDENT"]
    later = incident.model_copy(update={"revision": 2})
    closed = incident.model_copy(update={"revision": 3, "status": "closed"})
    kinds = [orjson.loads(cloudevents.encode_incident(each))["type"] for each in (incident, later, closed)]
    assert kinds == [f"io.headwater.incident.{word}.v1" for word in ("opened", "updated", "resolved")]


def test_an_abstention_has_no_subject_to_blame():
    assert "subject" not in orjson.loads(EXAMPLES["EVENTS"]["incident-resolved.cloudevent"])
    assert orjson.loads(EXAMPLES["EVENTS"]["incident-opened.cloudevent"])["subject"] == "shop/redis-main"


def test_events_read_back_and_foreign_ones_are_refused():
    assert cloudevents.decode_incident(golden("incident-opened.cloudevent")) == IncidentRecord(
        incident=EXAMPLES["INCIDENT"]
    )
    assert cloudevents.decode_alert(golden("enriched-alert.cloudevent")) == EXAMPLES["ENRICHED"]
    with pytest.raises(DecodeError, match="type"):
        cloudevents.decode_alert(golden("incident-opened.cloudevent"))
    newer = golden("incident-opened.cloudevent").replace(b"opened.v1", b"opened.v2")
    with pytest.raises(DecodeError, match="upgrade"):
        cloudevents.decode_incident(newer)


def test_dead_letter_headers_keep_the_originals_beside_and_read_back():
    letter: DeadLetter = EXAMPLES["DEAD_LETTER"]
    original = [("content-type", b"application/x-protobuf"), ("traceparent", None)]
    headers = deadletter.encode_headers(letter, original)
    assert ("headwater-source-offset", b"812345") in headers
    assert deadletter.decode_headers(headers) == (letter, original)
    again = deadletter.encode_headers(letter.model_copy(update={"reason": "newer"}), headers)
    assert len(again) == len(headers)


def test_headers_of_another_record_are_no_dead_letter():
    with pytest.raises(DecodeError) as caught:
        deadletter.decode_headers([("headwater-source-topic", b"x"), ("content-type", b"y")])
    assert caught.value.field == "headwater-source-partition"


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.name)
def test_committed_schemas_have_not_drifted_from_the_models(contract):
    committed = (ROOT / "docs" / "schemas" / f"{contract.name}.json").read_text("utf-8")
    assert committed == schema_text(contract), "run: headwater schema export --out docs/schemas"


def test_every_message_topic_is_in_the_messages_page():
    page = (ROOT / "docs" / "messages.md").read_text("utf-8")
    for contract in CONTRACTS:
        assert f"`{contract.topic.name}`" in page
        assert contract.model.__name__ in page

"""CORRELATE, REASON and NOTIFY between real topics."""

import pytest

from streams.stages.correlate import CorrelateStage
from streams.stages.notify import NotifyStage
from streams.stages.reason import ReasonStage
from streams.wire.cloudevents import decode_alert, decode_incident, encode_incident
from streams.wire.codec import decode, encode
from streams.wire.deadletter import decode_headers
from streams.wire.messages import Candidate, Explanation
from tests.model_stub import StubServer, answer, serving
from tests.shop_on_kafka import running

GARBAGE = b"\x00 not json"


def incidents_of(messages):
    return [decode_incident(message.value()).incident for message in messages]


def until_settled(messages):
    return incidents_of(messages[-1:])[0].settled


@pytest.fixture(scope="module")
def incidents(new_wire, evidence):
    """Every revision that CORRELATE publishes of that log."""
    wire = new_wire()
    wire.publish(evidence)
    with running(CorrelateStage, wire.settings):
        return incidents_of(wire.read("headwater.incidents", until_settled))


def test_evidence_becomes_incidents_that_name_the_cause(incidents):
    assert {each.id for each in incidents} == {incidents[0].id}
    assert [each.revision for each in incidents] == list(range(1, len(incidents) + 1))
    assert incidents[-1].hypotheses[0].service == "redis-cart"


def test_garbage_on_the_evidence_topic_is_dead_lettered_and_the_rest_goes_on(wire, evidence):
    half = len(evidence) // 2
    wire.publish(evidence[:half])
    wire.put("headwater.evidence", GARBAGE, "shop", headers=[("origin", b"test")])
    wire.publish(evidence[half:])
    with running(CorrelateStage, wire.settings):
        wire.read("headwater.incidents", until_settled)
        (dead,) = wire.read("headwater.dlq", lambda found: len(found) == 1)

    letter, original = decode_headers(dead.headers())
    assert (dead.key(), dead.value(), original) == (b"shop", GARBAGE, [("origin", b"test")])
    assert (letter.stage, letter.source_offset, letter.error) == ("correlate", half, "DecodeError")


def test_a_stop_and_a_restart_publish_no_incident_twice(wire, evidence, incidents):
    cut = len(evidence) - 5
    wire.publish(evidence[:cut])
    with running(CorrelateStage, wire.settings):
        wire.read("headwater.incidents", lambda found: bool(found))
    wire.publish(evidence[cut:])
    with running(CorrelateStage, wire.settings):
        published = incidents_of(wire.read("headwater.incidents", until_settled))

    assert published == incidents


def test_every_candidate_is_explained_without_a_model(wire, evidence):
    wire.publish(evidence)
    with running(CorrelateStage, wire.settings), running(ReasonStage, wire.settings):
        wire.read("headwater.incidents", until_settled)
        candidates = [decode(Candidate, m.value()) for m in wire.everything("headwater.candidates")]
        said = wire.read("headwater.explanations", lambda found: len(found) == len(candidates))

    explanations = [decode(Explanation, m.value()) for m in said]
    assert candidates
    assert [(e.incident_id, e.revision) for e in explanations] == [
        (c.incident_id, c.revision) for c in candidates
    ]
    assert {each.origin for each in explanations} == {"deterministic"}


def alerts_of(messages):
    return [decode_alert(message.value()) for message in messages]


def publish_incidents(wire, incidents):
    wire.publish([("headwater.incidents", each.id, encode_incident(each)) for each in incidents])


def test_an_alert_goes_out_at_once_and_its_revisions_edit_it(wire, incidents):
    publish_incidents(wire, incidents)
    with running(NotifyStage, wire.settings):
        alerts = alerts_of(wire.read("headwater.alerts", lambda found: len(found) == len(incidents)))

    assert [each.revision for each in alerts] == [each.revision for each in incidents]
    assert {each.incident_id for each in alerts} == {incidents[0].id}
    assert alerts[0].explanation is not None
    assert alerts[0].explanation.origin == "deterministic"
    assert alerts[-1].status == "resolved"
    assert alerts[-1].root_cause is not None
    assert alerts[-1].root_cause.entity == "redis-cart"


def test_a_models_explanation_is_a_later_revision_of_the_alert(wire, incidents):
    first = incidents[0]
    publish_incidents(wire, [first])
    model = Explanation(incident_id=first.id, revision=first.revision, origin="model", summary="in words")
    with running(NotifyStage, wire.settings):
        wire.read("headwater.alerts", lambda found: len(found) == 1)
        wire.publish([("headwater.explanations", first.id, encode(model))])
        alerts = alerts_of(wire.read("headwater.alerts", lambda found: len(found) == 2))

    assert [each.revision for each in alerts] == [1, 2]
    assert alerts[1].explanation == model


def test_an_incident_that_comes_again_is_not_told_again(wire, incidents):
    *earlier, last = incidents
    publish_incidents(wire, [*earlier, *earlier, last])
    with running(NotifyStage, wire.settings):
        alerts = alerts_of(wire.read("headwater.alerts", lambda f: alerts_of(f)[-1].incident == last))

    assert [each.revision for each in alerts] == [each.revision for each in incidents]


def test_garbage_on_every_inner_topic_is_dead_lettered(wire, incidents):
    for topic in ("headwater.incidents", "headwater.explanations", "headwater.candidates"):
        wire.put(topic, GARBAGE, "k")
    publish_incidents(wire, incidents[:1])
    with running(NotifyStage, wire.settings), running(ReasonStage, wire.settings):
        wire.read("headwater.alerts", lambda found: len(found) == 1)
        dead = wire.read("headwater.dlq", lambda found: len(found) == 3)

    stages = sorted(decode_headers(message.headers())[0].stage for message in dead)
    assert stages == ["notify", "notify", "reason"]
    assert {message.value() for message in dead} == {GARBAGE}


async def test_a_model_on_a_server_explains_in_words(new_wire, incidents):
    """The whole way: candidate, HTTP, checks, explanation topic."""
    import asyncio

    wire = new_wire()
    incident = incidents[0]
    cited = incident.evidence[0].id
    stub = StubServer([answer("redis-cart deviates first", cited)] * 3)
    async with serving(stub):
        reason = wire.settings.reason.model_copy(update={"enabled": True, "base_url": stub.base_url})
        settings = wire.settings.model_copy(update={"reason": reason})
        candidate = Candidate(
            incident_id=incident.id, revision=1, domain="shop", digest="", incident=incident
        )
        wire.publish([("headwater.candidates", incident.id, encode(candidate))])

        def explained():
            with running(ReasonStage, settings):
                return wire.read("headwater.explanations", lambda found: len(found) == 2)

        said = [decode(Explanation, m.value()) for m in await asyncio.to_thread(explained)]

    assert [each.origin for each in said] == ["deterministic", "model"]
    assert said[1].summary == "redis-cart deviates first"
    assert said[1].use is not None
    assert said[1].use.calls == 1

"""CORRELATE is killed at each of its steps and publishes what an uninterrupted run publishes."""

import pytest

from streams.stages.correlate.stage import CorrelateStage, Step
from streams.wire.cloudevents import decode_incident
from tests.shop_on_kafka import running

NTH = {Step.READ: 30, Step.APPLIED: 30, Step.SENT: 30, Step.DELIVERED: 6, Step.SAVED: 6, Step.ACKED: 6}
"""In the middle of the incident; a checkpoint follows every fifth record."""


def settled(wire):
    """Publish-once view of the incidents topic: the last revision by id, as readers who upsert see it."""
    messages = wire.read(
        "headwater.incidents",
        lambda found: decode_incident(found[-1].value()).incident.settled,
    )
    newest = {message.key(): message.value() for message in messages}
    return newest, {message.value() for message in messages}


@pytest.fixture(scope="module")
def expected(new_wire, evidence):
    wire = new_wire()
    wire.publish(evidence)
    with running(CorrelateStage, wire.settings):
        return settled(wire)


@pytest.mark.parametrize("step", list(Step), ids=lambda step: step.name.lower())
def test_a_kill_loses_no_incident_and_doubles_none(step, new_wire, evidence, expected, crashes):
    wire = new_wire()
    wire.publish(evidence)
    crashes.kill_at(wire.settings, "correlate", step, NTH[step])
    with crashes.running(wire.settings, "correlate"):
        newest, published = settled(wire)

    assert newest == expected[0] != {}
    assert published == expected[1], "a repetition is not the same bytes"

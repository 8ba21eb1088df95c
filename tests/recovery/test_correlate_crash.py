"""CORRELATE is killed at each of its steps and publishes what an uninterrupted run publishes."""

import pytest

from correlator.evidence import Progress
from streams.stages.correlate.stage import CorrelateStage, Step
from streams.stages.detect import DetectStage
from streams.wire.cloudevents import decode_incident
from streams.wire.codec import encode
from streams.wire.messages import EvidenceRecord
from tests.shop_on_kafka import evidence_until, running

pytestmark = pytest.mark.kafka

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


_evidence = []
_expected = []


@pytest.fixture
def evidence(new_wire, shop):
    """The evidence log of the shop's fault, up to a promise that settles everything."""
    if not _evidence:
        wire = new_wire()
        wire.publish(shop.records)
        with running(DetectStage, wire.settings):
            messages = evidence_until(wire, shop.end_ms - 30_000)
        end = Progress(domain="shop", source="detect-0", watermark_ms=shop.end_ms + 7_200_000)
        last = EvidenceRecord(domain="shop", source="detect-0", tick_ms=end.watermark_ms, items=(end,))
        _evidence.extend([*(message.value() for message in messages), encode(last)])
    return [("headwater.evidence", "shop", value) for value in _evidence]


@pytest.fixture
def expected(new_wire, evidence):
    if not _expected:
        wire = new_wire()
        wire.publish(evidence)
        with running(CorrelateStage, wire.settings):
            _expected.append(settled(wire))
    return _expected[0]


@pytest.mark.parametrize("step", list(Step), ids=lambda step: step.name.lower())
def test_a_kill_loses_no_incident_and_doubles_none(step, new_wire, evidence, expected, crashes):
    wire = new_wire()
    wire.publish(evidence)
    crashes.kill_at(wire.settings, "correlate", step, NTH[step])
    with crashes.running(wire.settings, "correlate"):
        newest, published = settled(wire)

    assert newest == expected[0] != {}
    assert published == expected[1], "a repetition is not the same bytes"

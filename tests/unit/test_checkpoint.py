"""A snapshot never claims a source offset whose evidence or dead letter may still be lost."""

import pytest

from streams.errors import DecodeError
from streams.kafka import DeadLetters, producer
from streams.settings import DetectSettings, KafkaSettings
from streams.stages.detect.checkpoint import Checkpoint
from streams.stages.detect.emitter import Emitter
from streams.stages.detect.ownership import Owned
from streams.stages.detect.snapshot_store import SnapshotStore, TopicSnapshots
from streams.stages.detect.steps import Step
from streams.stages.detect.unit import Clocks, Unit
from streams.wire.messages import EvidenceRecord
from streams.wire.record import RawRecord

NOBODY = KafkaSettings(bootstrap_servers="127.0.0.1:1")
METRICS = ("headwater.metrics", 0)
TURNS = 100


class Desk:
    """What is around a checkpoint of DETECT; its broker takes nothing. Tells which steps were reached."""

    def __init__(self, folder):
        self.sender = producer(NOBODY)
        self.emitter = Emitter(self.sender, NOBODY)
        self.dead = DeadLetters(self.sender, NOBODY, "detect")
        self.reached = []
        clocks = Clocks(now_ms=lambda: 0, elapsed_s=lambda: 0.0)
        self.unit = Unit(0, 1, [METRICS], DetectSettings(), clocks)
        store = SnapshotStore(0, folder, TopicSnapshots(NOBODY, self.sender))
        self.owned = Owned(self.unit, store, (METRICS,), set())
        self.checkpoint = Checkpoint(
            None, self.sender, self.emitter, self.dead, self.reached.append, clocks.elapsed_s
        )

    def save(self):
        """Begin a snapshot of a unit that has read a record, and give the loop turns to take its steps."""
        self.unit.take(METRICS, 1)
        self.checkpoint.begin([self.owned])
        for _ in range(TURNS):
            self.checkpoint.go_on()


@pytest.fixture
def desk(tmp_path):
    desk = Desk(tmp_path)
    yield desk
    desk.sender.purge()
    desk.sender.flush(5)


def evidence(desk):
    desk.emitter.send([EvidenceRecord(schema=1, domain="shop", source="detect-0", tick_ms=0, items=())])


def poison(desk):
    desk.dead.put(RawRecord(*METRICS, 0, None, b"?"), DecodeError("no JSON"), 0)


@pytest.mark.parametrize("underway", [evidence, poison])
def test_nothing_is_saved_while_what_was_said_is_still_under_way(desk, underway):
    underway(desk)
    desk.save()
    assert desk.reached == []
    assert not desk.checkpoint.is_idle


def test_a_snapshot_that_rests_on_nothing_waits_for_its_topic_alone(desk):
    desk.save()
    assert desk.reached == [Step.DELIVERED, Step.SAVED, Step.SENT]


def test_of_a_unit_that_was_lost_nothing_more_is_saved(desk):
    evidence(desk)
    desk.save()
    desk.checkpoint.forget([0])
    assert desk.checkpoint.is_idle
    desk.sender.purge()
    desk.sender.flush(5)
    desk.checkpoint.go_on()
    assert desk.reached == []

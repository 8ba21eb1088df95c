"""A domain's engine with its offset, and what it makes of repetitions."""

import pytest

from correlator.engine import Engine
from correlator.evidence import Change, Progress
from streams.errors import PermanentError, StateError
from streams.stages.correlate.checkpoint import Domain
from streams.wire.messages import EvidenceRecord


class Heard:
    """An engine that only notes what it is given."""

    def __init__(self):
        self.items = []
        self.incidents = {}

    def apply(self, item):
        self.items.append(item)
        return []


def promise(ts_ms):
    return Progress(domain="shop", source="detect-0", watermark_ms=ts_ms)


def change(name="d-1", ts_ms=1_000):
    return Change(id=name, domain="shop", ts_ms=ts_ms, kind="deploy", service="cart")


def record(*items, tick_ms=0):
    return EvidenceRecord(domain="shop", source="detect-0", tick_ms=tick_ms, items=items)


@pytest.fixture
def domain():
    return Domain(Heard(), partition=0)


def test_a_tick_that_is_said_again_is_not_heard_again(domain):
    tick = record(change(), promise(15_000), tick_ms=15_000)
    domain.apply(tick)
    domain.apply(tick)
    assert domain.engine.items == [change(), promise(15_000)]


def test_a_tick_whose_end_was_lost_is_heard_again_whole(domain):
    first = record(change("d-1"), tick_ms=15_000)
    last = record(change("d-2"), promise(15_000), tick_ms=15_000)
    domain.apply(first)
    domain.apply(first)
    domain.apply(last)
    assert [each.id for each in domain.engine.items[:3]] == ["d-1", "d-1", "d-2"]


def test_another_sources_tick_is_heard(domain):
    domain.apply(record(promise(15_000), tick_ms=15_000))
    other = EvidenceRecord(domain="shop", source="detect-1", tick_ms=15_000, items=(change(),))
    domain.apply(other)
    assert change() in domain.engine.items


def test_a_change_that_is_said_again_is_not_heard_again_and_a_changed_one_is(domain):
    domain.apply(record(change()))
    domain.apply(record(change()))
    domain.apply(record(change(ts_ms=2_000)))
    assert domain.engine.items == [change(), change(ts_ms=2_000)]


def test_a_defect_of_the_engine_is_the_records_fault_and_not_the_processs(domain):
    domain.engine.apply = lambda item: 1 / 0
    with pytest.raises(PermanentError, match="ZeroDivisionError"):
        domain.apply(record(change()))


def test_what_is_saved_goes_on_as_if_never_stopped():
    domain = Domain(Engine("shop"), partition=2)
    domain.apply(record(change()))
    domain.apply(record(promise(15_000), tick_ms=15_000))
    domain.applied = 41
    again = Domain.load(domain.dump(), partition=2)

    assert (again.applied, again.saved, again.promised_ms) == (41, 41, {"detect-0": 15_000})
    assert again.remembered == domain.remembered
    assert again.engine.dump() == domain.engine.dump()


@pytest.mark.parametrize("damage", [b"", b"HWC9\x00\x00\x00\x01x", Domain(Engine("a"), 0).dump()[:-5]])
def test_a_state_that_cannot_be_read_stops_with_what_to_do(damage):
    with pytest.raises(StateError, match="changelog"):
        Domain.load(damage, partition=0)

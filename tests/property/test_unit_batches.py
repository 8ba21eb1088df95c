"""However records fall into batches, and wherever a unit is cut and restored, it says the same."""

import json
from functools import lru_cache

from hypothesis import given, settings
from hypothesis import strategies as st

from streams.settings import DetectSettings
from streams.stages.detect.snapshot import Packed, decode
from streams.stages.detect.unit import Clocks, Unit
from streams.wire.decoders import Decoders
from streams.wire.record import RawRecord
from tests.shop_on_kafka import Shop

METRICS = ("headwater.metrics", 0)
CLOCKS = Clocks(now_ms=lambda: 1_800_000_000_000, elapsed_s=lambda: 0.0)
DECODERS = Decoders()


@lru_cache
def records():
    """The shop around its fault, with late and repeated samples among them."""
    values = [value for topic, _, value in Shop().records if topic == METRICS[0]]
    late = json.loads(values[1500])
    for sample in late:
        sample["ts_ms"] -= 30_000
        sample["value"] = 99.0
    barely = json.loads(values[1510])
    for sample in barely:
        sample["ts_ms"] -= 4_000
    return [
        *values[:1520],
        json.dumps(late).encode(),
        json.dumps(barely).encode(),
        values[1500],
        *values[1520:],
    ]


def unit(snapshot=None):
    return Unit(0, 1, [METRICS], DetectSettings(), CLOCKS, snapshot)


def reread(snapshot):
    packed = Packed(snapshot)
    return decode(packed.manifest, packed.page)


def said(cuts, restart_after=None):
    """What a unit says when the records come in batches that end at `cuts`."""
    found, mine, start = [], unit(), 0
    everything = records()
    for number, stop in enumerate([*sorted(cuts), len(everything)]):
        for offset in range(start, stop):
            DECODERS.decode(RawRecord(*METRICS, offset, None, everything[offset]), mine.builder)
        found += mine.take(METRICS, stop)
        found += mine.advance()
        start = stop
        if number == restart_after:
            mine = unit(reread(mine.snapshot()))
    return [item for record in found for item in record.items if item.type != "progress"]


@lru_cache
def expected():
    return said([])


# Most cuts fall where records are late: elsewhere nothing can go wrong.
cuts = st.lists(st.integers(1490, 1530) | st.integers(1, 1622), max_size=12, unique=True)


@settings(max_examples=12, deadline=None)
@given(cuts=cuts)
def test_batches_do_not_matter(cuts):
    assert said(cuts) == expected() != []


@settings(max_examples=12, deadline=None)
@given(cuts=cuts, restart_after=st.integers(0, 11))
def test_a_restored_snapshot_goes_on_as_if_never_stopped(cuts, restart_after):
    assert said(cuts, restart_after) == expected()

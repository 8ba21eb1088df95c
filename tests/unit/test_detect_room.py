"""More series than there is room for: the operator hears how many, whose they are, and hears it once."""

import json

import pytest

from streams.settings import DetectSettings
from streams.stages.detect.snapshot import Packed, decode
from streams.stages.detect.unit import Clocks, Unit
from streams.wire.decoders import Decoders
from streams.wire.record import RawRecord

METRICS = ("headwater.metrics", 0)
CLOCKS = Clocks(now_ms=lambda: 1_800_000_000_000, elapsed_s=lambda: 0.0)
START_MS = 1_700_000_000_000
MINUTE_MS = 60_000


def unit(snapshot=None):
    return Unit(0, 1, [METRICS], DetectSettings(max_series=16), CLOCKS, snapshot)


def feed(mine, minutes, names_of):
    """A sample a minute of each series that `names_of` tells for the minute."""
    for minute in minutes:
        samples = [
            {"service": "cart", "metric": name, "ts_ms": START_MS + minute * MINUTE_MS, "value": 20.0}
            for name in names_of(minute)
        ]
        record = RawRecord(*METRICS, minute, None, json.dumps(samples).encode())
        Decoders().decode(record, mine.builder)
        list(mine.take(METRICS, minute + 1))
        list(mine.advance())


@pytest.mark.parametrize(
    "names_of",
    [
        lambda minute: [f"queue_{minute}_{k}" for k in range(4)],
        lambda minute: [f"queue_{k}" for k in range(40)],
    ],
    ids=["names that change", "too many at once"],
)
def test_series_without_room_are_counted_and_the_one_with_most_is_named(names_of):
    mine = unit()
    feed(mine, range(30), names_of)
    assert mine.newly_crowded_out() > 0
    assert mine.newly_crowded_out() == 0
    assert "of cart in default" in mine.offender


def test_a_restart_does_not_tell_again_of_series_that_were_crowded_out_before():
    mine = unit()
    feed(mine, range(30), lambda minute: [f"queue_{minute}_{k}" for k in range(4)])
    packed = Packed(mine.snapshot())
    restarted = unit(decode(packed.manifest, packed.page))
    assert restarted.newly_crowded_out() == 0

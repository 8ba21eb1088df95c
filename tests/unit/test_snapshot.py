"""The bytes of a snapshot, and the choice among chunks of several."""

import pytest

from streams.errors import StateError
from streams.stages.detect import snapshot
from streams.stages.detect.snapshot import Snapshot, decode, encode, joined
from streams.stages.detect.snapshot_store import _newest_whole
from streams.stages.detect.watermark import WatermarkState
from streams.wire.routed import Stamp

SNAPSHOT = Snapshot(
    unit=3,
    sequence=7,
    offsets={("otlp_metrics", 3): 120, ("cdevents", 3): 0},
    watermark=WatermarkState(1_790_000_000_000, {("otlp_metrics", 3): 1_790_000_005_000}),
    progress_ms={"shop": 1_790_000_000_000},
    blobs={"detector/shop": b"\x00\x01" * 100, "decoder": b"{}"},
    stamps={("otlp_metrics.routed", 3): {"otlp_metrics/0": Stamp(17, 1, 1_790_000_000_000)}},
)


def test_a_snapshot_reads_back_as_it_was_written():
    assert decode(encode(SNAPSHOT)) == SNAPSHOT


def test_a_large_snapshot_is_read_in_parts_that_are_whole_together(monkeypatch):
    monkeypatch.setattr(snapshot, "PART_BYTES", 7)
    found = decode(encode(SNAPSHOT))
    parts = found.blobs["detector/shop"]
    assert isinstance(parts, list)
    assert max(map(len, parts)) == 7
    assert joined(parts) == SNAPSHOT.blobs["detector/shop"]
    assert found.blobs["decoder"] == b"{}"
    with pytest.raises(StateError):
        decode(encode(SNAPSHOT)[:-20])


def test_the_same_snapshot_is_the_same_bytes():
    assert encode(SNAPSHOT) == encode(decode(encode(SNAPSHOT)))


@pytest.mark.parametrize("damage", [b"", b"HWS9" + encode(SNAPSHOT)[4:], encode(SNAPSHOT)[:-20]])
def test_a_damaged_or_newer_snapshot_is_refused(damage):
    with pytest.raises(StateError):
        decode(damage)


def test_a_flipped_bit_is_noticed():
    data = bytearray(encode(SNAPSHOT))
    data[8] ^= 1
    with pytest.raises(StateError, match="digest"):
        decode(bytes(data))


def test_a_snapshot_cut_short_by_a_crash_leaves_the_one_before():
    chunks = {6: {0: b"a", 1: b"b"}, 7: {0: b"c"}}
    assert _newest_whole(chunks, {6: 2, 7: 2}) == (6, b"ab")


def test_there_may_be_no_whole_snapshot():
    assert _newest_whole({7: {1: b"c"}}, {7: 2}) is None

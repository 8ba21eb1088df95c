"""The pages of a snapshot, which of them are written, and which snapshot is whole."""

import hashlib
import struct
import zlib

import orjson
import pytest

from streams.errors import StateError
from streams.stages.detect import snapshot
from streams.stages.detect.snapshot import Packed, Snapshot, decode, decode_whole, joined
from streams.stages.detect.snapshot_store import MANIFEST, TURNS, Found, LocalSnapshots, changed
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
PAGE = 64


@pytest.fixture(autouse=True)
def small_pages(monkeypatch):
    monkeypatch.setattr(snapshot, "PAGE_BYTES", PAGE)


def of(sequence=7, **blobs):
    return Packed(
        Snapshot(
            3, sequence, SNAPSHOT.offsets, SNAPSHOT.watermark, SNAPSHOT.progress_ms, blobs, SNAPSHOT.stamps
        )
    )


def read(packed):
    return decode(packed.manifest, packed.page)


def test_a_snapshot_reads_back_as_it_was_written():
    assert read(Packed(SNAPSHOT)) == SNAPSHOT


def test_a_large_snapshot_is_read_in_parts_that_are_whole_together(monkeypatch):
    monkeypatch.setattr(snapshot, "PART_BYTES", 7)
    found = read(Packed(SNAPSHOT))
    parts = found.blobs["detector/shop"]
    assert isinstance(parts, list)
    assert max(map(len, parts)) == 7
    assert joined(parts) == SNAPSHOT.blobs["detector/shop"]
    assert found.blobs["decoder"] == b"{}"


def test_the_same_snapshot_is_the_same_pages():
    once, again = Packed(SNAPSHOT), Packed(read(Packed(SNAPSHOT)))
    assert (once.manifest, once.digests) == (again.manifest, again.digests)


def test_only_pages_that_hold_something_new_are_written_again():
    rows = bytearray(range(250)) + bytearray(6)
    pieces = [b"a head that grows", memoryview(rows), b"tail"]
    before = of(detector=pieces)
    before.keep()
    rows[70] ^= 1
    after = of(8, detector=[b"a head that grows and grows", memoryview(rows), b"tail"])
    # The head, and the second page of the rows: of four, behind the head's.
    assert changed(before.digests, after.digests) == [0, 2]
    assert joined(read(after).blobs["detector"]) == b"a head that grows and grows" + rows + b"tail"


def test_a_snapshot_that_is_kept_does_not_change_with_what_goes_on():
    rows = bytearray(range(250))
    kept = of(detector=[b"a head", memoryview(rows)])
    kept.keep()
    rows[70] ^= 1
    assert joined(read(kept).blobs["detector"]) == b"a head" + bytes(range(250))


def flipped(data, at):
    damaged = bytearray(data)
    damaged[at] ^= 1
    return bytes(damaged)


@pytest.mark.parametrize(
    "manifest", [b"", b"HWS9" + Packed(SNAPSHOT).manifest[4:], Packed(SNAPSHOT).manifest[:-9]]
)
def test_a_damaged_or_newer_manifest_is_refused(manifest):
    with pytest.raises(StateError):
        decode(manifest, Packed(SNAPSHOT).page)


@pytest.mark.parametrize(
    "page",
    [
        lambda page: None,
        lambda page: flipped(page, len(page) // 2),
        lambda page: zlib.compress(flipped(zlib.decompress(page), 3)),
    ],
    ids=["missing", "damaged", "of another snapshot"],
)
def test_a_page_that_is_not_the_one_is_noticed(page):
    packed = Packed(SNAPSHOT)
    with pytest.raises(StateError, match="snapshot"):
        decode(
            packed.manifest, lambda number: page(packed.page(number)) if number == 1 else packed.page(number)
        )


def put(found, packed, numbers):
    for number in numbers:
        value = packed.manifest if number == MANIFEST else packed.page(number)
        found.put(f"{packed.sequence % 2}/{number}", value, packed.sequence, None)


def whole(packed):
    return [*range(len(packed.digests)), MANIFEST]


def test_a_snapshot_cut_short_by_a_crash_leaves_the_one_before():
    found = Found()
    first, second, third = (of(sequence, detector=bytes([sequence]) * 300) for sequence in (5, 6, 7))
    put(found, first, whole(first))
    put(found, second, whole(second))
    put(found, third, [0, 1])  # over the first
    assert found.newest().sequence == 6
    put(found, third, whole(third)[2:])
    assert found.newest().sequence == 7


def test_there_may_be_no_whole_snapshot():
    found = Found()
    assert found.newest() is None
    packed = of(detector=bytes(300))
    put(found, packed, whole(packed)[1:])
    assert found.newest() is None


def of_before(snapshot):
    """A snapshot as it was written before there were pages."""
    header = orjson.dumps(
        {
            "unit": snapshot.unit,
            "sequence": snapshot.sequence,
            "offsets": [[*key, value] for key, value in sorted(snapshot.offsets.items())],
            "watermark_ms": snapshot.watermark.value_ms,
            "high_ms": [[*key, value] for key, value in sorted(snapshot.watermark.high_ms.items())],
            "progress_ms": snapshot.progress_ms,
            "stamps": [
                [topic, number, {source: list(stamp) for source, stamp in stamps.items()}]
                for (topic, number), stamps in snapshot.stamps.items()
            ],
            "blobs": [[name, len(blob)] for name, blob in sorted(snapshot.blobs.items())],
        }
    )
    body = (
        struct.pack(">I", len(header)) + header + b"".join(blob for _, blob in sorted(snapshot.blobs.items()))
    )
    return b"HWS1" + hashlib.sha256(body).digest()[:16] + zlib.compress(body)


def test_a_snapshot_of_before_there_were_pages_is_read():
    data = of_before(SNAPSHOT)
    assert decode_whole(data) == SNAPSHOT
    found = Found()
    for number, at in enumerate(range(0, len(data), 100)):
        found.put(f"1/{number}", data[at : at + 100], 7, -(-len(data) // 100))
    assert found.newest() == SNAPSHOT
    for damaged in (data[:-20], flipped(data, 8), b"HWS9" + data[4:]):
        with pytest.raises(StateError):
            decode_whole(damaged)


def save(store, packed):
    for _ in store.save(packed):
        pass  # a turn of the loop


@pytest.mark.parametrize(("pages", "turns"), [(3, 3), (20, 20), (90, 18)])
def test_a_large_snapshot_is_not_spread_over_more_and_more_turns(pages, turns, tmp_path):
    store = LocalSnapshots(tmp_path / "unit-3")
    packed = of(8, detector=[bytes([number]) * PAGE for number in range(pages)])
    assert packed.count == pages
    assert sum(1 for _ in store.save(packed)) == turns <= TURNS
    assert store.load().sequence == 8
    store.close()


def test_the_local_store_has_the_newest_whatever_it_had_before(tmp_path):
    store = LocalSnapshots(tmp_path / "unit-3")
    store._db[b"snapshot"], store._db[b"sequence"] = of_before(SNAPSHOT), b"7"
    assert (store.sequence, store.load()) == (7, SNAPSHOT)
    for sequence, size in ((8, 700), (9, 500), (10, 900)):
        save(store, of(sequence, detector=bytes(range(200)) * (size // 100)))
        assert store.sequence == store.load().sequence == sequence
        assert joined(store.load().blobs["detector"]) == bytes(range(200)) * (size // 100)
    store.close()
    again = LocalSnapshots(tmp_path / "unit-3")
    save(again, of(11, detector=b"all anew" * 50))
    assert joined(again.load().blobs["detector"]) == b"all anew" * 50
    again.close()

"""What a unit must remember to go on as if it had never stopped, and its bytes."""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import orjson

from streams.errors import StateError
from streams.stages.detect.watermark import PartitionKey, WatermarkState
from streams.wire.routed import Stamp

MAGIC, WHOLE_MAGIC = b"HWS2", b"HWS1"
"""Container version; a reader that does not know it starts over from the source instead of guessing. Before
there were pages a snapshot was one compressed stream."""
_LENGTH = struct.Struct(">I")


PART_BYTES = 64 << 20
"""Size of the parts that a snapshot is read in; above 32 MB the allocator gives each back once it is read."""
_TURN_BYTES = 64 << 10
PAGE_BYTES = 768 << 10
"""What cannot be compressed is still a record below Kafka's default message.max.bytes of 1,048,588."""
DIGEST_BYTES = 16

Blob = bytes | Sequence[bytes | bytearray | memoryview]
"""Opaque state, whole or in pieces: with a million series every copy is a gigabyte."""


def joined(blob: Blob) -> bytes:
    """Return a blob whole."""
    return blob if isinstance(blob, bytes) else b"".join(blob)


def _pieces(blob: Blob) -> Sequence[bytes | bytearray | memoryview]:
    return (blob,) if isinstance(blob, bytes) else blob


@dataclass(frozen=True, slots=True)
class Snapshot:
    """State of one unit together with the source offsets that are in it.

    Attributes
    ----------
    sequence
        Grows by one with every snapshot of the unit, whoever owns it.
    offsets
        Next offset to read, by source partition: everything before is in the state, nothing after.
    progress_ms
        The newest promise that was published, by domain.
    blobs
        Opaque state by name (`detector/<domain>`, `decoder`); restoring empties what is in parts.
    """

    unit: int
    sequence: int
    offsets: Mapping[PartitionKey, int]
    watermark: WatermarkState
    progress_ms: Mapping[str, int]
    blobs: Mapping[str, Blob]
    stamps: Mapping[PartitionKey, Mapping[str, Stamp]] = field(default_factory=dict)
    """Of re-keyed partitions: the newest stamp seen, by source partition."""


class Packed:
    """A snapshot in pages, each compressed when it is asked for: who has a page need not ask for it.

    A page holds what the last snapshot's page of that number held as long as nothing in it changed: large
    pieces begin on a page of their own. Valid as long as the snapshot is, or for ever once it is kept.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        self.sequence = snapshot.sequence
        pieces = {name: _pieces(snapshot.blobs[name]) for name in sorted(snapshot.blobs)}
        self._raw = list(_paged(chain.from_iterable(pieces.values())))
        self._digests: list[bytes] = []
        self._packed: dict[int, bytes] = {}
        self._header = {
            "unit": snapshot.unit,
            "sequence": snapshot.sequence,
            "offsets": _rows(snapshot.offsets),
            "watermark_ms": snapshot.watermark.value_ms,
            "high_ms": _rows(snapshot.watermark.high_ms),
            "progress_ms": dict(snapshot.progress_ms),
            "stamps": [
                [topic, number, {source: list(stamp) for source, stamp in sorted(stamps.items())}]
                for (topic, number), stamps in sorted(snapshot.stamps.items())
            ],
            "blobs": [[name, sum(map(len, each))] for name, each in pieces.items()],
        }

    @property
    def manifest(self) -> bytes:
        """What a snapshot is, and which pages belong to it."""
        digests = {"pages": [digest.hex() for digest in self.digests]}
        header = orjson.dumps(self._header | digests, option=orjson.OPT_SORT_KEYS)
        return MAGIC + _digest(header) + zlib.compress(header, 1)

    @property
    def count(self) -> int:
        """Number of pages."""
        return len(self._raw)

    @property
    def digests(self) -> list[bytes]:
        """Digest of each page."""
        if self._raw:
            self.digest(len(self._raw) - 1)
        return self._digests

    def digest(self, number: int) -> bytes:
        """Return the digest of a page."""
        while len(self._digests) <= number:
            self._digests.append(_digest(self._raw[len(self._digests)]))
        return self._digests[number]

    @property
    def raw_bytes(self) -> int:
        """Size before compression."""
        return sum(map(len, self._raw))

    def keep(self) -> None:
        """Copy what is the unit's own, so that the unit may go on."""
        self._raw = [bytes(page) for page in self._raw]

    @property
    def sizes(self) -> dict[int, int]:
        """Bytes of the pages that were asked for."""
        return {number: len(page) for number, page in self._packed.items()}

    def page(self, number: int) -> bytes:
        """Return a page as it is stored."""
        found = self._packed.get(number)
        if found is None:
            # Level 1: detector state is mostly small floats; higher ones cost five times the time for 5 %.
            found = self._packed[number] = zlib.compress(self._raw[number], 1)
        return found


def _paged(pieces: Iterable[bytes | bytearray | memoryview]) -> Iterator[bytes | memoryview]:
    """Cut large pieces into pages, without a copy, and put small ones together."""
    small: list[bytes | bytearray | memoryview] = []
    room = PAGE_BYTES
    for piece in pieces:
        if len(piece) > room and small:
            yield b"".join(small)
            small, room = [], PAGE_BYTES
        if len(piece) > PAGE_BYTES:
            view = memoryview(piece)
            yield from (view[at : at + PAGE_BYTES] for at in range(0, len(view), PAGE_BYTES))
        else:
            small.append(piece)
            room -= len(piece)
    if small:
        yield b"".join(small)


def decode(manifest: bytes, page: Callable[[int], bytes | None]) -> Snapshot:
    """Read a snapshot back; `page` gives its pages by number, None for one that is missing.

    Raises
    ------
    StateError
        Damaged, incomplete, or written by a newer version.
    """
    if manifest[:4] != MAGIC:
        raise StateError("not a snapshot that this version can read")
    try:
        header = orjson.loads(_unpacked(manifest[4 + DIGEST_BYTES :], manifest[4 : 4 + DIGEST_BYTES]))
        pages = (_unpacked(page(at), bytes.fromhex(each)) for at, each in enumerate(header["pages"]))
        stream = _Stream(pages)
        blobs = {name: stream.take(size) for name, size in header["blobs"]}
        return _snapshot(header, blobs)
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError) as error:
        raise StateError(f"damaged snapshot: {error!r}") from None


def _unpacked(data: bytes | None, digest: bytes) -> bytes:
    if data is None:
        raise StateError("incomplete snapshot: a page is missing")
    try:
        found = zlib.decompress(data)
    except zlib.error as error:
        raise StateError(f"damaged snapshot: {error}") from None
    if _digest(found) != digest:
        raise StateError("damaged snapshot: the digest of a page does not fit")
    return found


def _digest(data: bytes | memoryview) -> bytes:
    return hashlib.sha256(data).digest()[:DIGEST_BYTES]


class _Stream:
    """What the pages hold, one after the other; each is let go of when it has been read."""

    def __init__(self, pages: Iterator[bytes]) -> None:
        self._pages = pages
        self._page = memoryview(b"")

    def take(self, size: int) -> Blob:
        """Return the next bytes, in a list of parts if they are many."""
        parts: list[bytearray] = []
        while size > 0:
            part = bytearray(min(size, PART_BYTES))
            at = 0
            while at < len(part):
                if not self._page:
                    self._page = memoryview(next(self._pages, b""))
                    if not self._page:
                        raise StateError("incomplete snapshot: its pages end too early")
                taken = min(len(part) - at, len(self._page))
                part[at : at + taken] = self._page[:taken]
                self._page = self._page[taken:]
                at += taken
            size -= len(part)
            parts.append(part)
        return parts if len(parts) > 1 else joined(parts)


def decode_whole(data: bytes) -> Snapshot:
    """Read a snapshot of before there were pages: one compressed stream.

    Raises
    ------
    StateError
        Damaged, cut short, or written by a newer version.
    """
    if data[:4] != WHOLE_MAGIC:
        raise StateError("not a snapshot that this version can read")
    body = _Body(data)
    try:
        (length,) = _LENGTH.unpack(joined(body.take(_LENGTH.size)))
        header = orjson.loads(joined(body.take(length)))
        blobs = {name: body.take(size) for name, size in header["blobs"]}
        intact = body.is_intact()
    except zlib.error as error:
        raise StateError(f"damaged snapshot: {error}") from None
    except (struct.error, orjson.JSONDecodeError, KeyError, TypeError, ValueError):
        intact = False
    if not intact:
        raise StateError("damaged snapshot: its digest does not fit")
    return _snapshot(header, blobs)


def _snapshot(header: dict[str, Any], blobs: dict[str, Blob]) -> Snapshot:
    return Snapshot(
        unit=header["unit"],
        sequence=header["sequence"],
        offsets=_mapping(header["offsets"]),
        watermark=WatermarkState(header["watermark_ms"], _mapping(header["high_ms"])),
        progress_ms=header["progress_ms"],
        blobs=blobs,
        # Not in snapshots of before there was re-keying.
        stamps={
            (topic, number): {source: Stamp(*stamp) for source, stamp in stamps.items()}
            for topic, number, stamps in header.get("stamps", [])
        },
    )


class _Body:
    """What was compressed, a part at a time: whole it would be held twice."""

    def __init__(self, data: bytes) -> None:
        self._wanted = data[len(WHOLE_MAGIC) : len(WHOLE_MAGIC) + DIGEST_BYTES]
        self._left = memoryview(data)[len(WHOLE_MAGIC) + DIGEST_BYTES :]
        self._unpacker = zlib.decompressobj()
        self._tail: bytes | memoryview = b""
        self._digest = hashlib.sha256()

    def take(self, size: int) -> Blob:
        """Return the next bytes, in a list of parts if they are many; fewer where there are no more."""
        parts: list[bytearray] = []
        while size > 0:
            part = bytearray()
            while len(part) < min(size, PART_BYTES):
                piece = self._next(min(size, PART_BYTES) - len(part))
                if not piece:
                    return joined([*parts, part])
                part += piece
            size -= len(part)
            parts.append(part)
        return parts if len(parts) > 1 else joined(parts)

    def _next(self, at_most: int) -> bytes:
        while not self._unpacker.eof:
            if not self._tail:
                self._tail, self._left = self._left[:_TURN_BYTES], self._left[_TURN_BYTES:]
                if not self._tail:
                    raise zlib.error("it ends too early")
            piece = self._unpacker.decompress(self._tail, at_most)
            self._tail = self._unpacker.unconsumed_tail
            if piece:
                self._digest.update(piece)
                return piece
        return b""

    def is_intact(self) -> bool:
        """Tell whether all has been read and is what was written."""
        return not self._next(1) and self._digest.digest()[:DIGEST_BYTES] == self._wanted


def _rows(mapping: Mapping[PartitionKey, int]) -> list[list[str | int]]:
    return [[topic, number, value] for (topic, number), value in sorted(mapping.items())]


def _mapping(rows: list[list[str | int]]) -> dict[PartitionKey, int]:
    return {(str(topic), int(number)): int(value) for topic, number, value in rows}

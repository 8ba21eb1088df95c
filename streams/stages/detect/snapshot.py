"""What a unit must remember to go on as if it had never stopped, and its bytes."""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from itertools import chain

import orjson

from streams.errors import StateError
from streams.stages.detect.watermark import PartitionKey, WatermarkState
from streams.wire.routed import Stamp

MAGIC = b"HWS1"
"""Container version; a reader that does not know it starts over from the source instead of guessing."""
_LENGTH = struct.Struct(">I")


PART_BYTES = 64 << 20
"""Size of the parts that a snapshot is read in; above 32 MB the allocator gives each back once it is read."""
_TURN_BYTES = 64 << 10
PACK_BYTES = 1 << 20
"""Compressed at once: what comes out of a whole piece would be held twice before it is put with the rest."""
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


def encode(snapshot: Snapshot) -> bytes:
    """Serialise and compress; the same snapshot is the same bytes."""
    names = sorted(snapshot.blobs)
    header = orjson.dumps(
        {
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
            "blobs": [[name, sum(map(len, _pieces(snapshot.blobs[name])))] for name in names],
        },
        option=orjson.OPT_SORT_KEYS,
    )
    # Level 1: detector state is mostly small floats; higher levels cost five times the time for 5 % less.
    digest, packer, packed = hashlib.sha256(), zlib.compressobj(1), BytesIO()
    packed.write(MAGIC + bytes(DIGEST_BYTES))
    state = chain.from_iterable(_pieces(snapshot.blobs[name]) for name in names)
    for piece in chain([_LENGTH.pack(len(header)), header], state):
        view = memoryview(piece)
        for at in range(0, len(view), PACK_BYTES):
            part = view[at : at + PACK_BYTES]
            digest.update(part)
            packed.write(packer.compress(part))
    packed.write(packer.flush())
    packed.seek(len(MAGIC))
    packed.write(digest.digest()[:DIGEST_BYTES])
    return packed.getvalue()


def decode(data: bytes) -> Snapshot:
    """Read a snapshot back.

    Raises
    ------
    StateError
        Damaged, cut short, or written by a newer version.
    """
    if data[:4] != MAGIC:
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
        self._wanted = data[len(MAGIC) : len(MAGIC) + DIGEST_BYTES]
        self._left = memoryview(data)[len(MAGIC) + DIGEST_BYTES :]
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

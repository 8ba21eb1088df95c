"""What a unit must remember to go on as if it had never stopped, and its bytes."""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain

import orjson

from streams.errors import StateError
from streams.stages.detect.watermark import PartitionKey, WatermarkState
from streams.wire.routed import Stamp

MAGIC = b"HWS1"
"""Container version; a reader that does not know it starts over from the source instead of guessing."""
_LENGTH = struct.Struct(">I")


Blob = bytes | Sequence[bytes | memoryview]
"""Opaque state, whole or in pieces: with a million series every copy is a gigabyte."""


def joined(blob: Blob) -> bytes:
    """Return a blob whole."""
    return blob if isinstance(blob, bytes) else b"".join(blob)


def _pieces(blob: Blob) -> Sequence[bytes | memoryview]:
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
        Opaque state by name (`detector/<domain>`, `decoder`).
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
    digest, packer, packed = hashlib.sha256(), zlib.compressobj(1), []
    state = chain.from_iterable(_pieces(snapshot.blobs[name]) for name in names)
    for piece in chain([_LENGTH.pack(len(header)), header], state):
        digest.update(piece)
        packed.append(packer.compress(piece))
    return b"".join([MAGIC, digest.digest()[:16], *packed, packer.flush()])


def decode(data: bytes) -> Snapshot:
    """Read a snapshot back.

    Raises
    ------
    StateError
        Damaged, cut short, or written by a newer version.
    """
    if data[:4] != MAGIC:
        raise StateError("not a snapshot that this version can read")
    try:
        body = zlib.decompress(data[20:])
    except zlib.error as error:
        raise StateError(f"damaged snapshot: {error}") from None
    if hashlib.sha256(body).digest()[:16] != data[4:20]:
        raise StateError("damaged snapshot: its digest does not fit")
    (length,) = _LENGTH.unpack_from(body)
    at = _LENGTH.size + length
    header = orjson.loads(body[_LENGTH.size : at])
    blobs = {}
    for name, size in header["blobs"]:
        blobs[name] = body[at : at + size]
        at += size
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


def _rows(mapping: Mapping[PartitionKey, int]) -> list[list[str | int]]:
    return [[topic, number, value] for (topic, number), value in sorted(mapping.items())]


def _mapping(rows: list[list[str | int]]) -> dict[PartitionKey, int]:
    return {(str(topic), int(number)): int(value) for topic, number, value in rows}

"""A domain's engine together with the evidence offset that is in it, as one value."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

from correlator.engine import Engine
from streams.errors import StateError

_HEAD = struct.Struct(">4sq")
MAGIC = b"HWC1"


@dataclass(slots=True)
class Domain:
    """One engine and how far it has come.

    Attributes
    ----------
    applied
        Offset of the last evidence record that is in the engine; -1 before the first.
    saved
        `applied` as of the last checkpoint.
    """

    engine: Engine
    partition: int
    applied: int = -1
    saved: int = -1

    def dump(self) -> bytes:
        """Serialise the engine and its offset, so that neither can be newer than the other."""
        return _HEAD.pack(MAGIC, self.applied) + zlib.compress(self.engine.dump(), 1)

    @classmethod
    def load(cls, data: bytes, partition: int) -> Domain:
        """Restore it.

        Raises
        ------
        StateError
            Damaged, or written by a newer version. Going on without it would open old incidents anew.
        """
        try:
            magic, applied = _HEAD.unpack_from(data)
            if magic != MAGIC:
                raise ValueError(f"unknown version {magic!r}")
            engine = Engine.load(zlib.decompress(data[_HEAD.size :]))
        except (struct.error, zlib.error, ValueError) as error:
            raise StateError(f"the engine's state on partition {partition} cannot be read: {error}") from None
        return cls(engine, partition, applied, applied)

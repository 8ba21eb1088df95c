"""A domain's engine together with the evidence offset that is in it, as one value."""

from __future__ import annotations

import hashlib
import struct
import zlib
from dataclasses import dataclass, field

import orjson

from correlator.engine import Engine
from correlator.evidence import EvidenceItem
from correlator.incident import Incident
from streams.errors import PermanentError, StateError
from streams.wire.codec import encode
from streams.wire.messages import EvidenceRecord

MAGIC = b"HWC1"
_HEAD = struct.Struct(">4sI")
REMEMBERED = 5_000
"""Items outside ticks whose repetition is recognised. DETECT repeats what it said since its last snapshot,
some seconds of changes and edges; each costs 8 bytes here."""


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
    promised_ms: dict[str, int] = field(default_factory=dict)
    """Newest promise by source. A source that restarted says again what it said before; an anomaly that is
    repeated behind the watermark would count as late evidence and revise incidents for nothing."""
    remembered: dict[str, None] = field(default_factory=dict)
    """Digests of items outside ticks, oldest first."""

    def apply(self, record: EvidenceRecord) -> list[Incident]:
        """Give the engine what is new in a record; returns the revisions that it brings about.

        Raises
        ------
        PermanentError
            The engine cannot digest the record.
        """
        if record.tick_ms and record.tick_ms <= self.promised_ms.get(record.source, -1):
            return []
        revisions: list[Incident] = []
        try:
            for item in record.items:
                if record.tick_ms or not self._is_repeated(item):
                    revisions += self.engine.apply(item)
                if item.type == "progress":
                    self.promised_ms[record.source] = item.watermark_ms
        except Exception as error:
            # One record that a defect of ours stumbles over must not stop a domain for good.
            raise PermanentError(f"the correlator failed: {type(error).__name__}: {error}") from error
        return revisions

    @property
    def open_incidents(self) -> int:
        """Incidents that are not closed."""
        return sum(1 for each in self.engine.memory.incidents.values() if each.closed_ms is None)

    def _is_repeated(self, item: EvidenceItem) -> bool:
        digest = hashlib.sha256(encode(item)).hexdigest()[:16]
        if digest in self.remembered:
            return True
        self.remembered[digest] = None
        if len(self.remembered) > REMEMBERED:
            del self.remembered[next(iter(self.remembered))]
        return False

    def dump(self) -> bytes:
        """Serialise the engine and its offset, so that neither can be newer than the other."""
        header = orjson.dumps(
            {
                "applied": self.applied,
                "promised_ms": self.promised_ms,
                "remembered": list(self.remembered),
            }
        )
        return _HEAD.pack(MAGIC, len(header)) + zlib.compress(header + self.engine.dump(), 1)

    @classmethod
    def load(cls, data: bytes, partition: int) -> Domain:
        """Restore it.

        Raises
        ------
        StateError
            Damaged, or written by a newer version. Going on without it would open old incidents anew.
        """
        try:
            magic, length = _HEAD.unpack_from(data)
            if magic != MAGIC:
                raise ValueError(f"unknown version {magic!r}")
            body = zlib.decompress(data[_HEAD.size :])
            header = orjson.loads(body[:length])
            return cls(
                Engine.load(body[length:]),
                partition,
                applied=header["applied"],
                saved=header["applied"],
                promised_ms=header["promised_ms"],
                remembered=dict.fromkeys(header["remembered"]),
            )
        except (struct.error, zlib.error, ValueError, KeyError) as error:
            raise StateError(
                f"the correlator's state on partition {partition} cannot be read ({error}); go back to the "
                "version that wrote it, or delete its changelog topic and state_dir to begin anew"
            ) from None

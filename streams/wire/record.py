"""A Kafka record as the decoders see it: bytes and where they came from."""

from __future__ import annotations

from typing import NamedTuple


class RawRecord(NamedTuple):
    """One record, untouched. `value` is None for a tombstone."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...] = ()
    timestamp_ms: int = 0
    """The broker's or producer's stamp; used only where the payload has no time of its own."""

    def header(self, name: str) -> str | None:
        """The last header of that name, by any case; None where absent or empty."""
        for key, value in reversed(self.headers):
            if key.lower() == name and value:
                return value.decode("utf-8", "replace")
        return None

"""A record on its way to Kafka."""

from __future__ import annotations

from typing import NamedTuple


class OutgoingRecord(NamedTuple):
    """One record, without a timestamp: the broker's clock must not see event times.

    A topic's retention counts from record timestamps, so a recording of last year would be deleted while it
    is being read. Event time is in the payload.
    """

    topic: str
    key: bytes
    value: bytes
    headers: tuple[tuple[str, bytes], ...] = ()

"""The stamp on a re-keyed record: where it stood before, so that a repetition is known as one.

ROUTE writes a record again when it is killed between writing and committing. Its parts keep their order on
each partition, so a stamp that is not newer than the newest of its source partition has been read before.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from streams.wire.deadletter import ROUTED
from streams.wire.record import RawRecord


class Stamp(NamedTuple):
    """A place in a source partition."""

    offset: int
    part: int
    """Which part of the source record, from 0."""
    ts_ms: int
    """Time stamp of the source record: a source that was made anew has small offsets and new stamps."""


def stamp_header(topic: str, partition: int, stamp: Stamp) -> tuple[str, bytes]:
    """Spell a stamp as a header.

    Examples
    --------
    >>> stamp_header("otlp_metrics", 2, Stamp(41, 0, 1_790_000_000_000))
    ('headwater-routed', b'otlp_metrics/2/41/0/1790000000000')
    """
    return ROUTED, f"{topic}/{partition}/{stamp.offset}/{stamp.part}/{stamp.ts_ms}".encode()


def stamp_of(headers: Iterable[tuple[str, bytes | None]]) -> tuple[str, Stamp] | None:
    """Read (source partition, stamp) back; None for a record that was not re-keyed.

    Examples
    --------
    >>> stamp_of([("headwater-routed", b"otlp_metrics/2/41/0/17")])
    ('otlp_metrics/2', Stamp(offset=41, part=0, ts_ms=17))
    """
    for name, value in headers:
        if name == ROUTED and value:
            source, *numbers = value.decode("utf-8", "replace").rsplit("/", 3)
            if len(numbers) == 3 and all(each.isdigit() for each in numbers):
                return source, Stamp(*map(int, numbers))
    return None


def with_source_time(record: RawRecord) -> RawRecord:
    """A re-keyed record with the time stamp that it had before, any other as it is.

    On the re-keyed topic the stamp is the time of writing: retention counts from it, and a broker deletes
    within minutes what a producer that catches up has stamped with last week.

    Examples
    --------
    >>> record = RawRecord("otlp_metrics.routed", 0, 9, b"cart", b"{}", timestamp_ms=99)
    >>> with_source_time(record).timestamp_ms
    99
    >>> with_source_time(record._replace(headers=((ROUTED, b"otlp_metrics/2/41/0/17"),))).timestamp_ms
    17
    """
    stamped = stamp_of(record.headers)
    return record if stamped is None else record._replace(timestamp_ms=stamped[1].ts_ms)


def is_repeated(stamp: Stamp, newest: Stamp | None) -> bool:
    """Whether a record was read before, given the newest stamp of its source partition.

    Examples
    --------
    >>> newest = Stamp(41, 1, 1_000)
    >>> [is_repeated(each, newest) for each in (Stamp(41, 1, 1_000), Stamp(41, 2, 1_000), Stamp(0, 0, 2_000))]
    [True, False, False]
    """
    return newest is not None and stamp[:2] <= newest[:2] and stamp.ts_ms <= newest.ts_ms

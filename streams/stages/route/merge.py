"""Partitions of one topic, merged by time stamp.

DETECT judges lateness by what stands before a record on its partition. A re-keyed partition is fed from many
source partitions, and a consumer that has fallen behind reads one of them far before the next: written in
that order, all of the next would be late.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from confluent_kafka import Message

MAX_HELD = 10_000
"""Records held of one partition, before it is paused until the others have caught up."""
MAX_HELD_BYTES = 32 * 1024 * 1024
"""The same in bytes of values: ten thousand OTLP batches of a megabyte would be all memory there is."""
MAX_WAIT_S = 5.0
"""How long a partition that neither delivers nor ends holds up the others: its broker may be away."""


class Merge:
    """Holds records until no other partition can bring an older one."""

    def __init__(self) -> None:
        self._held: dict[int, deque[Message]] = {}
        self._held_bytes: dict[int, int] = {}
        self._ended: set[int] = set()
        self._heard_at_s: dict[int, float] = {}

    def add(self, partition: int, now_s: float) -> None:
        """Take a partition into account."""
        self._held.setdefault(partition, deque())
        self._held_bytes.setdefault(partition, 0)
        self._heard_at_s[partition] = now_s

    def drop(self, partition: int) -> None:
        """Forget a partition and what is held of it: its next owner reads it again."""
        self._held.pop(partition, None)
        self._held_bytes.pop(partition, None)
        self._ended.discard(partition)

    def partitions(self) -> tuple[int, ...]:
        """The partitions taken into account."""
        return tuple(self._held)

    def put(self, partition: int, message: Message, now_s: float) -> None:
        """Hold the next record of a partition; one that was given away meanwhile is ignored."""
        if partition not in self._held:
            return
        self._held[partition].append(message)
        self._held_bytes[partition] += len(message)
        self._ended.discard(partition)
        self._heard_at_s[partition] = now_s

    def reached_end(self, partition: int) -> None:
        """Note that nothing is waiting on the partition; of one that was given away, nothing is noted."""
        if partition in self._held:
            self._ended.add(partition)

    def due(self, now_s: float) -> Iterator[tuple[int, Message]]:
        """Return records in order of their stamps, each partition in its own order, as far as is known."""
        while True:
            empty = [number for number, held in self._held.items() if not held]
            if len(empty) == len(self._held) or any(self._may_bring(each, now_s) for each in empty):
                return
            _, number = min((held[0].timestamp()[1], each) for each, held in self._held.items() if held)
            message = self._held[number].popleft()
            self._held_bytes[number] -= len(message)
            if not self._held[number]:
                # Waiting for it begins now: it may have been paused for long, and silent because of that.
                self._heard_at_s[number] = now_s
            yield number, message

    def _may_bring(self, partition: int, now_s: float) -> bool:
        return partition not in self._ended and now_s - self._heard_at_s[partition] < MAX_WAIT_S

    def is_full(self, partition: int) -> bool:
        """Whether the partition is to be paused."""
        return self._fill(partition) >= 1.0

    def has_room(self, partition: int) -> bool:
        """Whether a paused partition is to be resumed."""
        return self._fill(partition) <= 0.5

    def _fill(self, partition: int) -> float:
        """Part of the room of one partition that is taken; it may be more than all of it."""
        records, size_bytes = len(self._held.get(partition, ())), self._held_bytes.get(partition, 0)
        return max(records / MAX_HELD, size_bytes / MAX_HELD_BYTES)

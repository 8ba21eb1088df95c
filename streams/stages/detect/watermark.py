"""How far event time has come on one unit's partitions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

PartitionKey = tuple[str, int]
"""Topic and partition number."""


@dataclass(frozen=True, slots=True)
class WatermarkState:
    """What a snapshot keeps of a watermark."""

    value_ms: int | None
    high_ms: dict[PartitionKey, int]


@dataclass(slots=True)
class _Clock:
    """One dense partition's event time, and since when it has had nothing more to give."""

    high_ms: int | None = None
    caught_up_at_s: float | None = None
    """Wall clock (monotonic) of reaching the end, None while records are waiting."""


class Watermark:
    """The smallest event time that may still come in order, over the dense partitions of a unit.

    A partition stands just below its newest event time less the lateness: more records may bear that very
    time. One that has been read to its end and
    stayed silent for `idle_s` of wall-clock time no longer holds the others back; neither does one that has
    not given anything yet. When all are idle, event time goes on with the wall clock, so that the last
    episodes close although nothing arrives. The watermark never goes back.

    Parameters
    ----------
    lateness_ms
        How far behind the newest event time of its partition a record may come.
    idle_s
        Wall-clock silence after which a partition is idle.
    """

    def __init__(self, partitions: Iterable[PartitionKey], *, lateness_ms: int, idle_s: float) -> None:
        self._lateness_ms = lateness_ms
        self._idle_s = idle_s
        self._clocks = {key: _Clock() for key in partitions}
        self._stray_ms: dict[PartitionKey, int] = {}
        """Newest event time of partitions that are not dense and carried samples nevertheless."""
        self._value_ms: int | None = None
        self._first_ms: int | None = None

    @property
    def value_ms(self) -> int | None:
        """The watermark; None before the first record."""
        return self._value_ms

    def ahead_ms(self, partition: PartitionKey) -> int:
        """How far a partition has run ahead of the watermark, or of the first event time before there is one.

        Not from the watermark alone: while one partition cannot be read there is none, and all that the
        others have would be held in memory.
        """
        high_ms, since_ms = self.high_ms(partition), self._value_ms
        if since_ms is None:
            since_ms = self._first_ms
        return 0 if high_ms is None or since_ms is None else high_ms - since_ms

    def add(self, partitions: Iterable[PartitionKey]) -> None:
        """Take further partitions into account; they are read from their beginning."""
        for key in partitions:
            self._clocks.setdefault(key, _Clock())

    def saw(self, partition: PartitionKey, ts_ms: int) -> None:
        """Note a record's newest event time; it also ends the partition's idleness."""
        clock = self._clocks.get(partition)
        if clock is None:
            self._stray_ms[partition] = max(ts_ms, self._stray_ms.get(partition, ts_ms))
            return
        clock.caught_up_at_s = None
        if self._first_ms is None:
            self._first_ms = ts_ms
        if clock.high_ms is None or ts_ms > clock.high_ms:
            clock.high_ms = ts_ms

    def reached_end(self, partition: PartitionKey, now_s: float) -> None:
        """Note that nothing is waiting on the partition."""
        clock = self._clocks[partition]
        if clock.caught_up_at_s is None:
            clock.caught_up_at_s = now_s

    def high_ms(self, partition: PartitionKey) -> int | None:
        """Newest event time of the partition."""
        clock = self._clocks.get(partition)
        return self._stray_ms.get(partition) if clock is None else clock.high_ms

    def advance(self, now_s: float) -> int | None:
        """Recompute the watermark and return it.

        Returns
        -------
        int or None
            Unix milliseconds; None while no partition has given anything, or one is still to be read.
        """
        if any(clock.high_ms is None and clock.caught_up_at_s is None for clock in self._clocks.values()):
            # Not read to the end yet: what it holds may be older than all we know.
            return self._value_ms
        started = [clock for clock in self._clocks.values() if clock.high_ms is not None]
        if not started:
            return self._value_ms
        active = [
            clock.high_ms for clock in started if clock.high_ms is not None and not self._idle(clock, now_s)
        ]
        if active:
            candidate = min(active) - self._lateness_ms - 1
        else:
            # Silence beyond idle_s stands for event time; it starts where the newest record stood, so that
            # going idle moves nothing beyond what was promised.
            since_s = max(clock.caught_up_at_s for clock in started if clock.caught_up_at_s is not None)
            newest = max(clock.high_ms for clock in started if clock.high_ms is not None)
            candidate = newest - self._lateness_ms - 1 + int((now_s - since_s - self._idle_s) * 1000)
        if self._value_ms is None or candidate > self._value_ms:
            self._value_ms = candidate
        return self._value_ms

    def is_silent(self, now_s: float) -> bool:
        """Whether every partition has been read to its end and has nothing to say."""
        return all(
            clock.caught_up_at_s is not None and (clock.high_ms is None or self._idle(clock, now_s))
            for clock in self._clocks.values()
        )

    def _idle(self, clock: _Clock, now_s: float) -> bool:
        return clock.caught_up_at_s is not None and now_s - clock.caught_up_at_s >= self._idle_s

    def dump(self) -> WatermarkState:
        """Return what a restart must know; wall-clock times are not part of it."""
        return WatermarkState(
            self._value_ms,
            self._stray_ms
            | {key: clock.high_ms for key, clock in self._clocks.items() if clock.high_ms is not None},
        )

    def restore(self, state: WatermarkState) -> None:
        """Continue from a dumped state."""
        self._value_ms = state.value_ms
        for key, high_ms in state.high_ms.items():
            if key in self._clocks:
                self._clocks[key].high_ms = high_ms
            else:
                self._stray_ms[key] = high_ms

"""Samples and lines wait here until the watermark passes their tick: batching and order cannot matter."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from detectors.grid import tick_of
from detectors.logs import Line
from detectors.telemetry import LogBatch, SampleBatch

S = TypeVar("S", bound=np.generic)


class Hold:
    """Holds columns of samples and releases those that are due. Nothing is lost but what is late."""

    def __init__(self) -> None:
        self._parts: list[SampleBatch] = []

    def __len__(self) -> int:
        return sum(len(part) for part in self._parts)

    def put(self, samples: SampleBatch, closed_ms: int | None) -> int:
        """Keep samples of open ticks; return how many were too late."""
        if closed_ms is not None and len(samples) and int(samples.ts_ms.min()) <= closed_ms:
            timely = samples.ts_ms > closed_ms
            late = len(samples) - int(timely.sum())
            samples = _chosen(samples, timely)
        else:
            late = 0
        if len(samples):
            self._parts.append(samples)
        return late

    def release(self, upto_ms: int) -> SampleBatch:
        """Take out everything at or before a time, in no particular order."""
        due: list[SampleBatch] = []
        kept: list[SampleBatch] = []
        for part in self._parts:
            is_due = part.ts_ms <= upto_ms
            # As a rule a part is of one tick, and is not even copied.
            if is_due.all():
                due.append(part)
            elif is_due.any():
                due.append(_chosen(part, is_due))
                kept.append(_chosen(part, ~is_due))
            else:
                kept.append(part)
        self._parts = kept
        return _together(due)

    def everything(self) -> SampleBatch:
        """Return all that is held, in one batch."""
        return _together(self._parts)


class LineHold:
    """The same for log lines, by the end of their tick.

    Parameters
    ----------
    tick_ms
        Width of a tick; lines are released by whole ticks.
    """

    def __init__(self, tick_ms: int) -> None:
        self._tick_ms = tick_ms
        self._ticks: dict[int, list[Line]] = {}

    def put(self, batch: LogBatch, closed_ms: int | None) -> int:
        """Keep lines of open ticks; return how many were too late."""
        if not len(batch):
            return 0
        ts_ms = np.asarray(batch.ts_ms, np.int64)
        severity = [each or "" for each in batch.severity]
        instance = [each or "" for each in batch.instance]
        lines = zip(ts_ms.tolist(), batch.service, batch.body, severity, instance, strict=True)
        ends = tick_of(ts_ms, self._tick_ms)
        first, last = int(ends.min()), int(ends.max())
        if first == last and (closed_ms is None or int(ts_ms.min()) > closed_ms):
            self._ticks.setdefault(first, []).extend(lines)
            return 0
        late = 0
        for line, end in zip(lines, ends.tolist(), strict=True):
            if closed_ms is not None and line[0] <= closed_ms:
                late += 1
            else:
                self._ticks.setdefault(end, []).append(line)
        return late

    def release(self, upto_ms: int) -> dict[int, list[Line]]:
        """Take out the ticks that end at or before a time, in no particular order."""
        due = [end for end in self._ticks if end <= upto_ms]
        return {end: self._ticks.pop(end) for end in due}

    def everything(self) -> list[Line]:
        """Return all that is held."""
        return [line for end in sorted(self._ticks) for line in self._ticks[end]]

    def restore(self, lines: list[Line]) -> None:
        """Take back what `everything` returned."""
        for line in lines:
            end = -(-line[0] // self._tick_ms) * self._tick_ms
            self._ticks.setdefault(end, []).append(line)


def by_tick(due: SampleBatch, width: int) -> dict[int, SampleBatch]:
    """Part samples by the end of their tick; as a rule they are of one, and nothing is copied."""
    if not len(due):
        return {}
    first, last = tick_of(np.array([due.ts_ms.min(), due.ts_ms.max()]), width).tolist()
    if first == last:
        return {first: due}
    ends = tick_of(due.ts_ms, width)
    ticks = np.unique(ends).tolist()
    order = np.argsort(ends, kind="stable")
    begins = np.searchsorted(ends[order], ticks).tolist()
    parts = [order[begin:end] for begin, end in zip(begins, [*begins[1:], len(order)], strict=True)]
    return {
        tick: SampleBatch(due.ts_ms[part], due.series[part], due.value[part])
        for tick, part in zip(ticks, parts, strict=True)
    }


def _chosen(part: SampleBatch, which: NDArray[np.bool_]) -> SampleBatch:
    return SampleBatch(part.ts_ms[which], part.series[which], part.value[which])


def _together(parts: list[SampleBatch]) -> SampleBatch:
    if len(parts) == 1:
        return parts[0]
    return SampleBatch(
        _joined([part.ts_ms for part in parts], np.int64),
        _joined([part.series for part in parts], np.int32),
        _joined([part.value for part in parts], np.float64),
    )


def _joined(columns: list[NDArray[S]], code: type[S]) -> NDArray[S]:
    return np.concatenate(columns).astype(code, copy=False) if columns else np.empty(0, code)

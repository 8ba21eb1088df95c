"""Samples and lines wait here until the watermark passes their tick: batching and order cannot matter."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

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
            samples = SampleBatch(samples.ts_ms[timely], samples.series[timely], samples.value[timely])
        else:
            late = 0
        if len(samples):
            self._parts.append(samples)
        return late

    def release(self, upto_ms: int) -> SampleBatch:
        """Take out everything at or before a time, in no particular order."""
        everything = self.everything()
        due = everything.ts_ms <= upto_ms
        if due.all():
            self._parts = []
            return everything
        kept = ~due
        self._parts = [SampleBatch(everything.ts_ms[kept], everything.series[kept], everything.value[kept])]
        return SampleBatch(everything.ts_ms[due], everything.series[due], everything.value[due])

    def everything(self) -> SampleBatch:
        """Return all that is held, in one batch."""
        parts = self._parts
        if len(parts) == 1:
            return parts[0]
        return SampleBatch(
            _joined([part.ts_ms for part in parts], np.int64),
            _joined([part.series for part in parts], np.int32),
            _joined([part.value for part in parts], np.float64),
        )


class LineHold:
    """The same for log lines."""

    def __init__(self) -> None:
        self._lines: list[Line] = []

    def put(self, batch: LogBatch, closed_ms: int | None) -> int:
        """Keep lines of open ticks; return how many were too late."""
        late = 0
        columns = zip(batch.ts_ms, batch.service, batch.body, batch.severity, batch.instance, strict=True)
        for ts_ms, service, body, severity, instance in columns:
            if closed_ms is not None and ts_ms <= closed_ms:
                late += 1
            else:
                self._lines.append(Line(int(ts_ms), service, body, severity or "", instance or ""))
        return late

    def release(self, upto_ms: int, tick_ms: int) -> dict[int, list[Line]]:
        """Take out the lines at or before a time, by the end of their tick, sorted."""
        due: dict[int, list[Line]] = {}
        kept: list[Line] = []
        for line in self._lines:
            if line.ts_ms <= upto_ms:
                due.setdefault(-(-line.ts_ms // tick_ms) * tick_ms, []).append(line)
            else:
                kept.append(line)
        self._lines = kept
        for lines in due.values():
            lines.sort()
        return due

    def everything(self) -> list[Line]:
        """Return all that is held."""
        return self._lines

    def restore(self, lines: list[Line]) -> None:
        """Take back what `everything` returned."""
        self._lines = lines


def _joined(columns: list[NDArray[S]], code: type[S]) -> NDArray[S]:
    return np.concatenate(columns).astype(code, copy=False) if columns else np.empty(0, code)

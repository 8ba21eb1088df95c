"""One tick's samples through the bank and into words, and then what follows from them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from detectors.anomaly import Anomaly
from detectors.bank import judge
from detectors.dense import distinct, in_turn
from detectors.derive import Derived, means, shares
from detectors.episode import CLOSE
from detectors.logs import Count
from detectors.pooling import Pooled, pooled
from detectors.publish import Publisher
from detectors.roster import Roster
from detectors.stillness import Stillness
from detectors.telemetry import Series
from detectors.versions import Contrast, prepare


class Judging:
    """Collects what is said of one tick; the newest word on each episode wins."""

    def __init__(self, roster: Roster, publisher: Publisher, stillness: Stillness, end_ms: int) -> None:
        self._roster = roster
        self._publisher = publisher
        self._stillness = stillness
        self.end_ms = end_ms
        """End of the tick."""
        self._newest: dict[str, Anomaly] = {}

    @property
    def anomalies(self) -> list[Anomaly]:
        """What was said so far, one anomaly an episode."""
        return list(self._newest.values())

    def emitted(self, row: NDArray[np.int32], ts_ms: NDArray[np.int64], value: NDArray[np.float64]) -> None:
        """Judge samples as they came, the shares that follow from them, and services over instances."""
        self._judge(row, ts_ms, value, emitted=True)
        touched = distinct(row, self._roster.used)
        follows = shares(self._roster, touched) | means(self._roster, touched)
        touched = np.concatenate([touched, self._derived(follows)])
        self._pooled(pooled(self._roster, touched, self.end_ms))

    def counted(self, counts: list[Count]) -> None:
        """Judge the counts of a tick's log lines."""
        if counts:
            ts_ms = np.full(len(counts), self.end_ms, dtype=np.int64)
            value = np.array([each.value for each in counts])
            rows = self.admit([each.series for each in counts])
            shown = zip(rows.tolist(), counts, strict=True)
            self._judge(rows, ts_ms, value, {row: each.exemplar for row, each in shown if each.exemplar})

    def _pooled(self, found: Pooled) -> None:
        rows, values = found.row, found.value
        if found.newcomers:
            self.admit([series for _, series, _ in found.newcomers], derived=True)
            # Rows may have been taken from others to make room: only what is settled now counts.
            kept = np.isin(rows, self._roster.groups.whole)
            settled = [each for each in found.newcomers if self._roster.settle_whole(each[0], each[1])]
            rows = np.r_[rows[kept], [self._roster.row(series) for _, series, _ in settled]].astype(np.int32)
            values = np.r_[values[kept], [value for _, _, value in settled]]
        self._judge(rows, np.full(len(rows), self.end_ms, dtype=np.int64), values)
        self._contrasts(found.contrasts)

    def _contrasts(self, found: list[Contrast]) -> None:
        fresh = [each for each in found if self._roster.row(each.series) < 0]
        for each in fresh:
            if self.admit([each.series], derived=True)[0] >= 0:
                prepare(self._roster, each)
        self._derived({each.series: (each.ts_ms, each.value) for each in found})

    def _derived(self, found: Derived) -> NDArray[np.int32]:
        if not found:
            return np.empty(0, np.int32)
        ts_ms = np.array([ts for ts, _ in found.values()], dtype=np.int64)
        value = np.array([x for _, x in found.values()])
        rows = self.admit(list(found), derived=True)
        self._judge(rows, ts_ms, value)
        return rows[rows >= 0]

    def admit(self, series: list[Series], *, derived: bool = False) -> NDArray[np.int32]:
        """Return the rows of some series, new ones for those that have none; -1 where there is no room."""
        roster = self._roster
        newcomers = [each for each in series if roster.row(each) < 0]
        if newcomers:
            evicted = roster.admit(newcomers, self.end_ms, derived=derived)
            self._publisher.forget(evicted)
            self._stillness.forget(evicted)
        return np.fromiter(map(roster.row, series), np.int32, len(series))

    def _judge(
        self,
        row: NDArray[np.int32],
        ts_ms: NDArray[np.int64],
        value: NDArray[np.float64],
        exemplars: dict[int, str] | None = None,
        *,
        emitted: bool = False,
    ) -> None:
        roster = self._roster
        # Load first: the volume of an interval must be known before its latencies are judged. Value last:
        # of two samples of one series and time the same one must win, however they came.
        if len(row) and row.min() < 0:
            kept = row >= 0
            row, ts_ms, value = row[kept], ts_ms[kept], value[kept]
        roster.read(row, value)
        order = in_turn(ts_ms, roster.is_load[row] == 0, row, value)
        row, ts_ms, value = row[order], ts_ms[order], value[order]
        if emitted:
            self._stillness.learn(row, ts_ms, value)
        judged = judge(roster.rows, roster.pools, row, ts_ms, value)
        for k, i in enumerate(judged.place):
            anomaly = self._publisher.speak(
                int(row[i]),
                int(ts_ms[i]),
                float(judged.lasting[k]),
                float(judged.value[k]),
                float(judged.expected[k]),
                float(judged.scale[k]),
                close=bool(judged.action[k] == CLOSE),
                exemplar=exemplars.get(int(row[i])) if exemplars else None,
            )
            if anomaly is not None:
                self._newest[anomaly.id] = anomaly

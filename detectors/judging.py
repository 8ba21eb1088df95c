"""One tick's samples through the bank and into words, and then what follows from them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from detectors.anomaly import Anomaly
from detectors.bank import judge
from detectors.derive import Derived, pooled, shares
from detectors.episode import CLOSE, SILENT
from detectors.logs import Count
from detectors.publish import Publisher
from detectors.roster import Roster
from detectors.telemetry import Series


class Judging:
    """Collects what is said of one tick; the newest word on each episode wins."""

    def __init__(self, roster: Roster, publisher: Publisher, end_ms: int) -> None:
        self._roster = roster
        self._publisher = publisher
        self._end_ms = end_ms
        self._newest: dict[str, Anomaly] = {}

    @property
    def anomalies(self) -> list[Anomaly]:
        """What was said so far, one anomaly an episode."""
        return list(self._newest.values())

    def emitted(
        self,
        series: list[Series],
        which: NDArray[np.intp],
        ts_ms: NDArray[np.int64],
        value: NDArray[np.float64],
    ) -> None:
        """Judge samples as they came, the shares that follow from them, and services over instances."""
        touched = self._judge(series, which, ts_ms, value)
        touched = np.concatenate([touched, self._derived(shares(self._roster, touched))])
        self._derived(pooled(self._roster, touched, self._end_ms))

    def counted(self, counts: list[Count]) -> None:
        """Judge the counts of a tick's log lines."""
        if counts:
            ts_ms = np.full(len(counts), self._end_ms, dtype=np.int64)
            value = np.array([each.value for each in counts])
            series = [each.series for each in counts]
            exemplars = {each.series: each.exemplar for each in counts if each.exemplar}
            self._judge(series, np.arange(len(counts)), ts_ms, value, exemplars=exemplars)

    def _derived(self, found: Derived) -> NDArray[np.int32]:
        if not found:
            return np.empty(0, np.int32)
        ts_ms = np.array([ts for ts, _ in found.values()], dtype=np.int64)
        value = np.array([x for _, x in found.values()])
        return self._judge(list(found), np.arange(len(found)), ts_ms, value, derived=True)

    def _judge(
        self,
        series: list[Series],
        which: NDArray[np.intp],
        ts_ms: NDArray[np.int64],
        value: NDArray[np.float64],
        *,
        derived: bool = False,
        exemplars: dict[Series, str] | None = None,
    ) -> NDArray[np.int32]:
        """Run samples through the bank; `which` numbers into `series`. Return the rows of `series`."""
        roster = self._roster
        newcomers = [each for each in series if roster.row(each) < 0]
        if newcomers:
            self._publisher.forget(roster.admit(newcomers, derived=derived))
        rows = np.array([roster.row(each) for each in series], dtype=np.int32)
        row = rows[which]
        # Load first: the volume of an interval must be known before its latencies are judged. Value last:
        # of two samples of one series and time the same one must win, however they came.
        order = np.lexsort((value, row, 1 - roster.is_load[row], ts_ms))
        row, ts_ms, which = row[order], ts_ms[order], which[order]
        judged = judge(roster.rows, roster.pools, row, ts_ms, value[order])
        for i in np.flatnonzero(judged.action != SILENT):
            anomaly = self._publisher.speak(
                int(row[i]),
                int(ts_ms[i]),
                float(judged.lasting[i]),
                float(judged.value[i]),
                float(judged.expected[i]),
                float(judged.scale[i]),
                close=bool(judged.action[i] == CLOSE),
                exemplar=exemplars.get(series[which[i]]) if exemplars else None,
            )
            if anomaly is not None:
                self._newest[anomaly.id] = anomaly
        return rows

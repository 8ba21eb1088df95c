"""From judged samples to anomalies: what is said of an episode, and in which words."""

from __future__ import annotations

from math import log10

from detectors.anomaly import Anomaly, Family, Signal, anomaly_id
from detectors.episode import PUBLISH
from detectors.residual import unshaped
from detectors.roster import Roster
from detectors.rows import NEVER
from detectors.telemetry import Kind, Series


class Publisher:
    """Keeps the newest word on each open episode of a domain and closes those that fell silent."""

    SILENT_INTERVALS = 5
    """Intervals without a sample after which an open episode is closed: nobody knows how it went on."""

    def __init__(self, domain: str, roster: Roster) -> None:
        self.domain = domain
        self.roster = roster
        self.open: dict[int, Anomaly] = {}

    def speak(
        self,
        row: int,
        ts_ms: int,
        lasting: float,
        y: float,
        expected: float,
        scale: float,
        *,
        close: bool,
        exemplar: str | None = None,
    ) -> Anomaly | None:
        """Word one update; None when it is too weak to be said for the first time.

        With N living instances of a service the most extreme of N is ordinary N times as often: log10(N)
        is taken off the score of each.
        """
        rows = self.roster.rows
        series, meaning = self.roster.series[row], self.roster.meaning[row]
        if series is None or meaning is None:
            return None
        crowd = log10(int(self.roster.crowd[row]))
        score = max(lasting - crowd, 0.0)
        known = self.open.get(row)
        if known is None and (close or score < PUBLISH):
            return None
        first_ms = int(rows["first_ts"][row])
        signal = known.signal if known else _signal(series, meaning.family)
        shape, offset = int(rows["shape"][row]), float(rows["offset"][row])
        base = unshaped(shape, offset, expected)
        interval = max(int(rows["interval"][row]), 1)
        anomaly = Anomaly(
            id=known.id if known else anomaly_id(self.domain, series.service, signal, first_ms),
            domain=self.domain,
            service=series.service,
            signal=signal,
            status="closed" if close else "open",
            first_ms=first_ms,
            onset_ms=int(rows["onset_ts"][row]),
            onset_uncertainty_ms=int(rows["onset_half"][row]),
            ts_ms=ts_ms,
            interval_ms=interval,
            direction="up" if rows["sign"][row] > 0 else "down",
            score=round(score, 3),
            peak_score=round(max(score, known.peak_score if known else 0.0), 3),
            observed=self._raw(row, y),
            expected=self._raw(row, expected),
            scale=_short(abs(unshaped(shape, offset, expected + scale) - base)),
            sample=self._sample(row),
            exemplar=exemplar or (known.exemplar if known else None),
        )
        if close:
            del self.open[row]
        else:
            self.open[row] = anomaly
        return anomaly

    def fall_silent(self, now: int) -> list[Anomaly]:
        """Close episodes whose series stopped."""
        closed = []
        for row in [row for row in self.open if self.roster.silent_for(row, now) > self.SILENT_INTERVALS]:
            self.roster.rows["phase"][row] = 0
            closed.append(
                self.open.pop(row).model_copy(update={"status": "closed", "ts_ms": now, "score": 0.0})
            )
        return closed

    def forget(self, rows: list[int]) -> None:
        """Drop episodes of evicted rows."""
        for row in rows:
            self.open.pop(row, None)

    def _raw(self, row: int, y: float) -> float:
        rows = self.roster.rows
        x = unshaped(int(rows["shape"][row]), float(rows["offset"][row]), y)
        return _short(float(rows["top"][row]) - x if rows["inverted"][row] else x)

    def _sample(self, row: int) -> tuple[tuple[int, float], ...]:
        times = self.roster.rows["trail_ts"][row]
        values = self.roster.rows["trail"][row]
        return tuple(
            (int(times[k]), self._raw(row, float(values[k]))) for k in times.argsort() if times[k] != NEVER
        )


def _short(x: float) -> float:
    """Round to six significant digits: float32 state holds seven."""
    return float(f"{x:.6g}")


def _signal(series: Series, family: Family) -> Signal:
    return Signal(
        source="log"
        if family in (Family.LOG, Family.FLOW)
        else "edge"
        if series.peer is not None
        else "metric",
        metric=series.metric,
        family=family,
        # The rate of a counter is in its unit per second.
        unit=f"{series.unit or '1'}/s" if series.kind is Kind.COUNTER else series.unit,
        instance=series.instance,
        version=series.version,
        peer=series.peer,
        labels=series.labels,
    )

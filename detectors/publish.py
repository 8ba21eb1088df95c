"""From judged samples to anomalies: what is said of an episode, and in which words."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite, log10
from typing import Literal

from detectors.anomaly import AGAINST, Anomaly, Family, Signal, anomaly_id
from detectors.episode import PUBLISH
from detectors.grid import SLOT_MS
from detectors.residual import unshaped
from detectors.roster import Roster
from detectors.stamps import age_of
from detectors.telemetry import Kind, Series
from detectors.widening import Widening, surplus

DEFAULT_BUDGET = 0.25
"""False episodes per series and week at which scores are published as they are."""
LOAD_FRESH_INTERVALS = 3.2
"""Intervals after which a count of requests no longer describes the same minute; as `grid.MAX_GAP`."""


class Publisher:
    """Keeps the newest word on each open episode of a domain and closes those that fell silent.

    Parameters
    ----------
    budgets
        False episodes per series and week that a user pays for, by `Signal.source`. Of a tenth of the default
        budget a score must be ten times as rare to count as much: one is taken off.
    widening
        Whose scales are wider, and how much.
    """

    SILENT_INTERVALS = 5
    """Intervals without a sample after which an open episode is closed: nobody knows how it went on."""

    def __init__(
        self,
        domain: str,
        roster: Roster,
        budgets: Mapping[str, float] | None = None,
        widening: Widening | None = None,
    ) -> None:
        self.domain = domain
        self.roster = roster
        self.dearer = {source: log10(DEFAULT_BUDGET / each) for source, each in (budgets or {}).items()}
        """Powers of ten that are taken off each score; negative where the budget is larger."""
        self.open: dict[int, Anomaly] = {}
        self._widening = widening or Widening()

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
        series, meaning = self.roster.series_of(row), self.roster.meaning_of(row)
        if series is None or meaning is None:
            return None
        crowd = log10(int(self.roster.crowd[row]))
        source = _source(series, meaning.family)
        known = self.open.get(row)
        first_ms = known.first_ms if known else ts_ms - int(age_of(ts_ms, int(rows["first_ts"][row])))
        factor = 1.0 if AGAINST in series.labels else self._widening.factor(series.service, first_ms, ts_ms)
        if factor > 1.0 and lasting > 0:
            lasting -= self._surplus(row, abs(y - expected) / scale, factor, ts_ms)
        score = max(lasting - crowd - self.dearer.get(source, 0.0), 0.0) if lasting > 0 else 0.0
        if known is None and (close or score < PUBLISH):
            return None
        onset_ms = known.onset_ms if known else ts_ms - int(age_of(ts_ms, int(rows["onset_ts"][row])))
        signal = known.signal if known else _signal(series, meaning.family, self.roster.unit_of(row))
        shape, offset, _, _ = self._form(row)
        base = unshaped(shape, offset, expected)
        interval = max(int(rows["interval"][row]), 1)
        anomaly = Anomaly(
            id=known.id if known else anomaly_id(self.domain, series.service, signal, first_ms),
            domain=self.domain,
            service=series.service,
            signal=signal,
            status="closed" if close else "open",
            first_ms=first_ms,
            onset_ms=onset_ms,
            onset_uncertainty_ms=int(rows["onset_half"][row]),
            ts_ms=ts_ms,
            interval_ms=interval,
            direction="up" if rows["sign"][row] > 0 else "down",
            score=round(score, 3),
            peak_score=round(max(score, known.peak_score if known else 0.0), 3),
            observed=self._raw(row, y),
            expected=self._raw(row, expected),
            scale=_short(abs(unshaped(shape, offset, expected + factor * scale) - base)),
            sample=self.sample(row, ts_ms),
            exemplar=exemplar or (known.exemplar if known else None),
            load_ratio=self._load_ratio(row, ts_ms),
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

    def _surplus(self, row: int, a: float, factor: float, ts_ms: int) -> float:
        rows, pools = self.roster.rows, self.roster.pools
        p, slot_ms = int(rows["pool"][row]), max(int(rows["interval"][row]), SLOT_MS)
        return surplus(
            rows, row, a, factor, float(pools.threshold[p]), float(pools.excess[p]), ts_ms, slot_ms
        )

    def _load_ratio(self, row: int, ts_ms: int) -> float | None:
        """Return the requests behind a row over what is usual for them."""
        rows = self.roster.rows
        load = int(rows["load_row"][row])
        if load < 0 or load == row or self.roster.silent_for(load, ts_ms) > LOAD_FRESH_INTERVALS:
            return None
        now, usual = float(rows["last_value"][load]), self._raw(load, float(rows["median"][load]))
        return _short(now / usual) if isfinite(now) and usual > 0 else None

    def _form(self, row: int) -> tuple[int, float, bool, float]:
        """Return shape, offset, whether inverted, and at what."""
        pools, p = self.roster.pools, int(self.roster.rows["pool"][row])
        return int(pools.shape[p]), float(pools.offset[p]), bool(pools.inverted[p]), float(pools.top[p])

    def _raw(self, row: int, y: float) -> float:
        shape, offset, inverted, top = self._form(row)
        x = unshaped(shape, offset, y)
        return _short(top - x if inverted else x)

    def sample(self, row: int, ts_ms: int) -> tuple[tuple[int, float], ...]:
        """Return the newest samples of a row, as of `ts_ms`, oldest first."""
        stamps = self.roster.rows["trail_ts"][row].tolist()
        values = self.roster.rows["trail"][row].tolist()
        seen = [(ts_ms - int(age_of(ts_ms, t)), y) for t, y in zip(stamps, values, strict=True) if t]
        return tuple((t, self._raw(row, y)) for t, y in sorted(seen))


def _short(x: float) -> float:
    """Round to six significant digits: float32 state holds seven."""
    return float(f"{x:.6g}")


def _source(series: Series, family: Family) -> Literal["metric", "edge", "log"]:
    return "log" if family is Family.LOG else "edge" if series.peer is not None else "metric"


def _signal(series: Series, family: Family, unit: str | None) -> Signal:
    return Signal(
        source=_source(series, family),
        metric=series.metric,
        family=family,
        # The rate of a counter is in its unit per second.
        unit=f"{unit or '1'}/s" if series.kind is Kind.COUNTER else unit,
        instance=series.instance,
        version=series.version,
        peer=series.peer,
        labels=series.labels,
    )

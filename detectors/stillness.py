"""A series that always moves and now stands still: its exporter or sensor is stuck, and it measures nothing.

A level cannot tell: the last value is as ordinary as it was. What tells is that a series which hardly ever
repeats itself is exactly equal for longer than it ever was.
"""

from __future__ import annotations

from math import log10
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.anomaly import Anomaly, Family, Signal, anomaly_id
from detectors.compiled import compiled
from detectors.grid import SLOT_MS
from detectors.publish import Publisher
from detectors.roster import Roster, order_key
from detectors.stamps import age_of, stamp_of
from detectors.telemetry import Series

STILL = np.dtype([("last", "f4"), ("since", "u4"), ("repeat", "f4"), ("longest", "u2"), ("run", "u2")])
"""Of one series: its last value, when it took it, the share of values it repeated, and runs of repeats."""
PACE = 0.02
RARE = 0.02
"""Share of values that were repeated, up to which a series hardly ever repeats itself. All begin at 1: at
this pace one that moves every time is trusted after 200 samples, and 35 after a repeat."""
LEAST = 10
"""Repeats that are news. Of 850,000 samples of four quiet recordings 3 were the eighth equal one."""
LEAST_MS = 300_000
LONGER = 3
"""Repeats that a run must be longer than the longest so far."""
LIVE_INTERVALS = 3
"""Intervals without a sample, and at least a minute, after which nobody knows whether it still stands."""
SUREST = 1e-3
MOST = 6.0
BY_REQUESTS = frozenset(
    {Family.LATENCY, Family.CLIENT_LATENCY, Family.OWN_TIME, Family.GAP, Family.ERROR, Family.SATURATION}
)
"""A quantile keeps its last value while nobody asks: without requests it may stand."""
COUNTER = 1


class Stillness:
    """Watches which series stand still; asked once a minute of event time.

    One series speaks for all that stand at one instance of a service: an exporter that is stuck is one fault.
    """

    def __init__(self, domain: str, roster: Roster, publisher: Publisher) -> None:
        self.domain = domain
        self._roster = roster
        self._publisher = publisher
        self._rows = blank(256)
        self._open: dict[int, Anomaly] = {}

    def learn(self, row: NDArray[np.int32], ts_ms: NDArray[np.int64], value: NDArray[np.float64]) -> None:
        """Take emitted samples, those of one time and series next to each other."""
        if self._roster.used > len(self._rows):
            more = len(self._roster.rows) - len(self._rows)
            self._rows = np.concatenate([self._rows, blank(more)])
        note(self._rows, row, ts_ms, value)

    def forget(self, rows: list[int]) -> None:
        """Drop what is known of evicted rows."""
        for row in rows:
            self._open.pop(row, None)
            if row < len(self._rows):
                self._rows[row : row + 1] = blank(1)

    def check(self, now: int) -> list[Anomaly]:
        """Return what is to be said about series that stand still, and closings of those that move again."""
        stuck = self._stuck(now)
        said = [self._say(row, score) for row, score in stuck.items() if row in self._open]
        for row in [each for each in self._open if each not in stuck]:
            closed = {"status": "closed", "ts_ms": now, "score": 0.0}
            said.append(self._open.pop(row).model_copy(update=closed))
        spoken = {_place(self._series(row)) for row in self._open}
        for row in sorted(stuck.keys() - self._open.keys(), key=lambda each: order_key(self._series(each))):
            place = _place(self._series(row))
            if place not in spoken:
                spoken.add(place)
                said.append(self._say(row, stuck[row]))
        return said

    def _stuck(self, now: int) -> dict[int, float]:
        """Return rows that stand still for longer than they ever did, and how rare that is."""
        roster, mine = self._roster, self._rows
        rows, pools = roster.rows, roster.pools
        run = mine["run"]
        long = (run >= LEAST) & (run.astype(np.int64) >= mine["longest"].astype(np.int64) + LONGER)
        # At 0 nothing happens, which may last.
        found = np.flatnonzero(long & (mine["repeat"] <= RARE) & (mine["last"] != 0))
        found = found[found < roster.used]
        interval = np.maximum(rows["interval"][found], 1000).astype(np.int64)
        last = rows["last_ts"][found]
        fresh = (now - last <= np.maximum(LIVE_INTERVALS * interval, SLOT_MS)) & (
            pools.kind[rows["pool"][found]] != COUNTER
        )
        stuck: dict[int, float] = {}
        for row in found[fresh].tolist():
            since = int(age_of(int(rows["last_ts"][row]), int(mine["since"][row])))
            if since < LEAST_MS or not self._has_cause_to_move(row):
                continue
            beyond = int(run[row]) - int(mine["longest"][row])
            rare = min(-log10(float(mine["repeat"][row]) + SUREST) * beyond, MOST)
            score = (
                rare
                - log10(int(roster.crowd[row]))
                - self._publisher.dearer.get(_source(self._series(row)), 0.0)
            )
            if score > 0:
                stuck[row] = round(score, 3)
        return stuck

    def _has_cause_to_move(self, row: int) -> bool:
        meaning = self._roster.meaning_of(row)
        if meaning is None or meaning.family not in BY_REQUESTS:
            return meaning is not None
        load = int(self._roster.rows["load_row"][row])
        return load >= 0 and bool(self._roster.rows["last_value"][load] > 0)

    def _say(self, row: int, score: float) -> Anomaly:
        rows, mine = self._roster.rows, self._rows
        series, known = self._series(row), self._open.get(row)
        ts_ms, interval = int(rows["last_ts"][row]), max(int(rows["interval"][row]), 1)
        onset_ms = known.onset_ms if known else ts_ms - int(age_of(ts_ms, int(mine["since"][row])))
        first_ms = known.first_ms if known else ts_ms
        signal = Signal(
            source=_source(series),
            metric=series.metric,
            family=Family.FROZEN,
            unit="s",
            instance=series.instance,
            version=series.version,
            peer=series.peer,
            labels=series.labels,
        )
        self._open[row] = Anomaly(
            id=known.id if known else anomaly_id(self.domain, series.service, signal, first_ms),
            domain=self.domain,
            service=series.service,
            signal=signal,
            first_ms=first_ms,
            onset_ms=onset_ms,
            onset_uncertainty_ms=interval // 2,
            ts_ms=ts_ms,
            interval_ms=interval,
            direction="up",
            score=score,
            peak_score=max(score, known.peak_score if known else 0.0),
            observed=(ts_ms - onset_ms) / 1000,
            expected=int(mine["longest"][row]) * interval / 1000,
            scale=interval / 1000,
            sample=self._publisher.sample(row, ts_ms),
            member="still",
        )
        return self._open[row]

    def _series(self, row: int) -> Series:
        series = self._roster.series_of(row)
        assert series is not None  # noqa: S101 - rows that were freed are blank
        return series

    def dump(self) -> tuple[NDArray[np.uint8], list[Any]]:
        """Return what is known of the series, and what is open, JSON-able."""
        self.learn(*_NOTHING)
        rows = self._rows[: self._roster.used].view(np.uint8)
        return rows, [[row, each.model_dump(mode="json")] for row, each in self._open.items()]

    def restore(self, rows: NDArray[np.void], opened: list[Any]) -> None:
        """Take back what `dump` returned."""
        self._rows = rows.copy()
        self._open = {row: Anomaly.model_validate(each) for row, each in opened}


_NOTHING = np.empty(0, np.int32), np.empty(0, np.int64), np.empty(0)


def blank(count: int) -> NDArray[np.void]:
    """Return records of `count` series of which nothing is known."""
    rows = np.zeros(count, STILL)
    rows["last"] = np.nan
    rows["repeat"] = 1.0
    return rows


def _place(series: Series) -> tuple[str, str, str]:
    return series.service, series.instance or "", series.peer or ""


def _source(series: Series) -> str:
    return "metric" if series.peer is None else "edge"


@compiled
def note(rows: np.ndarray, number: np.ndarray, ts_ms: np.ndarray, value: np.ndarray) -> None:
    """Note for each sample whether its series moved; those of one time and series next to each other."""
    for i in range(len(number)):
        x = value[i]
        if not np.isfinite(x):
            continue
        if i > 0 and number[i] == number[i - 1] and ts_ms[i] == ts_ms[i - 1]:
            continue
        row = rows[number[i]]
        y = np.float32(x)
        if y == row.last:
            row.run = min(np.int64(row.run) + 1, 65535)
        else:
            row.repeat += PACE * ((1.0 if row.run > 0 else 0.0) - row.repeat)
            row.longest = max(row.longest, row.run)
            row.run = 0
            row.last = y
            row.since = stamp_of(ts_ms[i])

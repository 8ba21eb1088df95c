"""What scorers of BARO's kind read: a column a service and metric, around one fault.

Pure: samples in, a table out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.telemetry import Kind
from streams.recording import Samples

NORMAL_MS = 3_600_000
"""What counts as normal. Of intervals that were observed: where the recording has just begun, its history's
last ones stand in, as headwater too is shown the history."""


@dataclass(frozen=True, slots=True)
class Table:
    """Values of all columns, one row an interval, around one fault.

    Attributes
    ----------
    services
        Column name (`service_metric`) → its service.
    rows
        Intervals counted from the start of the fault: the anomalous ones from 0 on.
    values : float64[rows, columns], NaN where nothing was sampled
    """

    services: dict[str, str]
    rows: NDArray[np.int64]
    values: NDArray[np.float64]

    def judged(self, ranked: list[str]) -> list[str]:
        """Services in the order in which ranked columns first name them."""
        return list(dict.fromkeys(self.services[column] for column in ranked))

    def message(self) -> dict[str, Any]:
        """What `cause_baro.py` reads."""
        return {"columns": list(self.services), "time": self.rows, "values": self.values}


def rates(samples: Samples) -> Samples:
    """The same samples with counters as rates per second; a first sample and a reset say nothing."""
    counter = np.array([series.kind is Kind.COUNTER for series in samples.series])[samples.index]
    order = np.lexsort((samples.ts_ms, samples.index))
    ts_ms, index, value = samples.ts_ms[order], samples.index[order], samples.value[order]
    counter = counter[order]
    step_s = np.diff(ts_ms, prepend=ts_ms[:1]) / 1000
    grown = np.diff(value, prepend=value[:1])
    known = (np.diff(index, prepend=-1) == 0) & (grown >= 0) & (step_s > 0)
    rate = np.divide(grown, step_s, out=np.full(len(value), np.nan), where=known)
    value = np.where(counter, rate, value)
    kept = ~np.isnan(value)
    ts_ms, index, value = ts_ms[kept], index[kept], value[kept]
    order = np.argsort(ts_ms, kind="stable")
    return Samples(samples.series, ts_ms[order], index[order], value[order])


def table(samples: Samples, start_ms: int, interval_ms: int, patience_ms: int) -> Table:
    """The last hour observed before `start_ms` and the `patience_ms` from it on, a row an interval.

    Instances of a service are joined: what they count (counters' rates, deltas) is added, the rest averaged.

    Parameters
    ----------
    samples
        With counters as rates already, see `rates`.
    """
    stop = int(np.searchsorted(samples.ts_ms, start_ms + patience_ms, side="right"))
    row = (samples.ts_ms[:stop] - start_ms) // interval_ms
    seen = np.unique(row)
    rows = np.concatenate((seen[seen < 0][-(NORMAL_MS // interval_ms) :], seen[seen >= 0]))
    first = int(np.searchsorted(row, rows[0])) if len(rows) else stop
    place = np.searchsorted(rows, row[first:])
    width = len(samples.series)
    cell = place * width + samples.index[first:stop]
    counts = np.bincount(cell, minlength=len(rows) * width).reshape(len(rows), width)
    sums = np.bincount(cell, samples.value[first:stop], minlength=len(rows) * width).reshape(len(rows), width)
    return _joined(samples, rows, np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0))


def _joined(samples: Samples, rows: NDArray[np.int64], means: NDArray[np.float64]) -> Table:
    members: dict[str, list[int]] = {}
    for number, series in enumerate(samples.series):
        members.setdefault(f"{series.service}_{series.metric}", []).append(number)
    values = np.full((len(rows), len(members)), np.nan)
    for column, numbers in enumerate(members.values()):
        mine = means[:, numbers]
        present = ~np.isnan(mine)
        counted = present.sum(axis=1)
        shared = counted if samples.series[numbers[0]].kind is Kind.GAUGE else counted > 0
        np.divide(np.nansum(mine, axis=1), shared, out=values[:, column], where=counted > 0)
    return Table({name: samples.series[n[0]].service for name, n in members.items()}, rows, values)

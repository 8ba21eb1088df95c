"""New against old at the same time: while two versions of a service run, their instances are compared.

Load, time of day and neighbours are the same for both, so what differs is the version (the comparison of
canary analysis). The expected difference is none, the yardstick the spread of the old instances; what lasts
for half an hour becomes the known difference.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from detectors.anomaly import AGAINST, Family
from detectors.family import Shape
from detectors.groups import group_of
from detectors.residual import shaped
from detectors.roster import Roster
from detectors.rows import WINDOW
from detectors.telemetry import Kind, Series

WARM_UP_MS = 120_000
"""A new process compiles, fills caches and opens connections: what it does in two minutes is no verdict."""
COMPARED = frozenset(
    {Family.CPU, Family.MEMORY, Family.SATURATION, Family.ERROR, Family.LATENCY, Family.OWN_TIME}
    | {Family.CLIENT_LATENCY}
)
"""Demand differs by design: a canary gets a share of it."""


class Contrast(NamedTuple):
    """One comparison: the series it is a sample of, the sample, and what its row starts from."""

    series: Series
    ts_ms: int
    value: float
    """Ratio of new to old for what varies in proportion, else the difference in the metric's unit."""
    is_ratio: bool
    scale: float
    interval_ms: int


def contrast(roster: Roster, row: int, living: list[int], now: int) -> Contrast | None:
    """Compare the youngest version's instances with all others of a crowded group."""
    series, meaning = roster.series_of(row), roster.meaning_of(row)
    if series is None or meaning is None or meaning.family not in COMPARED:
        return None
    by_version: dict[str, list[int]] = {}
    for each in living:
        other = roster.series_of(each)
        if other is not None and other.version:
            by_version.setdefault(other.version, []).append(each)
    if len(by_version) < 2:
        return None
    born = {version: int(roster.born[rows].min()) for version, rows in by_version.items()}
    new = max(born, key=lambda version: (born[version], version))
    if now - born[new] < WARM_UP_MS or sorted(born.values())[-2] == born[new]:
        return None
    rows = roster.rows
    old = [each for version, members in by_version.items() if version != new for each in members]
    mine, its = _level(roster, by_version[new]), _level(roster, old)
    if mine is None or its is None:
        return None
    pools, p = roster.pools, int(rows["pool"][row])
    usual = np.maximum(rows["iqr"][old], pools.floor[p])
    usual = np.maximum(usual, pools.relative_floor[p] * np.abs(rows["median"][old]))
    pooled = float(pools.scale[p])
    is_ratio = meaning.shape is Shape.LOG
    others = "+".join(sorted(set(by_version) - {new}))
    identity = group_of(series)._replace(
        version=new,
        kind=Kind.GAUGE,
        unit="1" if is_ratio else _unit(series),
        labels=",".join(filter(None, (series.labels, AGAINST + others))),
    )
    return Contrast(
        identity,
        now,
        math.exp(min(mine - its, 60.0)) if is_ratio else mine - its,
        is_ratio,
        max(float(np.nanmedian(usual)), pooled, 1e-9),
        int(np.median(rows["interval"][living])),
    )


def prepare(roster: Roster, found: Contrast) -> None:
    """Give a new comparison its baseline: no difference."""
    rows = roster.rows
    row = roster.row(found.series)
    pools, p = roster.pools, int(rows["pool"][row])
    pools.shape[p] = Shape.LOG if found.is_ratio else Shape.LINEAR
    for column in (pools.offset, pools.floor, pools.relative_floor, pools.inverted, pools.volume):
        column[p] = 0
    for name in ("median", "iqr"):
        rows[name][row] = 0
    rows["load_row"][row] = -1
    rows["floor"][row] = found.scale
    rows["interval"][row] = found.interval_ms
    rows["ring"][row, :WINDOW] = 0
    rows["quartile"][row] = 0
    rows["filled"][row] = WINDOW


def _level(roster: Roster, members: list[int]) -> float | None:
    rows, pools = roster.rows, roster.pools
    p = int(rows["pool"][members[0]])
    values = [
        shaped(int(pools.shape[p]), float(pools.offset[p]), float(rows["last_value"][each]))
        for each in members
        if math.isfinite(rows["last_value"][each])
    ]
    return sum(values) / len(values) if values else None


def _unit(series: Series) -> str | None:
    return f"{series.unit or '1'}/s" if series.kind is Kind.COUNTER else series.unit

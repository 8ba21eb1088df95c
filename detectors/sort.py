"""What follows from a series' metric, unit, kind and labels: its pool, and what it is to other series."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.anomaly import Family
from detectors.classify import classify, sums_time
from detectors.family import LOG_LINES, Meaning, Reading, Shape, Volume, is_log, is_template
from detectors.pools import Pools, allocate_pools
from detectors.telemetry import Kind, Series

_KIND = {Kind.GAUGE: 0, Kind.COUNTER: 1, Kind.DELTA: 2}
_BY_REQUESTS = frozenset({Family.ERROR, Family.CPU, Family.MEMORY, Family.SATURATION, Family.IO})
"""Families that requests drive: failures are divided by them, and use is told apart from load."""


class Sort(NamedTuple):
    """What follows from a series' metric, unit, kind and labels, and from whether it is an edge's."""

    pool: int
    is_load: bool
    counts_failures: bool
    sums_time: bool
    is_read: bool
    is_log: bool
    is_template: bool
    is_count: bool
    """Whether it may stand beside a sum."""
    is_thirsty: bool
    """Whether requests drive it."""


def columns(sorts: list[Sort], of_row: NDArray[np.int32]) -> dict[str, NDArray[Any]]:
    """Return the fields of many rows' sorts; `of_row` says which sort each has."""
    return {
        name: np.array(each)[of_row]
        for name, each in zip(Sort._fields, zip(*sorts, strict=True), strict=True)
    }


class Sorts:
    """Knows the sort of every series, and numbers pools in order of first sight."""

    def __init__(self) -> None:
        self.pools: Pools = allocate_pools(64)
        self._pool: dict[tuple[str, ...], int] = {}
        self._meaning: list[Meaning | None] = []
        """By pool; None until the first series of a restored one is looked at."""
        self._known: dict[tuple[Any, ...], Sort] = {}

    @property
    def keys(self) -> list[tuple[str, ...]]:
        """What the pools are, in the order of their numbers."""
        return list(self._pool)

    def restore(self, keys: Iterable[Iterable[str]]) -> None:
        """Take over the numbers of `keys`; what the pools have learned is handed over apart."""
        self._pool = {tuple(key): number for number, key in enumerate(keys)}
        self._meaning = [None] * len(self._pool)

    def meaning(self, pool: int) -> Meaning | None:
        """Return what the series of a pool measure; None below 0, and until one of them was looked at."""
        return self._meaning[pool] if pool >= 0 else None

    def of(self, series: Series) -> Sort:
        """Return the sort of a series; the first one of a metric opens its pool."""
        sort_key = series.metric, series.unit, series.kind, series.labels, series.peer is not None
        found = self._known.get(sort_key)
        if found is not None:
            return found
        key = _pool_key(series)
        meaning = self.meaning(self._pool.get(key, -1)) or classify(series)
        pool = self._pool_of(key, series.kind, meaning)
        self._meaning[pool] = meaning
        found = Sort(
            pool=pool,
            is_load=meaning.family is Family.LOAD or series.metric == LOG_LINES,
            counts_failures=meaning.family is Family.ERROR and meaning.shape is Shape.COUNT,
            sums_time=sums_time(series),
            is_read=meaning.reading is not Reading.NONE,
            is_log=is_log(series),
            is_template=is_template(series),
            is_count=series.metric.lower().endswith("count"),
            is_thirsty=meaning.volume is not Volume.NONE or meaning.family in _BY_REQUESTS,
        )
        if not found.is_template:  # there is one for each text
            self._known[sort_key] = found
        return found

    def _pool_of(self, key: tuple[str, ...], kind: Kind, meaning: Meaning) -> int:
        number = self._pool.get(key, -1)
        if number >= 0:
            return number
        number = self._pool[key] = len(self._pool)
        self._meaning.append(meaning)
        if number >= len(self.pools.scale):
            larger = allocate_pools(2 * number)
            for name, old in self.pools._asdict().items():
                getattr(larger, name)[: len(old)] = old
            self.pools = larger
        pools = self.pools
        pools.kind[number] = _KIND[kind]
        pools.shape[number], pools.volume[number] = meaning.shape, meaning.volume
        pools.offset[number], pools.top[number] = meaning.offset, meaning.top
        pools.floor[number], pools.relative_floor[number] = meaning.floor, meaning.relative_floor
        pools.inverted[number], pools.load_is_rate[number] = meaning.inverted, meaning.load_is_rate
        pools.reading[number] = meaning.reading
        return number


def _pool_key(series: Series) -> tuple[str, ...]:
    """Return all that `classify` looks at, so that the mathematics belongs to the pool."""
    metric = "log template" if is_template(series) else series.metric
    return metric, series.unit or "", series.kind, series.labels, str(series.peer is not None)

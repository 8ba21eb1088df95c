"""Which row serves which series, who its siblings are, and whose requests stand behind its values."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from detectors.anomaly import Family
from detectors.bank import Pools, allocate_pools, refresh
from detectors.family import (
    LOG_LINES,
    Meaning,
    Reading,
    Shape,
    Volume,
    classify,
    is_log,
    is_template,
    sums_time,
)
from detectors.family import unit_of as stated_unit
from detectors.reading import read_baselines, read_values, unit_read
from detectors.rows import BLANK, NEVER, ROW, Rows, allocate, inherit, reset, step_from
from detectors.telemetry import Catalog, Kind, Series

_KIND = {Kind.GAUGE: 0, Kind.COUNTER: 1, Kind.DELTA: 2}
LIVE_INTERVALS = 5
"""Intervals without a sample after which an instance no longer counts as one of several."""

_BY_REQUESTS = frozenset({Family.ERROR, Family.CPU, Family.MEMORY, Family.SATURATION, Family.IO})
"""Families that requests drive: failures are divided by them, and use is told apart from load."""

UNKNOWN, NO_WHOLE = -1, -2

_EVICT_SHARE = 16
"""A sixteenth of the rows is freed at once, so that the search for the idlest is rare."""


def order_key(series: Series) -> tuple[str, ...]:
    """Order series by what they are, not by when they were first seen."""
    return tuple("" if part is None else str(part) for part in series)


def group_of(series: Series) -> Series:
    """Return the identity above the instance: what survives a rollout."""
    if is_template(series):
        # Many templates of a service are as many chances to be wrong as many instances are.
        return Series(series.service, "log template")
    service, metric, _, peer, unit, kind, _, labels = series
    return Series(service, metric, None, peer, unit, kind, None, labels)


def _pool_key(series: Series) -> tuple[str, ...]:
    """Return all that `classify` looks at, so that the mathematics belongs to the pool."""
    metric = "log template" if is_template(series) else series.metric
    return metric, series.unit or "", series.kind, series.labels, str(series.peer is not None)


def _place(series: Series) -> tuple[str, str | None]:
    """Return where requests are counted: at the service, on the edge, or in the service's log."""
    return series.service, LOG_LINES if is_log(series) else series.peer


class Roster:
    """Assigns rows to series in a canonical order and keeps the relations between them."""

    def __init__(self, max_series: int, catalog: Catalog) -> None:
        self.max_series = max_series
        self.catalog = catalog
        self.row_of = np.empty(0, np.int32)
        """Catalog number to row, -1 where the series has none; as long as the catalog was when last asked."""
        self.rows: Rows = allocate(256)
        self.pools: Pools = allocate_pools(64)
        self.used = 0
        self.evicted = 0
        self.refused = 0
        """Series that came when no row could be freed for them."""
        self.series: list[Series | None] = []
        self.meaning: list[Meaning | None] = []
        self.derived: set[int] = set()
        """Rows of series that nobody emits."""
        self._uncataloged: dict[Series, int] = {}
        """Rows of series that had no number when they came: those that nobody emits, and counts of lines."""
        self.free: list[int] = []
        self._pool: dict[tuple[str, ...], int] = {}
        self._meaning_of_pool: dict[tuple[str, ...], Meaning] = {}
        self._of_group: list[array[int]] = []
        """Rows of each group, four bytes each: a million lists of numbers would be a tenth of a gigabyte."""
        self._loads: dict[tuple[str, str | None], list[int]] = {}
        self._thirsty: dict[tuple[str, str | None], list[int]] = {}
        self._dirty: set[tuple[str, str | None]] = set()
        self.is_load = np.zeros(256, np.int8)
        self.counts_failures = np.zeros(256, np.bool_)
        self.sums_time = np.zeros(256, np.bool_)
        """Rows of sums of durations, which are a latency only beside the number of what lasted."""
        self._counts: dict[Series, int] = {}
        self.is_read = np.zeros(256, np.bool_)
        """Rows whose values have to tell what neither unit nor name does."""
        self.crowd = np.ones(256, np.int32)
        """Living instances of the row's service and metric, as counted at the last refresh."""
        self.born = np.zeros(256, np.int64)
        """Tick in which a row's series was first seen."""
        self.services: list[str] = []
        self.speaker = np.full(256, -1, np.int32)
        """Number in `services` of the service that emits the row's metric; -1 for edges, logs and derived."""
        self._service_number: dict[str, int] = {}
        self._group_number: dict[Series, int] = {}
        self.group_series: list[Series] = []
        self.whole_of_group = np.full(256, UNKNOWN, np.int32)
        """Row of a group's instances taken together; UNKNOWN at first, NO_WHOLE where there is none."""
        self.is_mixed = np.zeros(256, np.bool_)
        """Groups of which two versions live, as seen at the last refresh."""
        self._version_number: dict[str, int] = {}
        self._version_of_row = np.zeros(256, np.int32)
        self._members: tuple[NDArray[np.int64], NDArray[np.int64]] | None = None
        self.group_of_row = np.full(256, -1, np.int32)

    def row(self, series: Series) -> int:
        """Return the row of a series, or -1."""
        number = self.catalog.number_of(series)
        if number is not None and number < len(self.row_of) and self.row_of[number] >= 0:
            return int(self.row_of[number])
        return self._uncataloged.get(series, -1)

    def follow_catalog(self) -> None:
        """Make room in `row_of` for what the catalog has got."""
        missing = len(self.catalog) - len(self.row_of)
        if missing > 0:
            self.row_of = np.concatenate([self.row_of, np.full(missing, -1, dtype=np.int32)])

    def admit(self, newcomers: Iterable[Series], now: int, *, derived: bool = False) -> list[int]:
        """Give rows to series seen for the first time; return rows that were evicted to make room.

        A new instance inherits the baseline of the youngest living sibling of the same service and metric,
        so that a rollout does not blind the detector for an hour.
        """
        evicted: list[int] = []
        self.follow_catalog()
        for series in sorted(newcomers, key=order_key):
            if self.used - len(self.free) >= self.max_series:
                evicted += self._evict()
            if self.used - len(self.free) >= self.max_series:
                # All rows were given away in this very tick: there is nobody to evict.
                self.refused += 1
                continue
            row = self._next_row()
            self._enter(series, row)
            self.born[row] = now
            if derived:
                self.derived.add(row)
                self.speaker[row] = -1
            elder = self._elder(series, row)
            # A sum over instances is not like any of them.
            if elder >= 0 and not (derived and self.is_load[row]):
                inherit(self.rows, row, elder)
        self._link_all()
        return evicted

    @property
    def pool_keys(self) -> list[tuple[str, ...]]:
        """What the pools are, in the order of their numbers."""
        return list(self._pool)

    def restore(
        self,
        rows: Rows,
        series: Iterable[Series | None],
        pools: list[list[str]],
        free: list[int],
        derived: list[int],
    ) -> None:
        """Take over rows and rebuild the relations between them; `series` in the order of the rows."""
        self.rows = rows
        self._widen(len(rows))
        self._pool = {tuple(key): number for number, key in enumerate(pools)}
        self.follow_catalog()
        for each in series:
            row = self._next_row()
            if each is not None:
                self._enter(each, row)
        self._dirty.clear()
        self.free = list(free)
        self.derived = set(derived)
        self.speaker[derived] = -1

    def largest(self) -> tuple[str, str, int]:
        """Return the service and metric that have the most rows, and how many."""
        counted = Counter((each.service, each.metric) for each in self.series if each is not None)
        if not counted:
            return "", "", 0
        (service, metric), rows = min(counted.items(), key=lambda item: (-item[1], item[0]))
        return service, metric, rows

    def members(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return rows sorted by group, and where each group begins; rebuilt when rows were given or taken."""
        if self._members is None:
            group = self.group_of_row[: self.used]
            order = np.lexsort((np.arange(self.used), group)).astype(np.int64)
            begins = np.searchsorted(group[order], np.arange(len(self.group_series) + 1)).astype(np.int64)
            self._members = begins, order
        return self._members

    def settle_whole(self, group: int, whole: Series) -> bool:
        """Decide whether instances are taken together: not if the service emits the whole itself."""
        row = self.row(whole)
        pooled = row >= 0 and row in self.derived
        self.whole_of_group[group] = row if pooled else NO_WHOLE
        return pooled

    def refresh(self, now: int) -> None:
        """Bring up to date what rows know of each other: pools and crowds. Once a slot."""
        read_baselines(self.rows, self.pools, self.used)
        refresh(self.rows, self.pools, self.used, now)
        group = self.group_of_row[: self.used]
        rows = self.rows[: self.used]
        living = now - rows["last_ts"] <= LIVE_INTERVALS * np.maximum(rows["interval"], 1000)
        living &= group >= 0
        groups = len(self.group_series)
        count = np.bincount(group[living], minlength=groups + 1)
        self.crowd[: self.used] = np.where(group >= 0, np.maximum(count[group], 1), 1)
        version = self._version_of_row[: self.used]
        living &= version > 0
        lowest, highest = np.full(groups, 2**31 - 1), np.zeros(groups, np.int64)
        np.minimum.at(lowest, group[living], version[living])
        np.maximum.at(highest, group[living], version[living])
        self.is_mixed[:groups] = lowest < highest

    def count_beside(self, row: int) -> int:
        """Return the row that counts what a row sums up (`…_sum`, `…_count`), or -1."""
        series = self.series[row]
        if series is None:
            return -1
        stem, ending = series.metric[:-3], series.metric[-3:]
        name = stem + ("Count" if ending == "Sum" else "count")
        return self._counts.get(series._replace(metric=name, unit=None, version=None), -1)

    def read(self, row: NDArray[np.int32], value: NDArray[np.float64]) -> None:
        """Look at a tick's values for what their metrics leave open, before they are judged."""
        if (open_question := self.is_read[row]).any():
            read_values(self.rows, self.pools, row[open_question], value[open_question], self.used)

    def unit_of(self, row: int) -> str | None:
        """Return the unit of a row's values, as stated, named or read off; None where nothing tells."""
        series = self.series[row]
        stated = None if series is None else stated_unit(series)
        return stated or unit_read(self.pools, int(self.rows["pool"][row]))

    def _next_row(self) -> int:
        if self.free:
            return self.free.pop()
        row = self.used
        if row >= len(self.rows):
            # There are never more than `max_series`, unless a state of more has been restored.
            more = max(min(step_from(row), self.max_series - row), 1)
            self._make_room(row + more)
            self._widen(more)
        self.used += 1
        self.series.append(None)
        self.meaning.append(None)
        return row

    def _widen(self, more: int) -> None:
        self.is_load = np.concatenate([self.is_load, np.zeros(more, np.int8)])
        self.counts_failures = np.concatenate([self.counts_failures, np.zeros(more, np.bool_)])
        self.is_read = np.concatenate([self.is_read, np.zeros(more, np.bool_)])
        self.sums_time = np.concatenate([self.sums_time, np.zeros(more, np.bool_)])
        self.crowd = np.concatenate([self.crowd, np.ones(more, np.int32)])
        self.group_of_row = np.concatenate([self.group_of_row, np.full(more, -1, np.int32)])
        self.born = np.concatenate([self.born, np.zeros(more, np.int64)])
        self.speaker = np.concatenate([self.speaker, np.full(more, -1, np.int32)])
        self._version_of_row = np.concatenate([self._version_of_row, np.zeros(more, np.int32)])

    def _make_room(self, count: int) -> None:
        used = len(self.rows)
        try:
            # Large blocks are moved by the operating system, page by page: they are never held twice.
            self.rows.resize(count)
        except ValueError:
            # Somebody looks at the old ones.
            larger = np.empty(count, ROW)
            larger[:used] = self.rows
            self.rows = larger
        self.rows[used:] = BLANK

    def _enter(self, series: Series, row: int) -> None:
        self._members = None
        key = _pool_key(series)
        meaning = self._meaning_of_pool.get(key)
        if meaning is None:
            meaning = classify(series)
            if not is_log(series):  # all templates share a key
                # One object for a pool, and not one for each of a million series.
                self._meaning_of_pool[key] = meaning
        self.rows["pool"][row] = self._pool_of(key, series.kind, meaning)
        self.series[row] = series
        self.meaning[row] = meaning
        known = self.catalog.number_of(series)
        if known is None:
            self._uncataloged[series] = row
        else:
            self.row_of[known] = row
        if series.instance is not None or is_template(series):
            group = group_of(series)
            number = self._group_number.setdefault(group, len(self.group_series))
            if number == len(self.group_series):
                self.group_series.append(group)
                self._of_group.append(array("i"))
                if number >= len(self.whole_of_group):
                    more = np.full(number, UNKNOWN, np.int32)
                    self.whole_of_group = np.concatenate([self.whole_of_group, more])
                    self.is_mixed = np.concatenate([self.is_mixed, np.zeros(number, np.bool_)])
                self.whole_of_group[number] = NO_WHOLE if is_template(series) else UNKNOWN
            self._of_group[number].append(row)
            self.group_of_row[row] = number
            if series.version is not None:
                version = self._version_number.setdefault(series.version, len(self._version_number) + 1)
                self._version_of_row[row] = version
        if series.peer is None and not is_log(series):
            number = self._service_number.setdefault(series.service, len(self.services))
            if number == len(self.services):
                self.services.append(series.service)
            self.speaker[row] = number
        place = _place(series)
        self.is_load[row] = meaning.family is Family.LOAD or series.metric == LOG_LINES
        self.counts_failures[row] = meaning.family is Family.ERROR and meaning.shape is Shape.COUNT
        self.sums_time[row] = sums_time(series)
        if series.metric.lower().endswith("count"):
            self._counts[series._replace(unit=None, version=None)] = row
        self.is_read[row] = meaning.reading is not Reading.NONE
        if self.is_load[row]:
            self._loads.setdefault(place, []).append(row)
            self._dirty.add(place)
        if meaning.volume is not Volume.NONE or meaning.family in _BY_REQUESTS:
            self._thirsty.setdefault(place, []).append(row)
            self._dirty.add(place)

    def _pool_of(self, key: tuple[str, ...], kind: Kind, meaning: Meaning) -> int:
        number = self._pool.get(key, -1)
        if number >= 0:
            return number
        number = self._pool[key] = len(self._pool)
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

    def _elder(self, series: Series, row: int) -> int:
        rows = self.rows
        if is_template(series):
            return -1
        group = int(self.group_of_row[row])
        # The whole of a group begins like one of its instances.
        number = self._group_number.get(group_of(series), -1) if group < 0 else group
        kin = self._of_group[number] if number >= 0 else ()
        siblings = [other for other in kin if other != row and rows["filled"][other]]
        return max(siblings, key=lambda other: (int(rows["last_ts"][other]), -other), default=-1)

    def _link_all(self) -> None:
        """Point rows at the series that count the requests behind them, the same instance's if they can."""
        for place in self._dirty:
            ranked = sorted((self._rank(load), load) for load in self._loads.get(place, ()))
            nearest: dict[str | None, int] = {}
            for _, load in ranked:
                other = self.series[load]
                if other is not None:
                    nearest.setdefault(other.instance, load)
            anyone = nearest.get(None, ranked[0][1] if ranked else -1)
            for row in self._thirsty.get(place, ()):
                series = self.series[row]
                if series is not None:
                    self.rows["load_row"][row] = nearest.get(series.instance, anyone)
        self._dirty.clear()

    def _rank(self, load: int) -> int:
        meaning = self.meaning[load]
        return meaning.load_rank if meaning else 99

    def _evict(self) -> list[int]:
        seen = self.rows["last_ts"][: self.used] > NEVER
        seen[self.free] = False
        living = np.flatnonzero(seen)
        count = max(1, self.max_series // _EVICT_SHARE)
        idlest = living[np.lexsort((living, self.rows["last_ts"][living]))][:count]
        for row in map(int, idlest):
            series = self.series[row]
            if series is None:
                continue
            self._uncataloged.pop(series, None)
            known = self.catalog.number_of(series)
            if known is not None:
                self.row_of[known] = -1
            if self.group_of_row[row] >= 0:
                self._of_group[int(self.group_of_row[row])].remove(row)
            self.derived.discard(row)
            self.whole_of_group[self.whole_of_group == row] = UNKNOWN
            self._members = None
            place = _place(series)
            for relation in (self._loads, self._thirsty):
                if row in relation.get(place, ()):
                    relation[place].remove(row)
            self.series[row] = self.meaning[row] = None
            self.is_load[row] = 0
            self.counts_failures[row] = self.is_read[row] = self.sums_time[row] = False
            self._counts.pop(series._replace(unit=None, version=None), None)
            self.crowd[row] = 1
            self.group_of_row[row] = self.speaker[row] = -1
            self._version_of_row[row] = 0
            reset(self.rows, row)
            self.free.append(row)
            self._dirty.add(place)
        self.evicted += len(idlest)
        return [int(row) for row in idlest]

    def silent_for(self, row: int, now: int) -> float:
        """Return the number of intervals since the row's last sample."""
        last = int(self.rows["last_ts"][row])
        return float("inf") if last == NEVER else (now - last) / max(int(self.rows["interval"][row]), 1000)

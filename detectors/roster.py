"""Which row serves which series, who its siblings are, and whose requests stand behind its values."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.anomaly import Family
from detectors.bank import Pools, allocate_pools, refresh
from detectors.catalog import Catalog, Table
from detectors.dense import by_first_sight, joint, parted
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
from detectors.naming import Numbers, unpacked
from detectors.reading import read_baselines, read_values, unit_read
from detectors.rows import BLANK, NEVER, ROW, Rows, allocate, inherit, reset, step_from
from detectors.telemetry import Kind, Series

_KIND = {Kind.GAUGE: 0, Kind.COUNTER: 1, Kind.DELTA: 2}
LIVE_INTERVALS = 5
"""Intervals without a sample after which an instance no longer counts as one of several."""

_BY_REQUESTS = frozenset({Family.ERROR, Family.CPU, Family.MEMORY, Family.SATURATION, Family.IO})
"""Families that requests drive: failures are divided by them, and use is told apart from load."""

UNKNOWN, NO_WHOLE = -1, -2

_PEER, _VERSION = map(Series._fields.index, ("peer", "version"))
_OF_A_ROW = {
    **dict.fromkeys(("is_load", "counts_failures", "sums_time", "is_read", "born", "_version_of_row"), 0),
    **dict.fromkeys(("_number_of_row", "speaker", "group_of_row"), -1),
    "crowd": 1,
}
"""Columns of the roster that are as long as its rows, and what they hold of a row without a series."""

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


def _columns(sorts: list[Sort], of_row: NDArray[np.int32]) -> dict[str, NDArray[Any]]:
    """Return the fields of many rows' sorts; `of_row` says which sort each has."""
    return {
        name: np.array(each)[of_row]
        for name, each in zip(Sort._fields, zip(*sorts, strict=True), strict=True)
    }


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
        self._number_of_row = np.full(256, -1, np.int32)
        """Row to catalog number; -1 where the series is in `_own`, or there is none."""
        self._own: dict[int, Series] = {}
        """Series of the rows that had no catalog number when they came, as in `_uncataloged`."""
        self._meaning: list[Meaning | None] = []
        """By pool; None until the first series of a restored one is looked at."""
        self._sorts: dict[tuple[Any, ...], Sort] = {}
        self.derived: set[int] = set()
        """Rows of series that nobody emits."""
        self._uncataloged: dict[Series, int] = {}
        """Rows of series that had no number when they came: those that nobody emits, and counts of lines."""
        self.free: list[int] = []
        self._pool: dict[tuple[str, ...], int] = {}
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

    def series_of(self, row: int) -> Series | None:
        """Return the series of a row; None for a row that was freed."""
        number = int(self._number_of_row[row])
        return self.catalog[number] if number >= 0 else self._own.get(row)

    def meaning_of(self, row: int) -> Meaning | None:
        """Return what the series of a row measures; None for a row that was freed."""
        pool = int(self.rows["pool"][row])
        return self._meaning[pool] if pool >= 0 else None

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
        of_row: NDArray[np.int32],
        tables: Sequence[Table],
        numbers: Numbers,
        pools: list[list[str]],
        free: list[int],
        derived: list[int],
    ) -> None:
        """Take over rows and rebuild the relations between them, column by column.

        Parameters
        ----------
        of_row
            Which series each row has, -1 for none.
        tables, numbers
            Words and numbers of all series, as of `naming`; those that the catalog knows first.
        """
        self.rows = rows
        self._widen(max(0, len(rows) - len(self.crowd)))
        self.used = len(of_row)
        self._pool = {tuple(key): number for number, key in enumerate(pools)}
        self._meaning = [None] * len(pools)
        self.follow_catalog()
        living = np.flatnonzero(of_row >= 0).astype(np.int32)
        which = of_row[living]
        known = which < len(self.catalog)
        self._number_of_row[living[known]] = which[known]
        self.row_of[which[known]] = living[known]
        others = unpacked(tables, numbers[:, which[~known]])
        for row, series in zip(living[~known].tolist(), others, strict=True):
            if series is not None:
                self._house(series, row)
        self._relate(living, tables, numbers[:, which])
        self.free = list(free)
        self.derived = set(derived)
        self.speaker[derived] = -1

    def largest(self) -> tuple[str, str, int]:
        """Return the service and metric that have the most rows, and how many."""
        counted = Counter((each.service, each.metric) for each in self._own.values())
        numbers = self._number_of_row[: self.used]
        (services, service), (metrics, metric) = map(self.catalog.column, ("service", "metric"))
        mine = numbers[numbers >= 0]
        number, first = by_first_sight(joint(service[mine], metric[mine]))
        for each, rows in zip(mine[first].tolist(), np.bincount(number).tolist(), strict=True):
            counted[services[service[each]], metrics[metric[each]]] += rows
        if not counted:
            return "", "", 0
        (name, of), rows = min(counted.items(), key=lambda item: (-item[1], item[0]))
        return name, of, rows

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

    def settled(self) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
        """Return of each row what was decided about its group: who is the whole, and whether it is mixed."""
        group = self.group_of_row[: self.used]
        grouped = group >= 0
        whole = np.where(grouped, self.whole_of_group[group], UNKNOWN).astype(np.int32)
        return whole, grouped & self.is_mixed[group]

    def settle(self, whole: NDArray[np.int32], mixed: NDArray[np.bool_]) -> None:
        """Take back what `settled` returned: asked anew, a group would speak before its interval is over."""
        grouped = np.flatnonzero(self.group_of_row[: self.used] >= 0)
        group = self.group_of_row[grouped]
        self.whole_of_group[group] = whole[grouped]
        self.is_mixed[group] = mixed[grouped]

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
        series = self.series_of(row)
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
        series = self.series_of(row)
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
        return row

    def _widen(self, more: int) -> None:
        for name, fill in _OF_A_ROW.items():
            column = getattr(self, name)
            setattr(self, name, np.concatenate([column, np.full(more, fill, column.dtype)]))

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

    def _house(self, series: Series, row: int) -> None:
        known = self.catalog.number_of(series)
        if known is None:
            self._own[row] = series
            self._uncataloged[series] = row
        else:
            self._number_of_row[row] = known
            self.row_of[known] = row

    def _enter(self, series: Series, row: int) -> None:
        self._members = None
        self._house(series, row)
        sort = self._sort_of(series)
        self.rows["pool"][row] = sort.pool
        if series.instance is not None or sort.is_template:
            group = group_of(series)
            number = self._group_number.setdefault(group, len(self.group_series))
            if number == len(self.group_series):
                self.group_series.append(group)
                self._of_group.append(array("i"))
                if number >= len(self.whole_of_group):
                    more = np.full(number, UNKNOWN, np.int32)
                    self.whole_of_group = np.concatenate([self.whole_of_group, more])
                    self.is_mixed = np.concatenate([self.is_mixed, np.zeros(number, np.bool_)])
                self.whole_of_group[number] = NO_WHOLE if sort.is_template else UNKNOWN
            self._of_group[number].append(row)
            self.group_of_row[row] = number
            if series.version is not None:
                version = self._version_number.setdefault(series.version, len(self._version_number) + 1)
                self._version_of_row[row] = version
        if series.peer is None and not sort.is_log:
            number = self._service_number.setdefault(series.service, len(self.services))
            if number == len(self.services):
                self.services.append(series.service)
            self.speaker[row] = number
        place = _place(series)
        self.is_load[row] = sort.is_load
        self.counts_failures[row] = sort.counts_failures
        self.sums_time[row] = sort.sums_time
        self.is_read[row] = sort.is_read
        if sort.is_count:
            self._counts[series._replace(unit=None, version=None)] = row
        if sort.is_load:
            self._loads.setdefault(place, []).append(row)
            self._dirty.add(place)
        if sort.is_thirsty:
            self._thirsty.setdefault(place, []).append(row)
            self._dirty.add(place)

    def _relate(self, living: NDArray[np.int32], tables: Sequence[Table], numbers: Numbers) -> None:
        """Do what `_enter` does for each of many rows; `numbers` are those of their series, in turn."""
        if not len(living):
            return
        service, metric, instance, peer, unit, kind, version, labels = numbers
        none = Series(*(table.index(None) if None in table else -1 for table in tables))  # type: ignore[arg-type]
        on_edge = peer != none.peer
        sort, first = by_first_sight(joint(metric, unit, kind, labels, on_edge))
        of = _columns([self._sort_of(self._series_at(row)) for row in living[first].tolist()], sort)
        self.rows["pool"][living] = of["pool"]
        for name in ("is_load", "counts_failures", "sums_time", "is_read"):
            getattr(self, name)[living] = of[name]

        template = of["is_template"]
        grouped = (instance != none.instance) | template
        code = joint(service, np.where(template, len(first), sort), np.where(template, 0, peer))[grouped]
        rows, (number, first) = living[grouped], by_first_sight(code)
        self.group_of_row[rows] = number
        self.group_series = [group_of(self._series_at(row)) for row in rows[first].tolist()]
        self._group_number = {group: each for each, group in enumerate(self.group_series)}
        self._of_group = [array("i", each.tobytes()) for each in parted(rows, number, len(first))]
        self.whole_of_group = np.full(max(256, len(first)), UNKNOWN, np.int32)
        self.whole_of_group[number[template[grouped]]] = NO_WHOLE
        self.is_mixed = np.zeros(len(self.whole_of_group), np.bool_)
        self._version_number = {
            word: each
            for each, word in enumerate((word for word in tables[_VERSION] if word is not None), start=1)
        }
        of_version = np.array([self._version_number.get(word, 0) for word in tables[_VERSION]], np.int32)
        self._version_of_row[rows] = of_version[version[grouped]]

        speaking = ~(on_edge | of["is_log"])
        number, first = by_first_sight(service[speaking])
        self.services = [tables[0][each] for each in service[speaking][first].tolist()]
        self._service_number = {name: each for each, name in enumerate(self.services)}
        self.speaker[living[speaking]] = number

        place = joint(service, np.where(of["is_log"], len(tables[_PEER]), peer))
        for relation, mask in ((self._loads, of["is_load"]), (self._thirsty, of["is_thirsty"])):
            number, first = by_first_sight(place[mask])
            for each in parted(living[mask], number, len(first)):
                relation[_place(self._series_at(int(each[0])))] = each.tolist()
        for row in living[of["is_count"]].tolist():
            self._counts[self._series_at(row)._replace(unit=None, version=None)] = row

    def _series_at(self, row: int) -> Series:
        series = self.series_of(row)
        if series is None:
            raise KeyError(f"row {row} has no series")
        return series

    def _sort_of(self, series: Series) -> Sort:
        sort_key = series.metric, series.unit, series.kind, series.labels, series.peer is not None
        found = self._sorts.get(sort_key)
        if found is not None:
            return found
        key = _pool_key(series)
        pool = self._pool.get(key, -1)
        meaning = self._meaning[pool] if pool >= 0 else None
        meaning = meaning or classify(series)
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
            self._sorts[sort_key] = found
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
                nearest.setdefault(self._instance_of(load), load)
            anyone = nearest.get(None, ranked[0][1] if ranked else -1)
            for row in self._thirsty.get(place, ()):
                self.rows["load_row"][row] = nearest.get(self._instance_of(row), anyone)
        self._dirty.clear()

    def _instance_of(self, row: int) -> str | None:
        number = int(self._number_of_row[row])
        return self.catalog.instance_of(number) if number >= 0 else self._own[row].instance

    def _rank(self, load: int) -> int:
        meaning = self.meaning_of(load)
        return meaning.load_rank if meaning else 99

    def _evict(self) -> list[int]:
        seen = self.rows["last_ts"][: self.used] > NEVER
        seen[self.free] = False
        living = np.flatnonzero(seen)
        count = max(1, self.max_series // _EVICT_SHARE)
        idlest = living[np.lexsort((living, self.rows["last_ts"][living]))][:count]
        for row in map(int, idlest):
            series = self.series_of(row)
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
            self._number_of_row[row] = -1
            self._own.pop(row, None)
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

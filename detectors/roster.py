"""Which row serves which series, and what a row has to know of the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from detectors.catalog import Catalog, Table
from detectors.dense import by_first_sight, joint
from detectors.family import Meaning, is_template
from detectors.groups import NO_WHOLE, Groups
from detectors.naming import Numbers, unpacked
from detectors.pools import Pools, refresh
from detectors.reading import read_baselines, read_values, unit_read
from detectors.requests import Requests
from detectors.rows import BLANK, NEVER, ROW, Rows, allocate, inherit, reset, step_from
from detectors.sort import Sorts, columns
from detectors.telemetry import Series
from detectors.units import unit_of as stated_unit

_PEER, _VERSION = map(Series._fields.index, ("peer", "version"))
_OF_A_ROW = {
    **dict.fromkeys(("is_load", "counts_failures", "sums_time", "is_read", "born"), 0),
    **dict.fromkeys(("_number_of_row", "speaker"), -1),
    "crowd": 1,
}
"""Columns of the roster that are as long as its rows, and what they hold of a row without a series."""

_EVICT_SHARE = 16
"""A sixteenth of the rows is freed at once, so that the search for the idlest is rare."""


def order_key(series: Series) -> tuple[str, ...]:
    """Order series by what they are, not by when they were first seen."""
    return tuple("" if part is None else str(part) for part in series)


class Roster:
    """Assigns rows to series in a canonical order and keeps the relations between them."""

    def __init__(self, max_series: int, catalog: Catalog) -> None:
        self.max_series = max_series
        self.catalog = catalog
        self.row_of = np.empty(0, np.int32)
        """Catalog number to row, -1 where the series has none; as long as the catalog was when last asked."""
        self.rows: Rows = allocate(256)
        self.sorts = Sorts()
        self.groups = Groups(256)
        self._requests = Requests()
        self.used = 0
        self.evicted = 0
        self.refused = 0
        """Series that came when no row could be freed for them."""
        self._number_of_row = np.full(256, -1, np.int32)
        """Row to catalog number; -1 where the series is in `_own`, or there is none."""
        self._own: dict[int, Series] = {}
        """Series of the rows that had no catalog number when they came, as in `_uncataloged`."""
        self.derived: set[int] = set()
        """Rows of series that nobody emits."""
        self._uncataloged: dict[Series, int] = {}
        """Rows of series that had no number when they came: those that nobody emits, and counts of lines."""
        self.free: list[int] = []
        self.is_load = np.zeros(256, np.int8)
        self.counts_failures = np.zeros(256, np.bool_)
        self.sums_time = np.zeros(256, np.bool_)
        """Rows of sums of durations, which are a latency only beside the number of what lasted."""
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

    @property
    def pools(self) -> Pools:
        """What the rows of a pool have in common."""
        return self.sorts.pools

    @pools.setter
    def pools(self, pools: Pools) -> None:
        self.sorts.pools = pools

    @property
    def pool_keys(self) -> list[tuple[str, ...]]:
        """What the pools are, in the order of their numbers."""
        return self.sorts.keys

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
        return self.sorts.meaning(int(self.rows["pool"][row]))

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
        self._requests.link(self.rows, self._rank, self._instance_of)
        return evicted

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
        self.sorts.restore(pools)
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

    def settle_whole(self, group: int, whole: Series) -> bool:
        """Decide whether instances are taken together: not if the service emits the whole itself."""
        row = self.row(whole)
        pooled = row >= 0 and row in self.derived
        self.groups.whole[group] = row if pooled else NO_WHOLE
        return pooled

    def members(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return where each group begins, and rows sorted by group."""
        return self.groups.members(self.used)

    def settled(self) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
        """Return of each row what was decided about its group: who is the whole, and whether it is mixed."""
        return self.groups.settled(self.used)

    def settle(self, whole: NDArray[np.int32], mixed: NDArray[np.bool_]) -> None:
        """Take back what `settled` returned."""
        self.groups.settle(whole, mixed)

    def refresh(self, now: int) -> None:
        """Bring up to date what rows know of each other: pools and crowds. Once a slot."""
        read_baselines(self.rows, self.pools, self.used)
        refresh(self.rows, self.pools, self.used, now)
        self.crowd[: self.used] = self.groups.count(self.rows[: self.used], now)

    def count_beside(self, row: int) -> int:
        """Return the row that counts what a row sums up (`…_sum`, `…_count`), or -1."""
        series = self.series_of(row)
        return -1 if series is None else self._requests.count_beside(series)

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
        self.groups.widen(more)

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
        self._house(series, row)
        sort = self.sorts.of(series)
        self.rows["pool"][row] = sort.pool
        self.groups.enter(row, series)
        if series.peer is None and not sort.is_log:
            number = self._service_number.setdefault(series.service, len(self.services))
            if number == len(self.services):
                self.services.append(series.service)
            self.speaker[row] = number
        self.is_load[row] = sort.is_load
        self.counts_failures[row] = sort.counts_failures
        self.sums_time[row] = sort.sums_time
        self.is_read[row] = sort.is_read
        self._requests.enter(row, series, sort)

    def _relate(self, living: NDArray[np.int32], tables: Sequence[Table], numbers: Numbers) -> None:
        """Do what `_enter` does for each of many rows; `numbers` are those of their series, in turn."""
        if not len(living):
            return
        service, metric, instance, peer, unit, kind, version, labels = numbers
        none = Series(*(table.index(None) if None in table else -1 for table in tables))  # type: ignore[arg-type]
        on_edge = peer != none.peer
        sort, first = by_first_sight(joint(metric, unit, kind, labels, on_edge))
        of = columns([self.sorts.of(self._series_at(row)) for row in living[first].tolist()], sort)
        self.rows["pool"][living] = of["pool"]
        for name in ("is_load", "counts_failures", "sums_time", "is_read"):
            getattr(self, name)[living] = of[name]

        template = of["is_template"]
        grouped = (instance != none.instance) | template
        code = joint(service, np.where(template, len(first), sort), np.where(template, 0, peer))[grouped]
        self.groups.restore(
            living[grouped], code, template[grouped], version[grouped], tables[_VERSION], self._series_at
        )

        speaking = ~(on_edge | of["is_log"])
        number, first = by_first_sight(service[speaking])
        self.services = [tables[0][each] for each in service[speaking][first].tolist()]
        self._service_number = {name: each for each, name in enumerate(self.services)}
        self.speaker[living[speaking]] = number

        place = joint(service, np.where(of["is_log"], len(tables[_PEER]), peer))
        self._requests.restore(
            living, place, of["is_load"], of["is_thirsty"], of["is_count"], self._series_at
        )

    def _series_at(self, row: int) -> Series:
        series = self.series_of(row)
        if series is None:
            raise KeyError(f"row {row} has no series")
        return series

    def _elder(self, series: Series, row: int) -> int:
        rows = self.rows
        if is_template(series):
            return -1
        # The whole of a group begins like one of its instances.
        kin = self.groups.siblings(row, series)
        siblings = [other for other in kin if other != row and rows["filled"][other]]
        return max(siblings, key=lambda other: (int(rows["last_ts"][other]), -other), default=-1)

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
            self.groups.leave(row)
            self.derived.discard(row)
            self._requests.leave(row, series)
            self._number_of_row[row] = -1
            self._own.pop(row, None)
            self.is_load[row] = 0
            self.counts_failures[row] = self.is_read[row] = self.sums_time[row] = False
            self.crowd[row] = 1
            self.speaker[row] = -1
            reset(self.rows, row)
            self.free.append(row)
        self.evicted += len(idlest)
        return [int(row) for row in idlest]

    def silent_for(self, row: int, now: int) -> float:
        """Return the number of intervals since the row's last sample."""
        last = int(self.rows["last_ts"][row])
        return float("inf") if last == NEVER else (now - last) / max(int(self.rows["interval"][row]), 1000)

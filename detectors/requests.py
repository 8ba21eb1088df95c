"""Whose requests stand behind a row's values: the series that counts them where the row's own do."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from detectors.dense import by_first_sight, parted
from detectors.family import LOG_LINES, is_log
from detectors.rows import Rows
from detectors.sort import Sort
from detectors.telemetry import Series

Place = tuple[str, str | None]
"""Service and peer: where requests are counted."""


def place_of(series: Series) -> Place:
    """Return where requests are counted: at the service, on the edge, or in the service's log."""
    return series.service, LOG_LINES if is_log(series) else series.peer


class Requests:
    """Points rows that requests drive at the row that counts them, the same instance's if they can."""

    def __init__(self) -> None:
        self._loads: dict[Place, list[int]] = {}
        self._thirsty: dict[Place, list[int]] = {}
        self._changed: set[Place] = set()
        self._counts: dict[Series, int] = {}
        """Rows that count, by what they count; versions and units aside."""

    def enter(self, row: int, series: Series, sort: Sort) -> None:
        """Take in a row; `link` points it."""
        if sort.is_count:
            self._counts[_counted(series)] = row
        for relation, belongs in ((self._loads, sort.is_load), (self._thirsty, sort.is_thirsty)):
            if belongs:
                place = place_of(series)
                relation.setdefault(place, []).append(row)
                self._changed.add(place)

    def leave(self, row: int, series: Series) -> None:
        """Forget a row; `link` points those that pointed at it elsewhere."""
        place = place_of(series)
        for relation in (self._loads, self._thirsty):
            if row in relation.get(place, ()):
                relation[place].remove(row)
        self._counts.pop(_counted(series), None)
        self._changed.add(place)

    def restore(
        self,
        rows: NDArray[np.int32],
        place: NDArray[np.int64],
        is_load: NDArray[np.bool_],
        is_thirsty: NDArray[np.bool_],
        is_count: NDArray[np.bool_],
        series_at: Callable[[int], Series],
    ) -> None:
        """Do what `enter` does for each of many rows that are linked already.

        Parameters
        ----------
        rows, place, is_load, is_thirsty, is_count
            Parallel: rows, a number that those of one place share, and their sorts.
        series_at
            Returns the series of a row.
        """
        for relation, belongs in ((self._loads, is_load), (self._thirsty, is_thirsty)):
            number, first = by_first_sight(place[belongs])
            for each in parted(rows[belongs], number, len(first)):
                relation[place_of(series_at(int(each[0])))] = each.tolist()
        for row in rows[is_count].tolist():
            self._counts[_counted(series_at(row))] = row

    def link(self, rows: Rows, rank: Callable[[int], int], instance_of: Callable[[int], str | None]) -> None:
        """Point rows of places that have changed; of several that count, the lowest `rank` speaks."""
        for place in self._changed:
            ranked = sorted((rank(load), load) for load in self._loads.get(place, ()))
            nearest: dict[str | None, int] = {}
            for _, load in ranked:
                nearest.setdefault(instance_of(load), load)
            anyone = nearest.get(None, ranked[0][1] if ranked else -1)
            for row in self._thirsty.get(place, ()):
                rows["load_row"][row] = nearest.get(instance_of(row), anyone)
        self._changed.clear()

    def count_beside(self, series: Series) -> int:
        """Return the row that counts what a series sums up (`…_sum`, `…_count`), or -1."""
        stem, ending = series.metric[:-3], series.metric[-3:]
        name = stem + ("Count" if ending == "Sum" else "count")
        return self._counts.get(_counted(series._replace(metric=name)), -1)


def _counted(series: Series) -> Series:
    return series._replace(unit=None, version=None)

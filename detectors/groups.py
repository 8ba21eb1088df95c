"""Instances of one service and metric, or templates of one service: who is one of many, and of whom."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.catalog import Table
from detectors.dense import by_first_sight, parted
from detectors.family import is_template
from detectors.rows import Rows
from detectors.telemetry import Series

UNKNOWN, NO_WHOLE = -1, -2
LIVE_INTERVALS = 5
"""Intervals without a sample after which an instance no longer counts as one of several."""


def group_of(series: Series) -> Series:
    """Return the identity above the instance: what survives a rollout."""
    if is_template(series):
        # Many templates of a service are as many chances to be wrong as many instances are.
        return Series(series.service, "log template")
    service, metric, _, peer, unit, kind, _, labels = series
    return Series(service, metric, None, peer, unit, kind, None, labels)


class Groups:
    """Which rows are instances of one another.

    Parameters
    ----------
    rows
        How many to make room for; `widen` makes more.
    """

    def __init__(self, rows: int) -> None:
        self.of_row = np.empty(0, np.int32)
        """Number of a row's group; -1 where it has none."""
        self.series: list[Series] = []
        """What each group is, by number."""
        self.whole = np.full(256, UNKNOWN, np.int32)
        """Row of a group's instances taken together; UNKNOWN at first, NO_WHOLE where there is none."""
        self.is_mixed = np.zeros(256, np.bool_)
        """Groups of which two versions live, as seen when they were last counted."""
        self._rows: list[array[int]] = []
        """Rows of each group, four bytes each: a million lists of numbers would be a tenth of a gigabyte."""
        self._number: dict[Series, int] = {}
        self._version_number: dict[str, int] = {}
        self._version_of_row = np.empty(0, np.int32)
        self._members: tuple[NDArray[np.int64], NDArray[np.int64]] | None = None
        self.widen(rows)

    def widen(self, more: int) -> None:
        """Make room for more rows."""
        self.of_row = np.concatenate([self.of_row, np.full(more, -1, np.int32)])
        self._version_of_row = np.concatenate([self._version_of_row, np.zeros(more, np.int32)])

    def enter(self, row: int, series: Series) -> None:
        """Count a row to its group, if it is of an instance or of a template."""
        self._members = None
        if series.instance is None and not is_template(series):
            return
        group = group_of(series)
        number = self._number.setdefault(group, len(self.series))
        if number == len(self.series):
            self.series.append(group)
            self._rows.append(array("i"))
            if number >= len(self.whole):
                self.whole = np.concatenate([self.whole, np.full(number, UNKNOWN, np.int32)])
                self.is_mixed = np.concatenate([self.is_mixed, np.zeros(number, np.bool_)])
            self.whole[number] = NO_WHOLE if is_template(series) else UNKNOWN
        self._rows[number].append(row)
        self.of_row[row] = number
        if series.version is not None:
            version = self._version_number.setdefault(series.version, len(self._version_number) + 1)
            self._version_of_row[row] = version

    def leave(self, row: int) -> None:
        """Forget a row, as a member and as the whole of a group."""
        self._members = None
        if self.of_row[row] >= 0:
            self._rows[int(self.of_row[row])].remove(row)
        self.whole[self.whole == row] = UNKNOWN
        self.of_row[row] = -1
        self._version_of_row[row] = 0

    def restore(
        self,
        rows: NDArray[np.int32],
        code: NDArray[np.int64],
        template: NDArray[np.bool_],
        version: NDArray[np.signedinteger[Any]],
        versions: Table,
        series_at: Callable[[int], Series],
    ) -> None:
        """Do what `enter` does for each of many rows, where none was entered yet.

        Parameters
        ----------
        rows, code, template, version
            Parallel: rows of instances and templates, a number that those of one group share, which of them
            are templates, and the position of each one's version in `versions`.
        series_at
            Returns the series of a row.
        """
        number, first = by_first_sight(code)
        self.of_row[rows] = number
        self.series = [group_of(series_at(row)) for row in rows[first].tolist()]
        self._number = {group: each for each, group in enumerate(self.series)}
        self._rows = [array("i", each.tobytes()) for each in parted(rows, number, len(first))]
        self.whole = np.full(max(256, len(first)), UNKNOWN, np.int32)
        self.whole[number[template]] = NO_WHOLE
        self.is_mixed = np.zeros(len(self.whole), np.bool_)
        spoken = (word for word in versions if word is not None)
        self._version_number = {word: each for each, word in enumerate(spoken, start=1)}
        of_version = np.array([self._version_number.get(word, 0) for word in versions], np.int32)
        self._version_of_row[rows] = of_version[version]

    def siblings(self, row: int, series: Series) -> Sequence[int]:
        """Return the rows of a row's group; of a series above the instances, theirs."""
        own = int(self.of_row[row])
        number = self._number.get(group_of(series), -1) if own < 0 else own
        return self._rows[number] if number >= 0 else ()

    def members(self, used: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return where each group begins, and rows sorted by group; rebuilt when rows were given or taken."""
        if self._members is None:
            group = self.of_row[:used]
            order = np.lexsort((np.arange(used), group)).astype(np.int64)
            begins = np.searchsorted(group[order], np.arange(len(self.series) + 1)).astype(np.int64)
            self._members = begins, order
        return self._members

    def count(self, rows: Rows, now: int) -> NDArray[np.int64]:
        """Return how many living rows are in each one's group, at least 1; notice which groups are mixed."""
        group = self.of_row[: len(rows)]
        living = now - rows["last_ts"] <= LIVE_INTERVALS * np.maximum(rows["interval"], 1000)
        living &= group >= 0
        groups = len(self.series)
        count = np.bincount(group[living], minlength=groups + 1)
        version = self._version_of_row[: len(rows)]
        living &= version > 0
        lowest, highest = np.full(groups, 2**31 - 1), np.zeros(groups, np.int64)
        np.minimum.at(lowest, group[living], version[living])
        np.maximum.at(highest, group[living], version[living])
        self.is_mixed[:groups] = lowest < highest
        return np.where(group >= 0, np.maximum(count[group], 1), 1)

    def settled(self, used: int) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
        """Return of each row what was decided about its group: who is the whole, and whether it is mixed."""
        group = self.of_row[:used]
        grouped = group >= 0
        whole = np.where(grouped, self.whole[group], UNKNOWN).astype(np.int32)
        return whole, grouped & self.is_mixed[group]

    def settle(self, whole: NDArray[np.int32], mixed: NDArray[np.bool_]) -> None:
        """Take back what `settled` returned: asked anew, a group would speak before its interval is over."""
        grouped = np.flatnonzero(self.of_row[: len(whole)] >= 0)
        group = self.of_row[grouped]
        self.whole[group] = whole[grouped]
        self.is_mixed[group] = mixed[grouped]

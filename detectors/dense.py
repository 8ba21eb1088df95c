"""Sets and orders of small whole numbers: rows, series and groups are numbered from 0, nothing is hashed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from detectors.compiled import compiled

S = TypeVar("S", bound=np.generic)

_ROW_BITS = 32
_MOST = 2**62
_MAX_SPAN_MS = 2**30


def distinct(numbers: NDArray[np.int32], count: int) -> NDArray[np.int32]:
    """Return which of 0 … `count` - 1 occur, ascending; negative numbers are left out. O(n + count).

    Examples
    --------
    >>> distinct(np.array([3, -1, 0, 3], np.int32), 5).tolist()
    [0, 3]
    """
    seen = np.zeros(count, np.bool_)
    seen[numbers[numbers >= 0]] = True
    return np.flatnonzero(seen).astype(np.int32)


def joint(*columns: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
    """Return one number for each combination of numbers from 0 on; equal combinations get equal ones.

    Examples
    --------
    >>> joint(np.array([0, 1, 0]), np.array([2, 0, 2])).tolist()
    [2, 3, 2]
    """
    code, size = np.zeros(len(columns[0]), np.int64), 1
    for column in columns:
        width = int(column.max(initial=0)) + 1
        if size * width > _MOST:
            kinds, code = np.unique(code, return_inverse=True)
            size = len(kinds)
        code = code * width + column
        size *= width
    return code


def by_first_sight(code: NDArray[np.integer[Any]]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Number equal values from 0 on, in order of first sight; return the numbers, and where each was first.

    Examples
    --------
    >>> [each.tolist() for each in by_first_sight(np.array([7, 3, 7, 9]))]
    [[0, 1, 0, 2], [0, 1, 3]]
    """
    _, first, inverse = np.unique(code, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty(len(order), np.int32)
    rank[order] = np.arange(len(order))
    return rank[inverse], first[order]


def parted(values: NDArray[S], number: NDArray[np.int32], count: int) -> Iterator[NDArray[S]]:
    """Part values by number, 0 … `count` - 1; within a part they keep their order.

    Examples
    --------
    >>> [each.tolist() for each in parted(np.array([5, 6, 7]), np.array([1, 0, 1], np.int32), 2)]
    [[6], [5, 7]]
    """
    order = np.argsort(number, kind="stable")
    values = values[order]
    ends = np.searchsorted(number[order], np.arange(count), side="right").tolist()
    for begin, end in zip([0, *ends], ends, strict=False):
        yield values[begin:end]


def in_turn(
    ts_ms: NDArray[np.int64], late: NDArray[np.bool_], row: NDArray[np.int32], value: NDArray[np.float64]
) -> NDArray[np.int64]:
    """Return the order by time, then `late`, then row, then value; of what is all the same, as it came.

    One key of 64 bits is sorted instead of four columns, in a tenth of the time. Values only matter where
    all else is equal, as when a producer has sent something twice.
    """
    if not len(ts_ms):
        return np.empty(0, np.int64)
    first = int(ts_ms.min())
    if int(ts_ms.max()) - first < _MAX_SPAN_MS:
        key = ts_ms - first
        key <<= 1
        key += late
        key <<= _ROW_BITS
        key += row
        if (key[1:] > key[:-1]).all():
            return np.arange(len(key))
        order = np.argsort(key)
        key = key[order]
        if not (key[1:] > key[:-1]).all():
            _settle_ties(order, key, value)
        return order
    return np.lexsort((value, row, late, ts_ms))


_FEW = 16
"""So many are sorted by insertion, which needs no memory of its own."""


@compiled
def _settle_ties(order: np.ndarray, key: np.ndarray, value: np.ndarray) -> None:
    """Bring places of equal keys into the order of their values, NaN last, and then of the places."""
    n = len(key)
    first = 0
    while first < n:
        stop = first + 1
        while stop < n and key[stop] == key[first]:
            stop += 1
        if stop - first > _FEW:
            among = np.sort(order[first:stop])
            order[first:stop] = among[np.argsort(value[among], kind="mergesort")]
        else:
            for at in range(first + 1, stop):
                place = order[at]
                k = at
                while k > first and _comes_later(order[k - 1], place, value):
                    order[k] = order[k - 1]
                    k -= 1
                order[k] = place
        first = stop


@compiled
def _comes_later(one: int, other: int, value: np.ndarray) -> bool:
    x, y = value[one], value[other]
    if x < y or (np.isnan(y) and not np.isnan(x)):
        return False
    return bool(x > y or (np.isnan(x) and not np.isnan(y)) or one > other)

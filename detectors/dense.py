"""Sets and orders of small whole numbers: rows, series and groups are numbered from 0, nothing is hashed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_ROW_BITS = 32
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


def in_turn(
    ts_ms: NDArray[np.int64], late: NDArray[np.bool_], row: NDArray[np.int32], value: NDArray[np.float64]
) -> NDArray[np.int64]:
    """Return the order by time, then `late`, then row, then value.

    One key of 64 bits is sorted instead of four columns; values only matter where all else is equal.
    """
    if not len(ts_ms):
        return np.empty(0, np.int64)
    first = int(ts_ms.min())
    if int(ts_ms.max()) - first < _MAX_SPAN_MS:
        key = (
            ((ts_ms - first) << (_ROW_BITS + 1)) | (late.astype(np.int64) << _ROW_BITS) | row.astype(np.int64)
        )
        if (key[1:] > key[:-1]).all():
            return np.arange(len(key))
        order = np.argsort(key, kind="stable")
        key = key[order]
        if (key[1:] > key[:-1]).all():
            return order
    return np.lexsort((value, row, late, ts_ms))

"""Many series as few words: each field's words once, and two or four bytes a field and series for which.

As lists of strings the names of a million series are a quarter of a gigabyte of JSON and most of a restore.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from operator import itemgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.telemetry import Kind, Series

Words = list[list[str | None]]
"""Of each field of `Series`, in order of first use."""

_FIELDS = len(Series._fields)
_KIND = Series._fields.index("kind")
_KINDS = {kind.value: kind for kind in Kind}
_AT_ONCE = 65_536
"""Series that are built at once: numbers as Python's objects are ten times as large as they are here."""


def packed(series: Sequence[Series | None]) -> tuple[Words, NDArray[np.signedinteger[Any]]]:
    """Return the words, and their numbers as int16 or int32[field, series]; -1 where there is no series.

    Examples
    --------
    >>> words, numbers = packed([Series("cart", "cpu"), None, Series("cart", "memory")])
    >>> words[1], numbers[1].tolist()
    (['cpu', 'memory'], [0, -1, 1])
    """
    there = np.fromiter((each is not None for each in series), np.bool_, len(series))
    # Eight bytes a series that need not be twice: as a rule all are there.
    present: Sequence[Any] = series if there.all() else [each for each in series if each is not None]
    fields = [itemgetter(field) for field in range(_FIELDS)]
    known = [{word: n for n, word in enumerate(dict.fromkeys(map(take, present)))} for take in fields]
    small = max(map(len, known)) <= np.iinfo(np.int16).max
    numbers: NDArray[np.signedinteger[Any]] = np.full(
        (_FIELDS, len(series)), -1, np.int16 if small else np.int32
    )
    for row, take, each in zip(numbers, fields, known, strict=True):
        row[there] = np.fromiter(map(each.__getitem__, map(take, present)), row.dtype, len(present))
    return [[word.value if isinstance(word, Kind) else word for word in each] for each in known], numbers


def unpacked(words: Words, numbers: NDArray[np.signedinteger[Any]]) -> list[Series | None]:
    """Return what `packed` was given; equal words are one object.

    Raises
    ------
    IndexError, KeyError
        The numbers do not belong to these words.
    """
    shared = [[None if word is None else sys.intern(word) for word in each] for each in words]
    kinds = [_KINDS[str(word)] for word in shared[_KIND]]
    tables = [kinds if field == _KIND else each for field, each in enumerate(shared)]
    found: list[Series | None] = []
    for first in range(0, numbers.shape[1], _AT_ONCE):
        block = numbers[:, first : first + _AT_ONCE]
        there = block[0] >= 0
        columns = [
            map(table.__getitem__, column.tolist())
            for table, column in zip(tables, block[:, there], strict=True)
        ]
        made = map(Series._make, zip(*columns, strict=True))
        if there.all():
            found.extend(made)
        else:
            found.extend(next(made) if each else None for each in there.tolist())
    return found

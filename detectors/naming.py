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

from detectors.catalog import FIELDS, Catalog, Table
from detectors.telemetry import Kind, Series

Words = list[list[str | None]]
"""Of each field of `Series`, in order of first use."""
Numbers = NDArray[np.signedinteger[Any]]
"""int16 or int32[field, series]; -1 where there is no series."""

_KIND = Series._fields.index("kind")
_KINDS = {kind.value: kind for kind in Kind}


def packed(series: Sequence[Series | None], catalog: Catalog | None = None) -> tuple[Words, Numbers]:
    """Return the words and their numbers, of the series of a catalog first.

    Examples
    --------
    >>> words, numbers = packed([Series("cart", "cpu"), None, Series("cart", "memory")])
    >>> words[1], numbers[1].tolist()
    (['cpu', 'memory'], [0, -1, 1])
    """
    catalog = catalog or Catalog()
    in_use = catalog.in_use()
    present = [each for each in series if each is not None]
    known = []
    for field, (table, _) in enumerate(in_use):
        words = dict.fromkeys([*table, *map(itemgetter(field), present)])
        known.append({word: number for number, word in enumerate(words)})
    small = max(map(len, known)) <= np.iinfo(np.int16).max
    numbers: Numbers = np.full((FIELDS, len(catalog) + len(series)), -1, np.int16 if small else np.int32)
    catalog.write(numbers, in_use)
    there = np.fromiter((each is not None for each in series), np.bool_, len(series))
    for field, of in enumerate(known):
        mine = (of[each[field]] for each in present)
        numbers[field, len(catalog) :][there] = np.fromiter(mine, np.int32, len(present))
    return [[word.value if isinstance(word, Kind) else word for word in each] for each in known], numbers


def spoken(words: Words) -> list[Table]:
    """Return words as series have them: equal ones one object, kinds as `Kind`.

    Raises
    ------
    KeyError
        A kind that does not exist.
    """
    tables: list[Table] = [[None if word is None else sys.intern(word) for word in each] for each in words]
    tables[_KIND] = [_KINDS[str(word)] for word in tables[_KIND]]
    return tables


def unpacked(tables: Sequence[Table], numbers: Numbers) -> list[Series | None]:
    """Return the series of which `packed` made `numbers`.

    Raises
    ------
    IndexError
        The numbers do not belong to these words.
    """
    return [
        None if each[0] < 0 else Series(*(table[number] for table, number in zip(tables, each, strict=True)))
        for each in numbers.T.tolist()
    ]


def identities(
    header: dict[str, Any], arrays: dict[str, NDArray[Any]]
) -> tuple[list[Table], Numbers, NDArray[np.int32], int]:
    """Return all series as words and numbers, which of them each row has, and how many the catalog knows."""
    if "words" in header:
        return spoken(header["words"]), arrays["names"], arrays["series"], header["catalog"]
    series = [each and _spelled(each) for each in header["catalog"]]
    known = len(series)
    of_row = []
    for each in header["rows"]:
        if type(each) is int:
            of_row.append(each)
        else:
            of_row.append(len(series) if each else -1)
            series += [_spelled(each)] if each else []
    words, numbers = packed(series)
    return spoken(words), numbers, np.array(of_row, np.int32), known


def _spelled(parts: list[Any]) -> Series:
    """Return a series of a state of version 2."""
    service, metric, instance, peer, unit, kind, version, labels = parts
    return Series(service, metric, instance, peer, unit, Kind(kind), version, labels)

"""Machine code for the hot path, behind a decorator that keeps its types."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import TypeVar, cast

import numba
import numpy as np

F = TypeVar("F", bound=Callable[..., object])


def _sources(folder: Traversable) -> Iterator[bytes]:
    for each in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if each.is_dir():
            yield from _sources(each)
        elif each.name.endswith(".py") and b"compiled" in (source := each.read_bytes()):
            yield source


_STAMP = hashlib.sha256(b"\0".join(_sources(files("detectors")))).hexdigest()


def compiled(function: F) -> F:
    """Compile at first call and keep the result on disk; semantics are those of the Python source.

    No fastmath: reordering sums would make results depend on the machine, and NaN checks vanish.

    Numba notices when the file of a function changed, but not when a function that it has inlined from
    another file did: a new constant would be ignored until somebody deletes the cache. So the stamp of every
    cached function is that of all files with compiled functions.
    """
    dispatcher = numba.njit(cache=True, error_model="numpy")(function)
    index = getattr(getattr(dispatcher, "_cache", None), "_cache_file", None)
    if index is not None and hasattr(index, "_source_stamp"):
        index._source_stamp = _STAMP
    return cast(F, dispatcher)


@compiled
def signed(x: int) -> int:
    """Widen a field of a row: numba's `int` of an unsigned one is unsigned, and turns sums into floats."""
    return int(np.int64(x))

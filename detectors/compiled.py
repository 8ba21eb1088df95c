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


def compiler(package: str, **options: bool) -> Callable[[F], F]:
    """Return a decorator that compiles at first call and keeps the result on disk.

    No fastmath: reordering sums would make results depend on the machine, and NaN checks vanish.

    Numba notices when the file of a function changed, but not when a function that it has inlined from
    another file did: a new constant would be ignored until somebody deletes the cache. So the stamp of every
    cached function is that of all files of the package with compiled functions.
    """
    stamp = hashlib.sha256(b"\0".join(_sources(files(package)))).hexdigest()

    def decorate(function: F) -> F:
        dispatcher = numba.njit(cache=True, error_model="numpy", **options)(function)
        index = getattr(getattr(dispatcher, "_cache", None), "_cache_file", None)
        if index is not None and hasattr(index, "_source_stamp"):
            index._source_stamp = stamp
        return cast(F, dispatcher)

    return decorate


_of_detectors = compiler("detectors")
_into_its_callers = compiler("detectors", forceinline=True)


def compiled(function: F) -> F:
    """Compile a function of the detectors; semantics are those of the Python source."""
    return _of_detectors(function)


def inlined(function: F) -> F:
    """Compile a function into its callers: small steps then share loads and stores, and are handed nothing.

    The suite's loops over columns take a quarter less time so. In the midst of a loop of a thousand lines
    it is no gain: the fleet's bank lost half again of its own by it.
    """
    return _into_its_callers(function)


@compiled
def signed(x: int) -> int:
    """Widen a field of a row: numba's `int` of an unsigned one is unsigned, and turns sums into floats."""
    return int(np.int64(x))


@compiled
def double(x: float) -> float:
    """Widen a 32-bit field of a row: numba's `float` keeps its type, and products of two are 32 bits."""
    return float(np.float64(x))

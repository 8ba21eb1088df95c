"""Machine code for the hot path, behind a decorator that keeps its types."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

import numba

F = TypeVar("F", bound=Callable[..., object])


def compiled(function: F) -> F:
    """Compile at first call and keep the result on disk; semantics are those of the Python source.

    No fastmath: reordering sums would make results depend on the machine, and NaN checks vanish.
    """
    return cast(F, numba.njit(cache=True, error_model="numpy")(function))

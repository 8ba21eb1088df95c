"""Which samples are on time, decided by their own partition alone, and what a wrong clock is given instead.

A partition's order is fixed in Kafka; how its records fall into batches is not. Lateness is therefore judged
sample by sample against the newest event time *before it on its partition*, and never against a watermark
that has moved by batches: a restart that reads the same records in other batches must drop the same ones.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Admission:
    """The verdict on a column of event times, in order of arrival."""

    ts_ms: NDArray[np.int64]
    """The column with clamped times in place of impossible ones."""
    timely: NDArray[np.bool_]
    high_ms: int
    """Newest event time after these."""
    clamped: int


def admit(
    ts_ms: NDArray[np.int64],
    high_ms: int | None,
    *,
    now_ms: int,
    max_future_ms: int,
    lateness_ms: int,
    tick_ms: int,
) -> Admission:
    """Judge event times in order of arrival; does not change its input.

    Parameters
    ----------
    ts_ms : int64[n], n ≥ 1
        Unix milliseconds.
    high_ms
        Newest event time seen on the partition before; None at its start.
    now_ms
        Our clock. A time more than `max_future_ms` ahead of it is a wrong clock's and becomes `now_ms`: left
        alone it would close every window of its partition at once.

    Examples
    --------
    >>> import numpy as np
    >>> seen = admit(np.array([100_000, 80_000, 99_000, 900_000]), None, now_ms=120_000, max_future_ms=60_000,
    ...              lateness_ms=5_000, tick_ms=15_000)
    >>> seen.ts_ms.tolist(), seen.timely.tolist(), seen.high_ms, seen.clamped
    ([100000, 80000, 99000, 120000], [True, False, True, True], 120000, 1)
    """
    ahead = ts_ms > now_ms + max_future_ms
    clamped = int(ahead.sum())
    if clamped:
        ts_ms = np.where(ahead, now_ms, ts_ms)
    running = np.maximum.accumulate(ts_ms)
    if high_ms is not None:
        running = np.maximum(running, high_ms)
    # One less: many records bear the same time, and the first of them must not make the others late.
    closed = (running - lateness_ms - 1) // tick_ms * tick_ms
    return Admission(ts_ms, ts_ms > closed, int(running[-1]), clamped)

"""Ticks and sampling intervals: the only place that says what "the previous sample" is.

Durations are seconds of event time throughout; a rule that counted samples would mean five minutes on
one series and five hours on the next.
"""

from __future__ import annotations

import numpy as np

from detectors.compiled import compiled

INTERVALS_MS = np.array(
    [
        s * 1000
        for s in (1, 2, 5, 10, 15, 20, 30, 60, 120, 180, 300, 600, 900, 1800, 3600, 7200, 21600, 86400)
    ],
    dtype=np.int64,
)
"""What schedulers offer. A learned interval is one of these, so that jitter does not move it."""

SLOT_MS = 60_000
"""Baselines are built from slots of a minute or one interval, whichever is longer: 60 slots are the hour
that the lessons' median looks back on, whether samples come every 5 s or every minute."""

STEP_MS = 30_000
"""Persistence compares samples at least so far apart: two scrapes of 5 s see the same burst."""

SMOOTH_MS = 15_000.0
"""Samples closer together than `STEP_MS` are smoothed with this time constant before they are scored."""

COARSE_MS = 120_000
"""From here on one sample already lasted long enough; a rule that wants two has no time (lessons, step 5)."""

MAX_GAP = 3.2
"""Intervals after which an older sample is no longer "the previous one". Above 3 by the drift of pods."""

CHANGE_AFTER = 3
"""Consecutive contrary deltas that move a learned interval by one notch; one gap moves nothing."""


@compiled
def nearest_interval(delta_ms: int) -> int:
    """Return the index of the interval nearest to a distance, by ratio."""
    best = 0
    for k in range(1, len(INTERVALS_MS)):
        # The geometric mean of two neighbours is the border between them.
        if delta_ms * delta_ms >= INTERVALS_MS[k] * INTERVALS_MS[k - 1]:
            best = k
        else:
            break
    return best


def ticks_between(after_ms: int, upto_ms: int, tick_ms: int) -> tuple[int, int]:
    """Return the first and last tick end in (after, upto], or an empty range with first > last.

    Examples
    --------
    >>> ticks_between(0, 45_000, 15_000)
    (15000, 45000)
    """
    return after_ms // tick_ms * tick_ms + tick_ms, upto_ms // tick_ms * tick_ms


def tick_of(ts_ms: np.ndarray, tick_ms: int) -> np.ndarray:
    """Return the end of the tick a time falls into: the interval (end - tick, end]."""
    return -(-ts_ms // tick_ms) * tick_ms

"""Times in four bytes: milliseconds modulo 2³², exact as long as nothing is older than 49 days.

A row holds some twenty times; at eight bytes each they would be a fifth of it. Whoever stores one sees to it
that it is used or cleared in time: `intake` forgets all of them after a silence of `FORGOTTEN_MS`.
"""

from __future__ import annotations

from detectors.compiled import compiled

FOREVER = 2**62
"""Age of what has never been."""
FORGOTTEN_MS = 2**31
"""25 days, half of the range: a series that was away so long starts its clocks anew."""
_MASK = 2**32 - 1


@compiled
def stamp_of(ts_ms: int) -> int:
    """Return a time as a stamp, 1 … 2³² - 1; 0 is kept for "never", at the price of one millisecond."""
    return max(ts_ms & _MASK, 1)


@compiled
def age_of(now: int, stamp: int) -> int:
    """Return the milliseconds since a stamp, or `FOREVER`."""
    if stamp == 0:
        return FOREVER
    return (now - stamp) & _MASK

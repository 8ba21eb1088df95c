"""How far a sample lies from its own recent past, in units of its ordinary spread.

``z = (y - median) / scale`` over the 60 slots before the previous one: a fault that has just begun is not
yet part of what it is compared with, and three faulty minutes in sixty cannot move a median.
"""

from __future__ import annotations

import math

import numpy as np

from detectors.codes import code_of, value_of
from detectors.compiled import compiled, inlined, signed
from detectors.lanes import beyond_code
from detectors.rows import ROOM, WINDOW, Row

MIN_SLOTS = 10
"""Slots before a series may speak (lessons, step 2). Pooled scales carry it until its own spread is known."""

_NOWHERE = -1
"""Place of a value that is not about to be written."""

LIMIT = 1e30
"""Larger magnitudes are treated as this: their squares still fit float64, their logarithms float32."""


@inlined
def shaped(shape: int, offset: float, x: float) -> float:
    """Transform a value so that its spread does not depend on its level; see `family.Shape`."""
    x = min(max(x, -LIMIT), LIMIT)
    if shape == 1:
        return math.log(max(x, 0.0) + offset)
    if shape == 2:
        return 2.0 * math.sqrt(max(x, 0.0) / offset + 0.375)
    if shape == 3:
        return math.asinh(x)
    return x


@compiled
def unshaped(shape: int, offset: float, y: float) -> float:
    """Invert `shaped`, for values that a person reads."""
    if shape == 1:
        return max(math.exp(min(y, 69.0)) - offset, 0.0)
    if shape == 2:
        return max(y * y / 4.0 - 0.375, 0.0) * offset
    if shape == 3:
        return math.sinh(min(max(y, -69.0), 69.0))
    return y


@inlined
def remember(row: Row, shape: int, y: float) -> None:
    """Put a slot into the baseline in place of the oldest, and move the codes next to its quartiles.

    A quartile moves by one place at most when one of sixty values is exchanged, to the nearest code above or
    below. No order is kept, and there is no branch that noise decides.
    """
    at = signed(row.head)
    code = code_of(shape, y)
    if row.filled < WINDOW:
        _grow(row, at, code)
    else:
        gone = int(np.int64(row.ring[at]))
        for which in range(3):
            place = (which + 1) * (WINDOW - 1) >> 2
            low, high = np.int64(row.quartile[2 * which]), np.int64(row.quartile[2 * which + 1])
            falls = (code <= low) & (low < gone)
            down = falls | ((gone == low) & (code < low))
            # If a value at or below it left and one above it came, the next is known.
            here = min(high, code) if (gone <= low) & (low < code) else low
            count, next_to_it = beyond_code(row, here, down, at, code)
            lower = next_to_it if count > place else low
            upper = here if ROOM - count > place + 1 else next_to_it
            row.quartile[2 * which] = lower if down else here
            row.quartile[2 * which + 1] = (low if falls else high) if down else upper
        row.ring[at] = code
    row.head = at + 1 if at + 1 < WINDOW else 0


@compiled
def _grow(row: Row, at: int, code: int) -> None:
    """Put a slot into a baseline that is not full."""
    row.ring[at] = code
    n = signed(row.filled) + 1
    row.filled = n
    if n == 1:
        for k in range(6):
            row.quartile[k] = code
    for which in range(3):
        _seek(row, n, which)


@compiled
def _seek(row: Row, n: int, which: int) -> None:
    """Find the two values next to the place of a quartile, starting from where they were."""
    wanted = (which + 1) * (n - 1) >> 2
    low = np.int64(row.quartile[2 * which])
    while True:
        less, below = beyond_code(row, low, True, _NOWHERE, 0)
        more, above = beyond_code(row, low, False, _NOWHERE, 0)
        upto = ROOM - more
        if less <= wanted < upto:
            break
        low = below if less > wanted else above
    row.quartile[2 * which] = low
    row.quartile[2 * which + 1] = low if upto > wanted + 1 or wanted + 1 >= n else above


@inlined
def quartile(shape: int, slots: float, which: int, low: int, high: int) -> float:
    """Return a quartile of so many slots from the two codes next to it."""
    place = 0.25 * (which + 1) * (slots - 1.0)
    share = place - math.floor(place)
    return value_of(shape, low) * (1.0 - share) + value_of(shape, high) * share


@inlined
def scale_of(median: float, iqr: float, within: float, floor: float, relative: float, pooled: float) -> float:
    """Return the spread that a sample is measured with, however many requests are behind it.

    The largest of the series' own interquartile range, the fleet's median one and the floors; a quiet
    series cannot shout.
    """
    scale = max(iqr, floor, relative * abs(median), 1e-9, pooled)
    # Samples inside a slot scatter around its mean; 1.69 turns a mean absolute deviation into an IQR.
    inside = 1.69 * within
    return math.sqrt(scale * scale + inside * inside) if inside > 0.0 else scale


@inlined
def scattered(scale: float, requests: float, median: float, volume: int, top: float) -> float:
    """Return the spread of a value that so many requests are behind: few scatter more (lessons, step 3)."""
    n = max(requests, 0.5)
    if volume == 1:
        return scale * math.sqrt(1.0 + 5.0 / n)
    if volume == 2:
        p = min(max(median / top, 0.0), 1.0)
        return max(scale, top * math.sqrt(max(p * (1.0 - p), 0.01) / n))
    return scale

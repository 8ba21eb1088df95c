"""How far a sample lies from its own recent past, in units of its ordinary spread.

``z = (y - median) / scale`` over the 60 slots before the previous one: a fault that has just begun is not
yet part of what it is compared with, and three faulty minutes in sixty cannot move a median.
"""

from __future__ import annotations

import math

import numpy as np

from detectors.codes import code_of, value_of
from detectors.compiled import compiled, signed
from detectors.rows import ROOM, UNUSED, WINDOW, Row

MIN_SLOTS = 10
"""Slots before a series may speak (lessons, step 2). Pooled scales carry it until its own spread is known."""

_LEAST, _UNUSED = np.int16(-UNUSED), np.int16(UNUSED)
"""Typed, so that the loops over the ring run in lanes of two bytes."""

LIMIT = 1e30
"""Larger magnitudes are treated as this: their squares still fit float64, their logarithms float32."""


@compiled
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


@compiled
def remember(row: Row, shape: int, y: float) -> None:
    """Put a slot into the baseline, drop the oldest, and refresh median and interquartile range.

    Each quartile is followed by counting what lies below and at it, eight or sixteen codes at a time: it
    moves by one place at most when one of sixty values is exchanged, and not at all when both lie on one
    side of it. No order is kept. O(WINDOW).
    """
    n = signed(row.filled)
    at = signed(row.head)
    code = np.int16(code_of(shape, y))
    gone = row.ring[at]
    row.ring[at] = code
    row.head = at + 1 if at + 1 < WINDOW else 0
    if n < WINDOW:
        n += 1
        row.filled = n
        if n == 1:
            for k in range(6):
                row.quartile[k] = code
        gone = _UNUSED
    moved = False
    for which in range(3):
        low, high = row.quartile[2 * which], row.quartile[2 * which + 1]
        if gone == _UNUSED:
            _seek(row, n, which)
        elif gone <= low < code:
            _move_up(row, which, min(high, code))
        elif code <= low < gone:
            _move_down(row, which, low)
        elif (gone < low and code < low) or (gone > high and code > high):
            continue
        else:
            _seek(row, n, which)
        moved = True
    if moved:
        first = _quartile(row, shape, n, 0)
        row.median = _quartile(row, shape, n, 1)
        row.iqr = _quartile(row, shape, n, 2) - first


@compiled
def _seek(row: Row, n: int, which: int) -> None:
    """Find the two values next to the place of a quartile, starting from where they were."""
    wanted = (which + 1) * (n - 1) >> 2
    low = row.quartile[2 * which]
    less, upto, below, above = _around(row.ring, low)
    if less == wanted + 1:
        # One place down: what stood there is the upper neighbour now, if there is one left of it.
        row.quartile[2 * which] = below
        row.quartile[2 * which + 1] = low if upto > less else above
        return
    while less > wanted or upto <= wanted:
        low = np.int16(below if less > wanted else above)
        less, upto, below, above = _around(row.ring, low)
    row.quartile[2 * which] = low
    row.quartile[2 * which + 1] = low if upto > wanted + 1 or wanted + 1 >= n else above


@compiled
def _move_up(row: Row, which: int, low: np.int16) -> None:
    """Move a quartile of a full ring that lost a value at or below it to a value above it."""
    upto = np.int16(0)
    above = _UNUSED
    for k in range(ROOM):
        code = row.ring[k]
        upto = np.int16(upto + (code <= low))
        above = min(above, code if code > low else _UNUSED)
    row.quartile[2 * which] = low
    row.quartile[2 * which + 1] = low if upto > _place_of(which) + 1 else above


@compiled
def _move_down(row: Row, which: int, low: np.int16) -> None:
    """Move a quartile of a full ring that got a value at or below it for a value above it."""
    less = np.int16(0)
    below = _LEAST
    for k in range(ROOM):
        code = row.ring[k]
        less = np.int16(less + (code < low))
        below = max(below, code if code < low else _LEAST)
    row.quartile[2 * which] = below if less > _place_of(which) else low
    row.quartile[2 * which + 1] = low


@compiled
def _place_of(which: int) -> int:
    return (which + 1) * (WINDOW - 1) >> 2


@compiled
def _quartile(row: Row, shape: int, n: int, which: int) -> float:
    place = 0.25 * (which + 1) * (n - 1)
    share = place - int(place)
    low, high = row.quartile[2 * which], row.quartile[2 * which + 1]
    return value_of(shape, low) * (1.0 - share) + value_of(shape, high) * share


@compiled
def _around(ring: np.ndarray, here: np.int16) -> tuple[int, int, int, int]:
    """Return how many codes are less than one, how many at most it, and its neighbours."""
    less = np.int16(0)
    upto = np.int16(0)
    below = _LEAST
    above = _UNUSED
    for k in range(ROOM):
        code = ring[k]
        less = np.int16(less + (code < here))
        upto = np.int16(upto + (code <= here))
        below = max(below, code if code < here else _LEAST)
        above = min(above, code if code > here else _UNUSED)
    return int(less), int(upto), int(below), int(above)


@compiled
def scale_of(
    row: Row, pooled: float, requests: float, floor: float, relative: float, volume: int, top: float
) -> float:
    """Return the spread that a sample of `requests` requests (NaN: unknown) is measured with.

    The largest of the series' own interquartile range, the fleet's median one and the floors; a quiet
    series cannot shout. Few requests scatter more (lessons, step 3).
    """
    scale: float = max(float(row.iqr), floor, float(row.floor), relative * abs(float(row.median)), 1e-9)
    if pooled > scale:
        scale = pooled
    # Samples inside a slot scatter around its mean; 1.69 turns a mean absolute deviation into an IQR.
    inside = 1.69 * float(row.within)
    if inside > 0.0:
        scale = math.sqrt(scale * scale + inside * inside)
    if requests == requests:
        n = max(requests, 0.5)
        if volume == 1:
            scale *= math.sqrt(1.0 + 5.0 / n)
        elif volume == 2:
            p = min(max(float(row.median) / top, 0.0), 1.0)
            scale = max(scale, top * math.sqrt(max(p * (1.0 - p), 0.01) / n))
    return scale

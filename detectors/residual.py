"""How far a sample lies from its own recent past, in units of its ordinary spread.

``z = (y - median) / scale`` over the 60 slots before the previous one: a fault that has just begun is not
yet part of what it is compared with, and three faulty minutes in sixty cannot move a median.
"""

from __future__ import annotations

import math

import numpy as np

from detectors.compiled import compiled
from detectors.rows import WINDOW, Row

MIN_SLOTS = 10
"""Slots before a series may speak (lessons, step 2). Pooled scales carry it until its own spread is known."""

LIMIT = 1e30
"""Larger magnitudes are treated as this: their squares still fit float64, their logarithms float32."""


@compiled
def shaped(shape: int, offset: float, x: float) -> float:
    """Transform a value so that its spread does not depend on its level; see `family.Shape`."""
    x = min(max(x, -LIMIT), LIMIT)
    if shape == 1:
        return math.log(max(x, 0.0) + offset)
    if shape == 2:
        return 2.0 * math.sqrt(max(x, 0.0) + 0.375)
    if shape == 3:
        return math.asinh(x)
    return x


@compiled
def unshaped(shape: int, offset: float, y: float) -> float:
    """Invert `shaped`, for values that a person reads."""
    if shape == 1:
        return max(math.exp(min(y, 69.0)) - offset, 0.0)
    if shape == 2:
        return max(y * y / 4.0 - 0.375, 0.0)
    if shape == 3:
        return math.sinh(min(max(y, -69.0), 69.0))
    return y


@compiled
def remember(row: Row, y: float) -> None:
    """Put a slot into the baseline, drop the oldest, and refresh median and interquartile range.

    `order` holds ring positions by ascending value, so that one insertion replaces a sort. O(WINDOW).
    """
    ring = row.ring
    order = row.order
    n = int(row.filled)
    at = int(row.head)
    if n == WINDOW:
        k: int = 0
        while order[k] != at:
            k += 1
        for j in range(k, n - 1):
            order[j] = order[j + 1]
        n -= 1
    ring[at] = y
    k = n
    while k > 0 and ring[order[k - 1]] > ring[at]:
        order[k] = order[k - 1]
        k -= 1
    order[k] = at
    n += 1
    row.filled = n
    row.head = (at + 1) % WINDOW
    row.median = _quantile(ring, order, n, 0.5)
    row.iqr = _quantile(ring, order, n, 0.75) - _quantile(ring, order, n, 0.25)


@compiled
def _quantile(ring: np.ndarray, order: np.ndarray, n: int, q: float) -> float:
    place = q * (n - 1)
    low = int(place)
    high = min(low + 1, n - 1)
    share = place - low
    return float(ring[order[low]]) * (1.0 - share) + float(ring[order[high]]) * share


@compiled
def scale_of(row: Row, pooled: float, requests: float) -> float:
    """Return the spread that a sample of `requests` requests (NaN: unknown) is measured with.

    The largest of the series' own interquartile range, the fleet's median one and the floors; a quiet
    series cannot shout. Few requests scatter more (lessons, step 3).
    """
    scale: float = max(float(row.iqr), row.floor, row.relative_floor * abs(float(row.median)), 1e-9)
    if pooled > scale:
        scale = pooled
    # Samples inside a slot scatter around its mean; 1.69 turns a mean absolute deviation into an IQR.
    inside = 1.69 * float(row.within)
    if inside > 0.0:
        scale = math.sqrt(scale * scale + inside * inside)
    if requests == requests:
        n = max(requests, 0.5)
        if row.volume == 1:
            scale *= math.sqrt(1.0 + 5.0 / n)
        elif row.volume == 2:
            p = min(max(float(row.median) / row.top, 0.0), 1.0)
            scale = max(scale, row.top * math.sqrt(max(p * (1.0 - p), 0.01) / n))
    return scale

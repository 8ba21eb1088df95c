"""What all members stand on: the range, the level and the usual deviation of one series.

Means are river statistics, so that they can be swapped, cloned and inspected like any other of river's. They
are kept as the compiled suite keeps them: in 32 bits, computed in 64.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from river.stats.base import Univariate

from detectors.grid import INTERVALS_MS, nearest_interval
from detectors.online.protocol import Sample
from detectors.suite.extent import RANGE_AFTER
from detectors.suite.location import SETTLED
from detectors.suite.season import hour_of
from detectors.suite.take import LIMIT
from detectors.suite.tuning import Tuning


def single(x: float) -> float:
    """Return a number as 32 bits hold it."""
    return float(np.float32(x))


class WarmMean(Univariate):  # type: ignore[misc]
    """Exponential mean that starts as the plain mean: of n samples until 1/n falls below `fading_factor`.

    Examples
    --------
    >>> mean = WarmMean(0.1)
    >>> for x in (2.0, 4.0):
    ...     mean.update(x)
    >>> mean.get()
    3.0
    """

    def __init__(self, fading_factor: float) -> None:
        self.fading_factor = fading_factor
        self.mean = 0.0
        self.n = 0

    def update(self, x: float) -> None:
        """Take a value in."""
        self.mean = single(self.mean + max(self.fading_factor, 1.0 / (self.n + 1)) * (x - self.mean))
        self.n += 1

    def get(self) -> float:
        """Return the mean so far."""
        return self.mean


class Usual(Univariate):  # type: ignore[misc]
    """Root of the exponential mean of squares; the share of a sample may be given, else as in `WarmMean`.

    Examples
    --------
    >>> usual = Usual(0.1)
    >>> for x in (3.0, -4.0):
    ...     usual.update(x)
    >>> round(usual.get() ** 2, 3)
    12.5
    """

    def __init__(self, fading_factor: float) -> None:
        self.fading_factor = fading_factor
        self.root = 0.0
        self.n = 0

    def update(self, x: float, share: float | None = None) -> None:
        """Take a deviation in."""
        share = max(self.fading_factor, 1.0 / (self.n + 1)) if share is None else share
        square = self.root * self.root
        self.root = single(math.sqrt(square + share * (x * x - square)))
        self.n += 1

    def get(self) -> float:
        """Return the root mean square so far."""
        return self.root


@dataclass(frozen=True, slots=True)
class View:
    """A sample as the members see it."""

    x: float
    """Relative to the series' first value."""
    ts_ms: int
    floor: float
    extent: float
    hour: int
    count: int


@dataclass(slots=True)
class Ground:
    """Range, level and usual deviation; the level member reads its deviation from here."""

    p: Tuning
    anchor: float = 0.0
    low: float = 0.0
    high: float = 0.0
    count: int = 0
    last: float = 0.0
    last_ts: int = 0
    interval: int = 0
    level: WarmMean = field(init=False)
    off: Usual = field(init=False)

    def __post_init__(self) -> None:
        self.level = WarmMean(self.p.level)
        self.off = Usual(self.p.scale)

    def accepts(self, sample: Sample) -> bool:
        """Tell whether a sample is finite and newer than the last."""
        return math.isfinite(sample["value"]) and (self.count == 0 or sample["ts_ms"] > self.last_ts)

    def view(self, sample: Sample) -> View:
        """Return how members see a sample before it is learned."""
        value = min(max(float(sample["value"]), -LIMIT), LIMIT)
        anchor = self.anchor if self.count else value
        extent = self.high - self.low
        floor = 1e-9 + self.p.floor * extent + 1e-4 * abs(self.level.get() + anchor)
        return View(value - anchor, sample["ts_ms"], floor, extent, hour_of(sample["ts_ms"]), self.count)

    def clipped(self, off: float, usual: float, view: View, after: int = SETTLED, wide: float = 1.0) -> float:
        """Return a deviation as far as it teaches."""
        limit = wide * (self.p.clip * (usual + view.floor) if view.count > after else 1e30)
        return min(max(off, -limit), limit)

    def learn(self, sample: Sample, view: View) -> None:
        """Absorb a sample; after all members have."""
        if self.count == 0:
            self.anchor = min(max(float(sample["value"]), -LIMIT), LIMIT)
        off = self.clipped(view.x - self.level.get(), self.off.get(), view)
        self.level.update(self.level.get() + off)
        self.off.update(off)
        pace = 0.0 if self.count < RANGE_AFTER else self.p.range_decay
        self.low = single(min(self.low + pace * (view.x - self.low), view.x))
        self.high = single(max(self.high + pace * (view.x - self.high), view.x))
        if self.count:
            nearest = int(INTERVALS_MS[nearest_interval(view.ts_ms - self.last_ts)])
            self.interval = nearest if self.interval == 0 else min(self.interval, nearest)
        self.last, self.last_ts = single(view.x), view.ts_ms
        self.count += 1

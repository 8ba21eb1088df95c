"""What all members stand on: the range, the level and the spread of one series, from its own samples.

Means are river statistics, so that they can be swapped, cloned and inspected like any other of river's.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from river.stats.base import Univariate

from detectors.grid import INTERVALS_MS, nearest_interval
from detectors.online.protocol import Sample
from detectors.suite.kernel import LIMIT, RANGE_AFTER
from detectors.suite.location import SETTLED
from detectors.suite.season import hour_of
from detectors.suite.tuning import Tuning


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

    def __init__(self, fading_factor: float, offset: int = 1) -> None:
        self.fading_factor = fading_factor
        self.offset = offset
        self.mean = 0.0
        self.n = 0

    def update(self, x: float) -> None:
        """Take a value in."""
        self.mean += max(self.fading_factor, 1.0 / (self.n + self.offset)) * (x - self.mean)
        self.n += 1

    def get(self) -> float:
        """Return the mean so far."""
        return self.mean


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
    """Range, level and spread; the level member reads its deviation from here."""

    p: Tuning
    anchor: float = 0.0
    low: float = 0.0
    high: float = 0.0
    count: int = 0
    last: float = 0.0
    last_ts: int = 0
    interval: int = 0
    level: WarmMean = field(init=False)
    spread: WarmMean = field(init=False)

    def __post_init__(self) -> None:
        self.level = WarmMean(self.p.level)
        self.spread = WarmMean(self.p.scale)

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

    def limit(self, spread: float, view: View, after: int = SETTLED) -> float:
        """Return how far off a sample may lie and still teach in full."""
        return self.p.clip * (spread + view.floor) if view.count > after else 1e300

    def learn(self, sample: Sample, view: View) -> None:
        """Absorb a sample; after all members have."""
        if self.count == 0:
            self.anchor = sample["value"] - view.x
        off = view.x - self.level.get()
        limit = self.limit(self.spread.get(), view)
        self.level.update(self.level.get() + min(max(off, -limit), limit))
        self.spread.update(min(abs(off), limit))
        decay = 0.0 if self.count < RANGE_AFTER else self.p.range_decay
        self.low = min(self.low + decay * (view.x - self.low), view.x)
        self.high = max(self.high + decay * (view.x - self.high), view.x)
        if self.count:
            nearest = int(INTERVALS_MS[nearest_interval(view.ts_ms - self.last_ts)])
            self.interval = nearest if self.interval == 0 else min(self.interval, nearest)
        self.last, self.last_ts = view.x, view.ts_ms
        self.count += 1

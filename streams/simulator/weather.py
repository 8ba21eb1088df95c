"""The small disturbances that every system lives with: stalls of single instances, hiccups of machines.

They are part of the world, not of its measurement: a stalled callee makes its callers wait as well. How
strong and how frequent they are differs from instance to instance; the medians come from the recordings
that `bench/realism.py` compares with.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

TAIL_SPREAD = 0.3
"""Usual deviation of an instance's latency tail from interval to interval, in logarithms."""
STALLS = 0.012
"""Share of intervals in which something stretches an instance's tail for once: a flush, a slow peer."""
HICCUPS_PER_DAY = 0.7
"""Of a machine, felt by all of its pods for up to a minute."""


@dataclass
class Weather:
    """Draws, interval by interval, how much longer than usual each instance's latency tail is."""

    machine: NDArray[np.int64]
    """Machine of each slot."""
    interval_s: float
    rng: np.random.Generator
    often: float = 1.0
    """So many times as often as usual instances stall."""
    _spread: NDArray[np.float64] = field(init=False)
    _stalls: NDArray[np.float64] = field(init=False)
    _hiccup: NDArray[np.float64] = field(init=False)

    def __post_init__(self) -> None:
        slots = len(self.machine)
        self._spread = TAIL_SPREAD * np.exp(self.rng.normal(0.0, 0.5, slots))
        self._stalls = self.often * np.clip(STALLS * np.exp(self.rng.normal(0.0, 1.0, slots)), 0.0, 0.08)
        self._hiccup = np.zeros(int(self.machine.max(initial=0)) + 1)

    def draw(self, steps: int) -> NDArray[np.float64]:
        """Factors on the tail's width as [interval, slot]; 1 is usual."""
        slots = len(self.machine)
        factor = np.exp(self.rng.normal(0.0, 1.0, (steps, slots)) * self._spread)
        stalled = self.rng.random((steps, slots)) < self._stalls
        factor *= np.where(stalled, np.exp(self.rng.exponential(1.0, (steps, slots))), 1.0)
        starts = self.rng.random((steps, len(self._hiccup))) < HICCUPS_PER_DAY * self.interval_s / 86_400.0
        lasts = self.rng.uniform(15.0, 60.0, starts.shape)
        for step in range(steps):
            self._hiccup = np.maximum(self._hiccup - self.interval_s, 0.0) + np.where(
                starts[step], lasts[step], 0.0
            )
            factor[step] *= np.where(self._hiccup[self.machine] > 0.0, 2.0, 1.0)
        return factor

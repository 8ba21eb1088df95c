"""How measuring blurs: counts are Poisson, quantiles rest on few requests, gauges carry noise of their own.

The medians of the noise come from the recordings that `bench/realism.py` compares with.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from streams.simulator.chunk import Chunk, Values


@dataclass
class Instruments:
    """Blurs true values; carries what must not jump between chunks."""

    rng: np.random.Generator
    interval_s: float
    _red: dict[str, Values] = field(default_factory=dict)
    _size: dict[str, Values] = field(default_factory=dict)
    _carry: dict[str, Values] = field(default_factory=dict)

    def count(self, expected: Values) -> Values:
        """A number of events, of this mean."""
        return self.rng.poisson(np.clip(expected, 0.0, 1e9)).astype(np.float64)

    def wobble(self, name: str, shape: tuple[int, int], size: float, lasts_s: float = 10.0) -> Values:
        """Multiplicative noise around 1, in the median of so much; it forgets itself within `lasts_s`.

        How much differs from instance to instance by a factor of two either way.
        """
        keep = float(np.exp(-self.interval_s / lasts_s))
        if name not in self._red:
            self._size[name] = size * np.exp(self.rng.normal(0.0, 0.7, shape[1]))
            self._red[name] = self.rng.normal(0.0, 1.0, shape[1])
        last = self._red[name]
        white = self.rng.normal(0.0, np.sqrt(1.0 - keep**2), shape)
        out = np.empty(shape)
        for t in range(shape[0]):
            last = keep * last + white[t]
            out[t] = last
        self._red[name] = last
        return np.exp(out * self._size[name])

    def bursts(self, name: str, shape: tuple[int, int], share: float, height: float) -> Values:
        """Factors of 1 and, in a `share` of the samples, of 1 plus something of mean `height`."""
        if name not in self._size:
            self._size[name] = np.minimum(share * np.exp(self.rng.normal(0.0, 1.0, shape[1])), 0.1)
        hit = self.rng.random(shape) < self._size[name]
        return 1.0 + np.where(hit, self.rng.exponential(height, shape), 0.0)

    def quantile(self, true: Values, requests: Values, spread: Values, q: float) -> Values:
        """A quantile estimated from `requests` durations; NaN where there were none.

        Standard error of a log-logistic quantile: 1 / (shape · sqrt(n q (1 - q))), in logarithms.
        """
        n = np.maximum(requests, 0.0)
        error = spread / np.sqrt(np.maximum(n, 1.0) * q * (1.0 - q) + 0.5)
        noisy = true * np.exp(self.rng.normal(0.0, 1.0, true.shape) * np.minimum(error, 0.8))
        return np.where(n < 0.5, np.nan, noisy)

    def sawtooth(self, chunk: Chunk) -> Values:
        """Garbage that awaits collection, in bytes, as [time, slot]."""
        alloc, room = chunk.owner("alloc"), 0.3 * chunk.owner("memory") + 1.0
        made = np.cumsum(alloc * chunk.of("done") * chunk.interval_s + 0.002 * room, axis=0)
        start = self._carry.setdefault("saw", self.rng.random(made.shape[1]) * room[0])
        total = made + start
        self._carry["saw"] = total[-1] % room[-1]
        return np.where(alloc > 0.0, total % room, 0.0)

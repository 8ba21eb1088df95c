"""The suite in plain Python, for one series: slow, legible, and equal to the compiled one."""

from __future__ import annotations

import numpy as np

from detectors.online.ground import Ground, View
from detectors.online.parts import Change, Level, Novelty, Part, Season, Shift, Spread, Still, Trend
from detectors.online.protocol import Sample
from detectors.suite import Tuning
from detectors.suite.budget import tail_of
from detectors.suite.kernel import LARGEST, RECORD_AFTER
from detectors.suite.tail import COLD, absorb, surprise


class Reference:
    """The suite in plain Python on river's statistics: slow, legible, and equal to `Suite`."""

    def __init__(self, tuning: Tuning | None = None) -> None:
        self.p = p = tuning or Tuning()
        self.ground = Ground(p)
        self._parts: tuple[tuple[float, Part], ...] = (
            (p.w_level, Level()),
            (p.w_trend, Trend()),
            (p.w_change, Change()),
            (p.w_season, Season()),
            (p.w_spread, Spread()),
            (p.w_shift, Shift()),
        )
        self._still, self._novelty = Still(), Novelty()
        self._tails = [np.zeros(4) for _ in range(len(self._parts) + 1)]
        self._record = self._hush = 0.0

    def score_one(self, x: Sample) -> float:
        """Return the surprise of a sample."""
        return self._judge(x)[0] if self.ground.accepts(x) else 0.0

    def learn_one(self, x: Sample) -> None:
        """Absorb a sample."""
        if not self.ground.accepts(x):
            return
        p, n = self.p, self.ground.count
        _, view, raw, everything, score, total = self._judge(x)
        for tail, deviation in zip(self._tails, raw, strict=False):
            absorb(tail, deviation, p.quantile, p.tail, n)
        absorb(self._tails[-1], score, p.own_quantile, p.own_tail, n)
        self._hush *= p.hush_decay
        if n > RECORD_AFTER:
            self._hush = max(self._hush, p.hush * total / (total + p.hush_at))
            self._record = max(self._record * p.record_decay, everything)
        parts: list[Part] = [self._still, self._novelty, *(part for _, part in self._parts)]
        for part in parts:
            part.learn(self.ground, view)
        self.ground.learn(x, view)

    def _judge(self, x: Sample) -> tuple[float, View, list[float], float, float, float]:
        p, ground = self.p, self.ground
        n, view = ground.count, ground.view(x)
        raw = [part.deviation(ground, view) for _, part in self._parts]
        said = [
            weight * surprise(tail, deviation, p.quantile, p.shape, p.cap, n)
            for (weight, _), tail, deviation in zip(self._parts, self._tails, raw, strict=False)
        ]
        said.append(p.w_still * self._still.deviation(ground, view))
        largest = max(0.0, *said)
        everything = largest + p.others * (sum(said) - largest) + self._novelty.deviation(ground, view)
        score = max(everything - p.record * self._record, 0.0)
        own = surprise(self._tails[-1], score, p.own_quantile, p.shape, LARGEST, n)
        total = ((1.0 - p.own) * score + p.own * own) * (1.0 - self._hush)
        said_so = float(tail_of(min(total, LARGEST))) if n >= COLD else 0.0
        return said_so, view, raw, everything, score, total

"""The suite in plain Python, for one series: slow, legible, and equal to the compiled one."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from detectors.online.ground import Ground, View, single
from detectors.online.parts import Level, Novelty, Part, Season, Spread, Still, Trend, student
from detectors.online.protocol import Sample
from detectors.suite import Tuning, remember
from detectors.suite.budget import tail_of
from detectors.suite.kernel import LARGEST
from detectors.suite.record import HOURS
from detectors.suite.tail import COLD, absorbed, surprise


@dataclass(slots=True)
class _Judged:
    view: View
    members: list[float]
    """Student's surprise of each member that has a tail."""
    everything: float
    score: float


class Reference:
    """The suite in plain Python on river's statistics: slow, legible, and equal to `Suite`."""

    def __init__(self, tuning: Tuning | None = None) -> None:
        self.p = p = tuning or Tuning()
        self.ground = Ground(p)
        self._season = Season(p.scale)
        self._parts: tuple[tuple[float, Part], ...] = (
            (p.w_level, Level()),
            (p.w_trend, Trend(p.scale)),
            (p.w_season, self._season),
            (p.w_spread, Spread(p.scale, p.fast)),
        )
        self._still, self._novelty = Still(), Novelty()
        self._tails = [np.zeros(2, np.float32) for _ in self._parts]
        self._record = self._peak = 0.0
        self._again = [0] * HOURS
        self._hour = -1

    def score_one(self, x: Sample) -> float:
        """Return the surprise of a sample."""
        if not self.ground.accepts(x) or self.ground.count < COLD:
            return 0.0
        return float(tail_of(self._judge(x).score))

    def learn_one(self, x: Sample) -> None:
        """Absorb a sample."""
        if not self.ground.accepts(x):
            return
        judged = self._judge(x)
        if self.ground.count >= COLD:
            for tail, one in zip(self._tails, judged.members, strict=True):
                tail[:] = absorbed(float(tail[0]), float(tail[1]), one)
        self._remember(judged)
        parts: list[Part] = [self._still, self._novelty, *reversed([part for _, part in self._parts])]
        for part in parts:
            part.learn(self.ground, judged.view)
        self.ground.learn(x, judged.view)

    def _judge(self, x: Sample) -> _Judged:
        p, ground = self.p, self.ground
        view = ground.view(x)
        deviations = {part: part.deviation(ground, view) for _, part in self._parts}
        members = [student(each, p.degrees) for each in deviations.values()]
        said = [
            weight * surprise(float(tail[0]), float(tail[1]), one)
            for (weight, _), tail, one in zip(self._parts, self._tails, members, strict=True)
        ]
        largest = max(0.0, *said, p.w_still * self._still.deviation(ground, view))
        everything = min(largest + p.w_novelty * self._novelty.deviation(ground, view), LARGEST)
        again = p.again * self._again[view.hour % HOURS] / remember.PARTS
        fresh = max(everything - max(p.record * self._record, again), 0.0)
        lasting = p.w_season * self._season.lasting(deviations[self._season], p)
        return _Judged(view, members, everything, max(fresh, lasting))

    def _remember(self, judged: _Judged) -> None:
        p, hour = self.p, judged.view.hour
        if self.ground.count > remember.AFTER:
            self._record = single(max(self._record * p.record_decay, judged.everything))
            if hour != self._hour and self._hour >= 0:
                day = self._hour % HOURS
                kept = max(self._peak, p.again_decay * self._again[day] / remember.PARTS)
                self._again[day] = math.floor(remember.PARTS * kept + 0.5)
                self._peak = 0.0
            self._peak = single(max(self._peak, judged.everything))
        self._hour = hour

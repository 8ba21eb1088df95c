"""How likely the first hypothesis is right: a logistic over the terms, calibrated online by verdicts."""

from __future__ import annotations

import math

from correlator.ranking import Scored
from correlator.scene import Scene

NEEDED = 30
"""Labelled incidents below which a confidence is a prior and says so."""
PRIOR = {"bias": -1.2, "margin": 2.4, "severity": 0.5, "groups": 0.25, "coverage": 0.2}
"""Shipped weights; refitted from development and simulated incidents."""


def features(ranked: list[Scored], scene: Scene) -> dict[str, float]:
    """What confidence rests on, each roughly within 0 to 3."""
    top = ranked[0]
    second = ranked[1].score if len(ranked) > 1 else 0.0
    mine = scene.evidence.get(top.candidate.service)
    return {
        "margin": (top.score - max(second, 0.0)) / max(top.score, 1e-9) if top.score > 0 else 0.0,
        "severity": math.log1p(max(top.score, 0.0)),
        "groups": float(len(mine.strong_groups)) if mine else 0.0,
        "coverage": float(len(scene.downstream_of(top.candidate.service))),
    }


class Calibration:
    """An online logistic model with a prior; `probability` is monotone in every feature of the prior."""

    def __init__(self) -> None:
        self.weights = dict(PRIOR)
        self.labels = 0

    @property
    def calibrated(self) -> bool:
        """Whether enough labelled incidents stand behind the number."""
        return self.labels >= NEEDED

    def probability(self, x: dict[str, float]) -> float:
        """P(the first hypothesis is right), within [.02, .98]."""
        z = self.weights["bias"] + sum(self.weights.get(k, 0.0) * min(v, 3.0) for k, v in x.items())
        return min(0.98, max(0.02, 1.0 / (1.0 + math.exp(-z))))


def spread(ranked: list[Scored], first: float, temperature: float = 1.5) -> list[float]:
    """Confidence of each hypothesis: the first as given, the rest share what is left by their scores."""
    if not ranked:
        return []
    weights = [math.exp((s.score - ranked[0].score) / temperature) for s in ranked[1:]]
    total = sum(weights) + 0.5
    return [first, *(min(first, (1.0 - first) * w / total) for w in weights)]

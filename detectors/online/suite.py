"""The suite for one series in river's protocol, whole or one member of it, compiled."""

from __future__ import annotations

from typing import Any

import numpy as np

from detectors.online.protocol import Sample
from detectors.suite import DEFAULT_BUDGET, MEMBERS, SuiteBank, Tuning

_QUIET = {f"w_{name}": 0.0 for name in MEMBERS} | {"record": 0.0, "again": 0.0}


def alone(name: str) -> Tuning:
    """Return a tuning in which one member counts, and nothing is taken off for what happened before."""
    return Tuning()._replace(**{**_QUIET, f"w_{name}": 1.0})


PARTS: dict[str, tuple[str, Tuning]] = {
    "level": ("distance from the slow level", alone("level")),
    "trend": ("error of Holt's forecast", alone("trend")),
    "season": ("distance from this hour of like days, or of the week before", alone("season")),
    "spread": ("recent variance against the usual one", alone("spread")),
    "still": ("runs of equal values, and samples that stay away", alone("still")),
    "novelty": ("values and sequences never seen", alone("novelty")),
}
"""Each member on its own, with what it looks at."""


class Suite:
    """All members together: the -log10 tail probability that `headwater score` writes.

    Parameters
    ----------
    budget
        False episodes per week; moves alerts only, never scores.
    tuning
        Which members count and how; by default all.
    """

    def __init__(self, budget: float = DEFAULT_BUDGET, tuning: Tuning | None = None) -> None:
        self._bank = SuiteBank(budget, tuning)

    def score_one(self, x: Sample) -> float:
        """Return what `learn_one` would find; the state stays as it is."""
        return float(self._bank.copy().score(*_columns(x)).score[0])

    def learn_one(self, x: Sample) -> None:
        """Absorb a sample."""
        self._bank.score(*_columns(x))

    def dump(self) -> bytes:
        """Serialise the state, versioned."""
        return self._bank.dump()

    def restore(self, state: bytes) -> None:
        """Take over a dumped state; `ValueError` when it cannot be read."""
        self._bank = SuiteBank.load(state)


def _columns(x: Sample) -> tuple[Any, Any, Any]:
    return (
        np.zeros(1, np.int32),
        np.array([x["ts_ms"]], dtype=np.int64),
        np.array([x["value"]], dtype=np.float64),
    )

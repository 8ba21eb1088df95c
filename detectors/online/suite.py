"""The suite for one series in river's protocol, whole or one member of it, compiled."""

from __future__ import annotations

from typing import Any

import numpy as np

from detectors.online.protocol import Sample
from detectors.suite import DEFAULT_BUDGET, SuiteBank, Tuning

_QUIET = {f"w_{name}": 0.0 for name in ("level", "trend", "change", "season", "spread", "shift", "still")}
_QUIET |= {"w_novelty": 0.0, "w_dense": 0.0, "others": 0.0, "record": 0.0, "own": 0.0, "hush": 0.0}


def alone(**weights: float) -> Tuning:
    """Return a tuning in which only the named weights count, without record, hush or second calibration."""
    return Tuning()._replace(**{**_QUIET, **weights})


PARTS: dict[str, tuple[str, Tuning]] = {
    "level": ("distance from the slow level", alone(w_level=1.0)),
    "trend": ("error of Holt's forecast", alone(w_trend=1.0)),
    "change": ("distance from the previous sample", alone(w_change=1.0)),
    "season": ("distance from this hour of the day or of the week before", alone(w_season=1.0)),
    "spread": ("short variance against the usual one", alone(w_spread=1.0)),
    "shift": ("distance between a near and a far level", alone(w_shift=1.0)),
    "still": ("runs of equal values, and samples that stay away", alone(w_still=1.0)),
    "novelty": ("values and sequences never seen", alone(w_novelty=1.0, w_dense=1.0)),
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

"""Which detectors of one series there are: ours, some of river's, and those that other packages bring.

A package adds its own by an entry point in the group `headwater.detectors`: a name, and a callable without
required arguments that returns an `OnlineDetector`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points

from river import anomaly, compose, preprocessing, stats, time_series

from detectors.online.adapter import RiverAdapter
from detectors.online.protocol import OnlineDetector
from detectors.online.suite import PARTS, Suite
from detectors.suite import DEFAULT_BUDGET, Tuning

GROUP = "headwater.detectors"


_SHOWN: dict[str, tuple[str, ...]] = {
    "level": ("level", "scale", "clip", "degrees"),
    "trend": ("trend", "scale", "clip", "degrees"),
    "season": ("day", "week", "week_visits", "season", "skill", "wide", "degrees"),
    "spread": ("fast", "scale", "degrees"),
    "still": (),
    "novelty": ("cells", "novelty", "w_one", "w_two", "w_three"),
}
"""Numbers of the tuning that a member reads."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A detector that can be chosen by name."""

    name: str
    source: str
    """`headwater`, `river` or the distribution that brings it."""
    summary: str
    parameters: dict[str, object]
    """Name to default, of the constructor."""
    make: Callable[[], OnlineDetector]


def _river() -> dict[str, tuple[Callable[[], object], str]]:
    return {
        "river-gaussian": (
            lambda: anomaly.GaussianScorer(window_size=1000, grace_period=100),
            "distance from a Gaussian over 1000 samples",
        ),
        "river-sad": (
            lambda: anomaly.StandardAbsoluteDeviation(sub_stat=stats.Mean()),
            "absolute deviation from the mean in standard deviations",
        ),
        "river-holt-winters": (
            lambda: anomaly.PredictiveAnomalyDetection(
                time_series.HoltWinters(alpha=0.3, beta=0.1), horizon=1, n_std=30.0, warmup_period=30
            ),
            "error of a Holt forecast; n_std=30, since 3 saturates",
        ),
        "river-half-space-trees": (
            lambda: preprocessing.MinMaxScaler() | anomaly.HalfSpaceTrees(seed=42),
            "mass of half-space trees over values scaled to the range so far",
        ),
    }


def available() -> dict[str, Listed]:
    """Return every detector that can be named, by name; one that cannot be loaded says why."""
    found = {"suite": Listed("suite", "headwater", _claim(Suite), _suite(), Suite)}
    for name, (summary, tuning) in PARTS.items():
        shown = {key: each for key, each in tuning._asdict().items() if key in _SHOWN[name]}
        found[name] = Listed(name, "headwater", summary, shown, lambda tuning=tuning: Suite(tuning=tuning))  # type: ignore[misc]
    for name, (build, summary) in _river().items():
        model = build()
        if isinstance(model, compose.Pipeline):
            model = list(model.steps.values())[-1]
        found[name] = Listed(
            name,
            "river",
            f"{type(model).__name__}: {summary}",
            {key: _plain(value) for key, value in model._get_params().items()},  # type: ignore[attr-defined]
            lambda build=build, name=name: RiverAdapter(build, name),  # type: ignore[misc]
        )
    for point in sorted(entry_points(group=GROUP), key=lambda each: each.name):
        found[point.name] = _foreign(point)
    return found


def _suite() -> dict[str, object]:
    return {"budget": DEFAULT_BUDGET, **Tuning()._asdict()}


def _foreign(point: EntryPoint) -> Listed:
    source = point.dist.name if point.dist else "unknown"
    try:
        make = point.load()
    except Exception as error:
        # A user's broken package must not take the others away.
        reason = f"cannot be loaded: {error!r}"

        def refuse() -> OnlineDetector:
            raise ValueError(f"detector {point.name} of {source} {reason}")

        return Listed(point.name, source, reason, {}, refuse)
    return Listed(point.name, source, _claim(make), _parameters(make), make)


def _claim(make: Callable[[], object]) -> str:
    return (inspect.getdoc(make) or "").split("\n", 1)[0].rstrip(".")


def _parameters(make: Callable[[], object]) -> dict[str, object]:
    try:
        signature = inspect.signature(make)
    except (TypeError, ValueError):
        return {}
    return {
        name: _plain(each.default)
        for name, each in signature.parameters.items()
        if each.default is not inspect.Parameter.empty
    }


def _plain(value: object) -> object:
    return value if isinstance(value, (int, float, str, bool, type(None))) else type(value).__name__

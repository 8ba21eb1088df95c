"""Fit the confidence's prior, and say how it does on systems that it was not fitted on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from correlator.confidence import LEAST, MOST, SURE, Prior
from streams.evaluation.examples import Example

L2 = 3.0
"""Weight decay per standardised feature, in examples: what few incidents speak for stays small."""
EXPECTED = {
    "lead": 1.0,
    "score": 1.0,
    "explains": 1.0,
    "flips": -1.0,
    "others": -1.0,
    "unseen": -1.0,
    "change": 1.0,
}
"""Sign of each weight, as anybody would have it."""
AGAIN = 0.25
"""Weight of an incident of a system that is shown a second time with less of what it records."""
STEPS = 50
BINS = 10
ALIKE = 1e-9
COVERAGES = (0.1, 0.25, 0.5, 0.75, 1.0)

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Table:
    """Examples as arrays; the judged and the last revision of one incident share its weight."""

    names: tuple[str, ...]
    x: Floats
    """One row an example; not a number where a system cannot show the feature."""
    y: Floats
    weight: Floats
    judged: NDArray[np.bool_]
    system: NDArray[np.str_]
    whole: NDArray[np.bool_]


def table(examples: Sequence[Example]) -> Table:
    """Examples as arrays, features in the order of their first mention."""
    names = tuple(dict.fromkeys(name for e in examples for name in e.looks))
    times: dict[tuple[str, str], int] = {}
    for e in examples:
        times[e.recording, e.incident_id] = times.get((e.recording, e.incident_id), 0) + 1
    return Table(
        names,
        np.array([[e.looks.get(name, np.nan) for name in names] for e in examples], dtype=np.float64),
        np.array([float(e.right) for e in examples]),
        np.array([(1.0 if e.whole else AGAIN) / times[e.recording, e.incident_id] for e in examples]),
        np.array([e.judged for e in examples]),
        np.array([e.system for e in examples]),
        np.array([e.whole for e in examples]),
    )


def fit(data: Table, rows: NDArray[np.bool_] | None = None, l2: float = L2) -> Prior:
    """Weights of the most likely logistic under a Gaussian prior on them, by Newton's method.

    A feature that is the same in all examples is left out, and so is, worst first, one whose weight would
    point against all reason: that is an accident of these systems.
    """
    names = data.names
    while True:
        found = _fit(data, names, rows, l2)
        wrong = [n for n, weight in found.weights.items() if weight * EXPECTED.get(n, weight) < 0.0]
        if not wrong:
            return found
        worst = max(wrong, key=lambda n: (abs(found.weights[n]), n))
        names = tuple(n for n in names if n != worst)


def _fit(data: Table, names: tuple[str, ...], rows: NDArray[np.bool_] | None, l2: float) -> Prior:
    chosen = np.ones(len(data.y), dtype=np.bool_) if rows is None else rows
    columns = [data.names.index(name) for name in names]
    x, y, weight = data.x[chosen][:, columns], data.y[chosen], data.weight[chosen]
    shown = np.where(np.isnan(x), 0.0, weight[:, None])
    total = np.maximum(shown.sum(axis=0), ALIKE)
    centre = (np.nan_to_num(x) * shown).sum(axis=0) / total
    apart = np.nan_to_num(x - centre)
    scale = np.sqrt((apart**2 * shown).sum(axis=0) / total)
    varies = scale > ALIKE
    z = np.column_stack([np.ones(len(y)), apart[:, varies] / scale[varies]])
    decay = np.full(z.shape[1], l2)
    decay[0] = 1e-3
    beta = np.zeros(z.shape[1])
    for _ in range(STEPS):
        p = 1.0 / (1.0 + np.exp(-np.clip(z @ beta, -30.0, 30.0)))
        slope = z.T @ (weight * (p - y)) + decay * beta
        curve = (z * (weight * np.maximum(p * (1.0 - p), 1e-6))[:, None]).T @ z + np.diag(decay)
        step = np.linalg.solve(curve, slope)
        beta -= step
        if float(np.abs(step).max()) < 1e-9:
            break
    kept = [name for name, v in zip(names, varies, strict=True) if v]
    return Prior(
        round(float(beta[0]), 4),
        dict(zip(kept, np.round(beta[1:], 4).tolist(), strict=True)),
        dict(zip(kept, np.round(centre[varies], 4).tolist(), strict=True)),
        dict(zip(kept, np.maximum(np.round(scale[varies], 4), 1e-4).tolist(), strict=True)),
    )


def stated(data: Table, prior: Prior) -> Floats:
    """Confidence of every example by a prior; as `Calibration.probability`, without learning."""
    z = np.full(len(data.y), prior.bias)
    for number, name in enumerate(data.names):
        if name in prior.weights:
            column = (data.x[:, number] - prior.centre[name]) / prior.scale[name]
            z += prior.weights[name] * np.nan_to_num(column)
    p: Floats = np.clip(1.0 / (1.0 + np.exp(-np.clip(z, -30.0, 30.0))), LEAST, MOST)
    return p


def left_out(data: Table, l2: float = L2) -> Floats:
    """Confidence of every example by a prior fitted on all other systems."""
    found = np.zeros(len(data.y))
    for system in np.unique(data.system):
        mine = data.system == system
        found[mine] = stated(data, fit(data, ~mine, l2))[mine]
    return found


def quality(p: Floats, y: Floats) -> dict[str, Any]:
    """Brier skill, calibration error, precision and coverage at confidence ≥ .8, risk by coverage."""
    if not len(y):
        return {"incidents": 0}
    base = float(y.mean())
    sure = p >= SURE
    spoken = base * (1.0 - base)
    order = np.argsort(-p, kind="stable")
    return {
        "incidents": len(y),
        "right": round(base, 3),
        "brier_skill": round(1.0 - float(((p - y) ** 2).mean()) / spoken, 3) if spoken > 0 else None,
        "calibration_error": round(calibration_error(p, y), 3),
        "precision_sure": round(float(y[sure].mean()), 3) if sure.any() else None,
        "coverage_sure": round(float(sure.mean()), 3),
        "risk_by_coverage": {
            f"{share:.2f}": round(1.0 - float(y[order[: max(1, round(share * len(y)))]].mean()), 3)
            for share in COVERAGES
        },
    }


def calibration_error(p: Floats, y: Floats) -> float:
    """Mean distance of stated and true share over ten bins of stated confidence, weighed by their size."""
    bins = np.minimum((p * BINS).astype(np.int64), BINS - 1)
    total = 0.0
    for number in np.unique(bins):
        mine = bins == number
        total += float(mine.sum()) * abs(float(p[mine].mean()) - float(y[mine].mean()))
    return total / len(y)

"""F1 with a delay: an anomaly counts as wholly found when it is noticed within its first points.

The rule of the AIOps-2018 KPI contest (iopsai/iops, evaluation.py): a labelled segment is one when any of
its first `delay + 1` points alerts, else missed; points outside count one by one; one F1 over all series.
The first 15 %, at most 750 points, of each series are left out as warm-up.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Labelled = tuple[Floats, NDArray[np.int8]]
"""Scores and labels of one series."""


def delay_f1(
    series: Sequence[Labelled], delay: int = 7, threshold: float | None = None
) -> tuple[float, float]:
    """Return F1 and the threshold: the best one, or the one given."""
    levels, hits, alarms = [np.empty(0)], [np.empty(0)], [np.empty(0)]
    labelled = 0
    for scores, labels in series:
        warm = int(min(0.15 * len(scores), 750))
        score, label = scores[warm:], labels[warm:] > 0
        ordinary = score[~label]
        levels.append(ordinary)
        hits.append(np.zeros(len(ordinary)))
        alarms.append(np.ones(len(ordinary)))
        edges = np.flatnonzero(np.diff(np.r_[0, label.astype(int), 0]))
        for begin, end in zip(edges[::2], edges[1::2], strict=True):
            labelled += int(end - begin)
            levels.append(np.array([score[begin : min(end, begin + delay + 1)].max()]))
            hits.append(np.array([float(end - begin)]))
            alarms.append(np.zeros(1))
    level, hit, alarm = np.concatenate(levels), np.concatenate(hits), np.concatenate(alarms)
    order = np.argsort(-level, kind="stable")
    level, found, false = level[order], np.cumsum(hit[order]), np.cumsum(alarm[order])
    last = np.r_[level[1:] != level[:-1], True] if len(level) else np.empty(0, bool)
    level, f1 = level[last], (2.0 * found / (found + false + labelled))[last]
    if threshold is None:
        k = int(np.argmax(f1))
        return float(f1[k]), float(level[k])
    above = level >= threshold
    return (float(f1[above][-1]) if above.any() else 0.0), threshold

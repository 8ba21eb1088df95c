"""The Numenta Anomaly Benchmark's score: early detection inside windows, false alarms outside, one threshold.

Rules of Lavin & Ahmad, "Evaluating Real-time Anomaly Detection Algorithms", ICMLA 2015, and of the corpus'
own scorer: a window earns by its earliest detection on a sigmoid; a false alarm costs more the further it
lies behind a window; the first 15 %, at most 750 points, score nothing; the threshold is the best one per
profile over the whole corpus; 0 is the detector that never speaks, 100 the perfect one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class Profile(NamedTuple):
    """What a detection earns, and what a false alarm and a missed window cost."""

    hit: float
    false_alarm: float
    miss: float


PROFILES = {
    "standard": Profile(1.0, 0.11, 1.0),
    "reward_low_fp": Profile(1.0, 0.22, 1.0),
    "reward_low_fn": Profile(1.0, 0.11, 2.0),
}


class LabelledFile(NamedTuple):
    """One file of the corpus: each point's worth, and the window it lies in (-1: none)."""

    scored_from: int
    worth: Floats
    window: NDArray[np.int64]
    windows: int


def _sigmoid(x: Floats) -> Floats:
    worth: Floats = np.where(x > 3.0, -1.0, 2.0 / (1.0 + np.exp(5.0 * np.minimum(x, 3.0))) - 1.0)
    return worth


def label_file(ts_ms: NDArray[np.int64], windows: Sequence[tuple[int, int]]) -> LabelledFile:
    """Lay windows, as (first, last) times of points of the file in ascending order, over a file."""
    n = len(ts_ms)
    worth, window = np.full(n, -1.0), np.full(n, -1)
    times = ts_ms.tolist()
    best = float(_sigmoid(np.array(-1.0)))
    right, width = -1, 0.0
    for k, (first, last) in enumerate([*windows, (-1, -1)]):
        begin = times.index(first) if k < len(windows) else n
        if right >= 0:
            behind = np.arange(right + 1, begin)
            worth[behind] = _sigmoid((behind - right) / (width - 1.0))
        if k == len(windows):
            break
        right = times.index(last)
        width = float(right - begin + 1)
        inside = np.arange(begin, right + 1)
        worth[inside] = _sigmoid(-(right - inside + 1) / width) / best
        window[inside] = k
    return LabelledFile(750 if n > 5000 else int(0.15 * n), worth, window, len(windows))


def nab_score(
    scores: Mapping[str, Floats],
    files: Mapping[str, LabelledFile],
    profile: Profile,
    threshold: float | None = None,
) -> tuple[float, float]:
    """Return the normalised score and the threshold: the best one, or the one given."""
    steps: list[tuple[Floats, Floats]] = []
    windows = sum(file.windows for file in files.values())
    reached = 0.0
    for name, file in files.items():
        counted = np.arange(len(file.worth)) >= file.scored_from
        outside = counted & (file.window < 0)
        steps.append((scores[name][outside], file.worth[outside] * profile.false_alarm))
        for k in range(file.windows):
            inside = counted & (file.window == k)
            if inside.any():
                reached -= profile.miss
                steps.append(_window_steps(scores[name][inside], file.worth[inside] * profile.hit, profile))
    levels = np.concatenate([level for level, _ in steps])
    gains = np.concatenate([gain for _, gain in steps])
    order = np.argsort(-levels, kind="stable")
    levels, totals = levels[order], reached + np.cumsum(gains[order])
    last = np.r_[levels[1:] != levels[:-1], True]
    levels, totals = levels[last], totals[last]
    nothing, perfect = -profile.miss * windows, profile.hit * windows
    if threshold is None:
        k = int(np.argmax(totals))
        found, threshold = (totals[k], float(levels[k])) if totals[k] > reached else (reached, np.inf)
    else:
        above = levels >= threshold
        found = totals[above][-1] if above.any() else reached
    return float(100.0 * (found - nothing) / (perfect - nothing)), float(threshold)


def _window_steps(level: Floats, worth: Floats, profile: Profile) -> tuple[Floats, Floats]:
    """Turn a window into what each lower threshold adds: its best detection so far counts."""
    order = np.lexsort((-worth, -level))
    best = np.maximum.accumulate(worth[order])
    return level[order], np.diff(np.r_[-profile.miss, best])

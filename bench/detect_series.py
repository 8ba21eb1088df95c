"""Single series: the suite and river's detectors on the same files, through the same scorers, in one run."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.online import available
from detectors.suite import DEFAULT_BUDGET, Scored
from streams.evaluation.delay_f1 import delay_f1
from streams.evaluation.nab import PROFILES, LabelledFile, label_file, nab_score
from streams.evaluation.series import WEEK_MS, SeriesFile, read_series, run_detector, run_suite, summarise

PEERS = ("river-gaussian", "river-sad", "river-holt-winters", "river-half-space-trees")
Floats = NDArray[np.float64]


def run(folder: Path, note: Callable[[str], None]) -> dict[str, Any]:
    """Return NAB scores, delayed F1 and, for the suite, what the budget amounts to."""
    nab, cloud = read_series(folder / "nab.parquet"), read_series(folder / "mscloud_odd.parquet")
    windows = json.loads((folder / "nab_windows.json").read_text())
    files = {
        name: label_file(nab.ts_ms[part], [tuple(each) for each in windows[name]])
        for name, part in _parts(nab).items()
    }
    result: dict[str, Any] = {}
    for peer in ("suite", *PEERS):
        note(f"{peer} on {len(nab.number) + len(cloud.number):,} points")
        scored, seconds = _run(nab, peer)
        on_cloud, more = _run(cloud, peer)
        result[peer] = {
            "nab": _nab(nab, scored, files),
            "delay7_f1": _f1(cloud, on_cloud),
            "points_per_s": round((len(nab.number) + len(cloud.number)) / (seconds + more)),
        }
        if peer == "suite":
            result[peer]["budget"] = _budget(nab, scored, cloud, on_cloud)
    return result


def _run(file: SeriesFile, name: str) -> tuple[Scored, float]:
    if name == "suite":
        return run_suite(file, DEFAULT_BUDGET)
    scored, seconds, _ = run_detector(file, available()[name].make)
    return scored, seconds


def _parts(file: SeriesFile) -> dict[str, slice]:
    bounds = np.searchsorted(file.number, np.arange(len(file.names) + 1))
    return {name: slice(int(bounds[k]), int(bounds[k + 1])) for k, name in enumerate(file.names)}


def _nab(file: SeriesFile, scored: Scored, files: dict[str, LabelledFile]) -> dict[str, float]:
    scores = {name: scored.score[part] for name, part in _parts(file).items()}
    return {name: round(nab_score(scores, files, profile)[0], 1) for name, profile in PROFILES.items()}


def _f1(file: SeriesFile, scored: Scored) -> dict[str, float]:
    """F1 with the best threshold of all series, and with each half's threshold on the other half."""
    assert file.label is not None
    series = [(scored.score[part], file.label[part]) for part in _parts(file).values()]
    halves = series[::2], series[1::2]
    crossed = [delay_f1(halves[1 - k], threshold=delay_f1(halves[k])[1])[0] for k in (0, 1)]
    return {
        "best_threshold": round(delay_f1(series)[0], 3),
        "cross_validated": round(sum(crossed) / 2, 3),
        "halves": [round(each, 3) for each in crossed],
    }


def _budget(*pairs: Any) -> dict[str, Any]:
    """Episodes outside labels over those that the budget allows: of all series, and the 90th percentile."""
    ratios, false, allowed = [], 0.0, 0.0
    for file, scored in zip(pairs[::2], pairs[1::2], strict=True):
        for row in summarise(file, scored, DEFAULT_BUDGET, 1.0)["series"]:
            part = _parts(file)[row["series"]]
            step = float(np.median(np.diff(file.ts_ms[part])))
            mine = float((file.label[part] == 0).sum()) * step / WEEK_MS * DEFAULT_BUDGET
            ratios.append(row["false_episodes"] / mine)
            false += row["false_episodes"]
            allowed += mine
    return {
        "budget_per_series_week": DEFAULT_BUDGET,
        "realised_over_budget": round(false / allowed, 2),
        "p90_of_series": round(float(np.quantile(ratios, 0.9)), 2),
    }

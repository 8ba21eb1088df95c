"""Single series from a Parquet file through the detectors, and what their alerts amount to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from detectors.online import Guarded, OnlineDetector
from detectors.suite import MEMBERS, Scored, SuiteBank
from streams.errors import UserError

WEEK_MS = 7 * 86_400_000
EPISODE_GAP = 10
"""Intervals between alerts of one episode, as in the suite's budget."""

BATCH = 1_000_000
OFTEN = 10_000
"""Rows between two words on progress: of the suite, and of objects that take up to a millisecond a row."""

Progress = Callable[[int], None]
"""Told how many rows are done."""


def ignore(done: int) -> None:
    """Nobody wants to know."""


@dataclass(frozen=True, slots=True)
class SeriesFile:
    """Rows of a file, sorted by series and time; `order` leads back to the file's own order."""

    names: list[str]
    number: NDArray[np.int32]
    ts_ms: NDArray[np.int64]
    value: NDArray[np.float64]
    label: NDArray[np.int8] | None
    order: NDArray[np.int64]


def read_series(path: Path) -> SeriesFile:
    """Read `series, ts_ms, value[, label]`; rows in any order.

    Raises
    ------
    UserError
        No such file, not Parquet, or a column is missing or of a type that cannot be used.
    """
    try:
        table = pq.read_table(path)
    except FileNotFoundError:
        raise UserError(f"{path} does not exist") from None
    except (pa.ArrowInvalid, OSError) as error:
        raise UserError(f"{path} cannot be read as Parquet: {error}") from None
    missing = {"series", "ts_ms", "value"} - set(table.column_names)
    if missing:
        raise UserError(
            f"{path} lacks the column {', '.join(sorted(missing))}; wanted: series, ts_ms, value[, label]"
        )
    if table["series"].null_count or table["ts_ms"].null_count:
        raise UserError(f"{path}: series and ts_ms must not be null")
    try:
        encoded: Any = pc.dictionary_encode(table["series"].cast(pa.string()).combine_chunks())
        stamps: Any = table["ts_ms"]
        if pa.types.is_timestamp(stamps.type):
            # As numbers they would be of any unit.
            stamps = stamps.cast(pa.timestamp("ms"), safe=False)
        ts_ms = stamps.cast(pa.int64()).to_numpy().astype(np.int64)
        value = table["value"].cast(pa.float64()).to_numpy(zero_copy_only=False).astype(np.float64)
        label = None
        if "label" in table.column_names:
            marks: Any = table["label"].cast(pa.int8())
            label = marks.fill_null(0).to_numpy().astype(np.int8)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, ValueError) as error:
        raise UserError(f"{path}: a column has a type that cannot be used: {error}") from None
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.chunk(0) if encoded.num_chunks else pa.array([], pa.string()).dictionary_encode()
    number = encoded.indices.to_numpy(zero_copy_only=False).astype(np.int32)
    order = np.lexsort((ts_ms, number)).astype(np.int64)
    return SeriesFile(
        encoded.dictionary.to_pylist(),
        number[order],
        ts_ms[order],
        value[order],
        None if label is None else label[order],
        order,
    )


def run_suite(file: SeriesFile, budget: float, progress: Progress = ignore) -> tuple[Scored, float]:
    """Score all rows with the suite; return the scores and the seconds it took, without compilation."""
    SuiteBank(budget).score(np.zeros(1, np.int32), np.ones(1, np.int64), np.ones(1))
    begin = perf_counter()
    bank, parts = SuiteBank(budget), []
    for at in range(0, max(len(file.number), 1), BATCH):
        part = slice(at, at + BATCH)
        parts.append(bank.score(file.number[part], file.ts_ms[part], file.value[part]))
        progress(min(at + BATCH, len(file.number)))
    scored = Scored(*(np.concatenate(column) for column in zip(*parts, strict=True)))
    return scored, perf_counter() - begin


def run_detector(
    file: SeriesFile, make: Callable[[], OnlineDetector], progress: Progress = ignore
) -> tuple[Scored, float, dict[str, str]]:
    """Score all rows with a detector of one series, one object a series; it scores, but never alerts.

    Its scores are its own surprise, of which no budget can be taken. One that raises is quarantined for its
    series: name and reason are returned last.
    """
    begin = perf_counter()
    n = len(file.number)
    score = np.zeros(n)
    detectors = [Guarded(make()) for _ in file.names]
    columns = zip(file.number.tolist(), file.ts_ms.tolist(), file.value.tolist(), strict=True)
    for row, (number, ts_ms, value) in enumerate(columns):
        sample: Any = {"ts_ms": ts_ms, "value": value}
        score[row] = detectors[number].score_one(sample)
        detectors[number].learn_one(sample)
        if row % OFTEN == 0:
            progress(row)
    nothing = Scored(score, np.zeros(n, np.int8), np.full(n, -1, np.int64), np.zeros(n, np.int8))
    named = zip(file.names, detectors, strict=True)
    quarantined = {name: each.quarantined for name, each in named if each.quarantined is not None}
    return nothing, perf_counter() - begin, quarantined


def write_scores(path: Path, file: SeriesFile, scored: Scored) -> None:
    """Write `series, ts_ms, score, alert, onset_ms` in the order of the input file.

    Raises
    ------
    UserError
        The file cannot be written.
    """
    back = np.empty_like(file.order)
    back[file.order] = np.arange(len(file.order))
    onset = scored.onset_ms[back]
    names: Any = pa.array(file.names, pa.string())
    table = pa.table(
        {
            "series": names.take(pa.array(file.number[back])),
            "ts_ms": pa.array(file.ts_ms[back]),
            "score": pa.array(scored.score[back]),
            "alert": pa.array(scored.alert[back]),
            "onset_ms": pa.array(onset, mask=onset < 0),
        }
    )
    try:
        pq.write_table(table, path)
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error}") from None


def summarise(file: SeriesFile, scored: Scored, budget: float, seconds: float) -> dict[str, Any]:
    """Return what the alerts amount to, per series and in all; against labels where there are any."""
    rows = []
    starts = np.searchsorted(file.number, np.arange(len(file.names) + 1))
    for k, name in enumerate(file.names):
        part = slice(int(starts[k]), int(starts[k + 1]))
        rows.append(_one(name, file, scored, part))
    weeks = sum(row["weeks"] for row in rows)
    episodes = sum(row["episodes"] for row in rows)
    total: dict[str, Any] = {
        "series": len(rows),
        "points": len(file.number),
        "missing": int((~np.isfinite(file.value)).sum()),
        "series_weeks": round(weeks, 2),
        "alerts": int(scored.alert.sum()),
        "episodes": episodes,
        "budget_per_series_week": budget,
        "episodes_per_series_week": round(episodes / weeks, 4) if weeks else None,
        "points_per_s": round(len(file.number) / seconds) if seconds else None,
        "wall_s": round(seconds, 3),
    }
    if file.label is not None:
        total["labelled"] = sum(row["labelled"] for row in rows)
        total["labelled_alerted"] = sum(row["labelled_alerted"] for row in rows)
        total["false_episodes"] = sum(row["false_episodes"] for row in rows)
        if weeks:
            total["false_episodes_per_series_week"] = round(total["false_episodes"] / weeks, 4)
    return {"total": total, "series": rows}


def _one(name: str, file: SeriesFile, scored: Scored, part: slice) -> dict[str, Any]:
    ts_ms, alert = file.ts_ms[part], scored.alert[part] > 0
    # Equal times are duplicates, not an interval.
    apart = np.diff(ts_ms)
    apart = apart[apart > 0]
    step = float(np.median(apart)) if len(apart) else 0.0
    member = scored.member[part][alert]
    row: dict[str, Any] = {
        "series": name,
        "points": len(ts_ms),
        "weeks": round((len(apart) + 1) * step / WEEK_MS, 4),
        "episodes": _episodes(ts_ms[alert], step),
        "highest": round(float(scored.score[part].max(initial=0.0)), 2),
        "members": {
            MEMBERS[k]: int(count) for k, count in zip(*np.unique(member, return_counts=True), strict=True)
        },
    }
    if file.label is not None:
        inside = file.label[part] > 0
        edges = np.flatnonzero(np.diff(np.r_[0, inside.astype(int), 0]))
        segments = list(zip(edges[::2], edges[1::2], strict=True))
        row["labelled"] = len(segments)
        row["labelled_alerted"] = sum(bool(alert[a:b].any()) for a, b in segments)
        row["false_episodes"] = _episodes(ts_ms[alert & ~inside], step)
    return row


def _episodes(times: NDArray[np.int64], step_ms: float) -> int:
    return int(len(times) and 1 + (np.diff(times) > EPISODE_GAP * step_ms).sum())

"""Which series a row of a recording belongs to: the one mapping that replay and evaluation share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from detectors.telemetry import Kind, Series
from streams.errors import RecordingError
from streams.recording.tables import EDGE_VALUES

EDGE_KINDS = {name: Kind.DELTA if name in ("calls", "errors") else Kind.GAUGE for name in EDGE_VALUES}
IDENTITY = ("service", "instance", "metric", "unit", "kind")


@dataclass(frozen=True, slots=True)
class Samples:
    """Samples as parallel columns in ascending time; a missing sample is not in them.

    Attributes
    ----------
    series : the distinct series, in order of first sight
    ts_ms : int64[n], ascending
    index : int32[n], into `series`
    value : float64[n], never NaN
    """

    series: tuple[Series, ...]
    ts_ms: NDArray[np.int64]
    index: NDArray[np.int32]
    value: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.ts_ms)


def metric_samples(table: pa.Table, path: Path | None = None) -> Samples:
    """One series a (service, instance, metric, unit, kind); `path` is named in errors.

    Raises
    ------
    RecordingError
        A kind that is not gauge, counter or delta.
    """
    codes, distinct = _distinct(table, IDENTITY)
    series = []
    for row in distinct:
        if row["kind"] not in tuple(Kind):
            raise RecordingError(
                f"{path or 'metrics'}: column 'kind' has {row['kind']!r}, expected gauge, counter or delta"
            )
        series.append(
            Series(
                row["service"],
                row["metric"],
                row["instance"],
                unit=row["unit"] or None,
                kind=Kind(row["kind"]),
            )
        )
    return _in_time(tuple(series), table["ts_ms"].to_numpy(), codes, table["value"].to_numpy())


def edge_samples(table: pa.Table) -> Samples:
    """One series a (caller, callee, value column), `peer` being the callee."""
    codes, pairs = _distinct(table, ("caller", "callee"))
    width = len(EDGE_VALUES)
    series = tuple(
        Series(
            pair["caller"],
            name,
            peer=pair["callee"],
            unit="s" if name.endswith("_s") else None,
            kind=EDGE_KINDS[name],
        )
        for pair in pairs
        for name in EDGE_VALUES
    )
    values = [table[name].to_numpy() for name in EDGE_VALUES]
    value = np.stack(values, axis=1).reshape(-1) if len(codes) else np.empty(0)
    index = (codes[:, None] * width + np.arange(width)).reshape(-1)
    return _in_time(series, np.repeat(table["ts_ms"].to_numpy(), width), index, value)


def _distinct(table: pa.Table, columns: tuple[str, ...]) -> tuple[NDArray[np.int64], list[dict[str, str]]]:
    """Number the distinct rows of some columns by first sight, without a Python loop over rows."""
    code = np.zeros(table.num_rows, dtype=np.int64)
    for name in columns:
        encoded: Any = pc.dictionary_encode(table[name].combine_chunks(), null_encoding="encode")
        code = code * max(1, len(encoded.dictionary)) + encoded.indices.to_numpy()
        # Renumbered after each column: a product of five dictionaries need not fit in 64 bits.
        _, code = np.unique(code, return_inverse=True)
    _, first, inverse = np.unique(code, return_index=True, return_inverse=True)
    by_sight = np.argsort(first, kind="stable")
    rank = np.empty_like(by_sight)
    rank[by_sight] = np.arange(len(by_sight))
    return rank[inverse], table.select(columns).take(first[by_sight]).to_pylist()


def _in_time(
    series: tuple[Series, ...],
    ts_ms: NDArray[np.int64],
    index: NDArray[np.int64],
    value: NDArray[np.float64],
) -> Samples:
    present = ~np.isnan(value)
    ts_ms, index, value = ts_ms[present], index[present], value[present]
    order = np.argsort(ts_ms, kind="stable")
    return Samples(series, ts_ms[order], index[order].astype(np.int32), value[order])


def chunks(times_ms: NDArray[np.int64], ends_ms: NDArray[np.int64]) -> Iterator[slice]:
    """Slices of ascending times, one an end: `previous end < t <= end`."""
    edges = np.concatenate(([0], np.searchsorted(times_ms, ends_ms, side="right")))
    for start, stop in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        yield slice(start, stop)

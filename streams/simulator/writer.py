"""Writes a recording as `FORMAT.md` lays it out: the same seed gives the same bytes, in bounded memory."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

EDGE_VALUES = ("calls", "errors", "client_p50_s", "client_p95_s", "server_p50_s", "server_p95_s", "gap_p95_s")


def _schema(**columns: Any) -> pa.Schema:
    return pa.schema([pa.field(name, kind) for name, kind in columns.items()])


TEXT, TIME, NUMBER = pa.string(), pa.int64(), pa.float64()
METRICS = _schema(ts_ms=TIME, service=TEXT, instance=TEXT, metric=TEXT, unit=TEXT, kind=TEXT, value=NUMBER)
EDGES = _schema(ts_ms=TIME, caller=TEXT, callee=TEXT, **dict.fromkeys(EDGE_VALUES, NUMBER))
ARRIVALS = _schema(ts_ms=TIME, service=TEXT, instance=TEXT, metric=TEXT, arrived_ms=TIME)
LOGS = _schema(ts_ms=TIME, service=TEXT, instance=TEXT, severity=TEXT, body=TEXT)


class Names:
    """Numbers strings for dictionary-encoded columns; number -1 is null."""

    def __init__(self) -> None:
        self._ids: dict[str, int] = {}
        self.all: list[str] = []

    def id(self, name: str) -> int:
        """The number of `name`."""
        found = self._ids.get(name)
        if found is None:
            found = self._ids[name] = len(self.all)
            self.all.append(name)
        return found

    def column(self, ids: NDArray[np.int32]) -> Any:
        """The strings of these numbers, as dictionary-encoded Arrow that holds no others.

        Parquet keeps a dictionary for every hour, and in weeks thousands of pods come and go.
        """
        used = np.zeros(len(self.all) + 1, bool)
        used[ids] = True
        mine = np.nonzero(used[:-1])[0]
        place = np.zeros(len(used), np.int32)
        place[mine] = np.arange(len(mine))
        return pa.DictionaryArray.from_arrays(
            pa.array(place[ids], pa.int32(), mask=ids < 0 if used[-1] else None),
            pa.array([self.all[number] for number in mine], pa.string()),
        )


class SortedTable:
    """One Parquet file written in time order from batches that overlap by a little.

    Rows at or after the `horizon` of a batch are kept back until the next one.
    """

    def __init__(self, path: Path, schema: pa.Schema, names: Names) -> None:
        self._names = names
        self._schema = schema
        self._words = [f.name for f in schema if pa.types.is_string(f.type) and f.name != "body"]
        encoded = [
            pa.field(f.name, pa.dictionary(pa.int32(), pa.string()) if f.name in self._words else f.type)
            for f in schema
        ]
        # Without the Arrow schema in the file readers see plain strings, whatever they were encoded as.
        self._encoded = pa.schema(encoded)
        self._writer = pq.ParquetWriter(
            path,
            self._encoded,
            compression="zstd",
            store_schema=False,
            use_dictionary=self._words,  # type: ignore[arg-type]
            write_statistics=False,
            column_encoding={"ts_ms": "DELTA_BINARY_PACKED"},
        )
        self._held: dict[str, NDArray[Any]] | None = None
        self.rows = 0
        self.last_ms = 0

    def write(self, columns: Mapping[str, NDArray[Any]], horizon_ms: int | None) -> None:
        """Append columns (string columns as numbers of `names`); None flushes everything."""
        if self._held is not None:
            columns = {name: np.concatenate([self._held[name], part]) for name, part in columns.items()}
        order = np.argsort(columns["ts_ms"], kind="stable")
        ts = columns["ts_ms"][order]
        ready = len(ts) if horizon_ms is None else int(np.searchsorted(ts, horizon_ms))
        now, later = order[:ready], order[ready:]
        self._held = {name: part[later] for name, part in columns.items()}
        if ready == 0:
            return
        arrays = [
            self._names.column(columns[field.name][now])
            if field.name in self._words
            else pa.array(columns[field.name][now], field.type)
            for field in self._schema
        ]
        self._writer.write_table(pa.Table.from_arrays(arrays, schema=self._encoded))
        self.rows += ready
        self.last_ms = int(ts[ready - 1])

    def close(self) -> None:
        """Write what was kept back and finish the file."""
        if self._held is not None:
            self.write({name: part[:0] for name, part in self._held.items()}, None)
        self._writer.close()


def write_lines(path: Path, lines: Iterable[Mapping[str, object]]) -> None:
    """One JSON object a line."""
    path.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))


def write_object(path: Path, value: Mapping[str, object]) -> None:
    """One JSON object, indented."""
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n")

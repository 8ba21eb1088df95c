"""Writing a recording: the same input gives the same bytes, and a half-written one is not a recording."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel

from streams.errors import RecordingError
from streams.recording import tables
from streams.recording.folder import FILES, MANIFEST


def write_recording(
    path: Path,
    *,
    name: str,
    system: str,
    start_ms: int,
    end_ms: int,
    interval_s: float,
    metrics: pa.Table,
    edges: pa.Table | None = None,
    logs: pa.Table | None = None,
    changes: Iterable[Any] | None = None,
    alerts: Iterable[Any] | None = None,
    topology: Mapping[str, Any] | None = None,
    labels: Iterable[Any] | None = None,
    ignored: Iterable[Any] | None = None,
    history: Sequence[str] = (),
    source: str = "headwater simulate",
    licence: str = "Apache-2.0",
    notes: Sequence[str] = (),
) -> Path:
    """Write one recording to the folder `path`, which must not hold one yet; returns `path`.

    Tables carry the columns of `streams.recording.tables` and are sorted by time (stable). Lines are
    mappings, dataclasses or pydantic models; None leaves a file out, an empty iterable writes an empty one.
    `recording.json` is written last: an interrupted run leaves no folder that passes for a recording.

    Raises
    ------
    RecordingError
        A recording is already there, a table has the wrong columns, or the disk refuses.
    """
    if (path / MANIFEST).exists():
        raise RecordingError(f"{path}: holds a recording already; remove it or choose another folder")
    lines = {
        FILES["changes"]: changes,
        FILES["alerts"]: alerts,
        "labels.jsonl": labels,
        "ignore.jsonl": ignored,
    }
    given = {"metrics": metrics, "edges": edges, "logs": logs}
    columns = {"metrics": tables.METRICS, "edges": tables.EDGES, "logs": tables.LOGS}
    try:
        path.mkdir(parents=True, exist_ok=True)
        for signal, table in given.items():
            if table is not None:
                _write_table(path / FILES[signal], table, columns[signal])
        for file, documents in lines.items():
            if documents is not None:
                (path / file).write_text("".join(_json(document) + "\n" for document in documents), "utf-8")
        if topology is not None:
            (path / FILES["topology"]).write_text(_json(topology, indent=1) + "\n", "utf-8")
        manifest = {
            "format": 1,
            "name": name,
            "system": system,
            "start_ms": start_ms,
            "end_ms": end_ms,
            "interval_s": interval_s,
            "signals": [signal for signal, file in FILES.items() if (path / file).is_file()],
            "source": source,
            "licence": licence,
            **({"history": list(history)} if history else {}),
            "notes": list(notes),
        }
        (path / MANIFEST).write_text(_json(manifest, indent=1) + "\n", "utf-8")
    except OSError as error:
        raise RecordingError(f"{path}: cannot be written ({error.strerror or error})") from None
    return path


def _write_table(file: Path, table: pa.Table, columns: tuple[tables.Column, ...]) -> None:
    try:
        table = table.select([column.name for column in columns]).cast(tables.schema_of(columns))
    except (KeyError, ValueError, pa.ArrowException) as error:
        raise RecordingError(f"{file}: {error}") from None
    order = np.argsort(table["ts_ms"].to_numpy(), kind="stable")
    pq.write_table(table.take(order).combine_chunks(), file, compression="zstd")


def _json(document: Any, indent: int | None = None) -> str:
    if isinstance(document, BaseModel):
        document = document.model_dump(mode="json", exclude={"domain", "type"}, exclude_none=True)
    elif is_dataclass(document) and not isinstance(document, type):
        document = asdict(document)
    return json.dumps(document, ensure_ascii=False, indent=indent)

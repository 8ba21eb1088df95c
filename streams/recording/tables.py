"""The columns of a recording's Parquet files, checked once when a file is read."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from streams.errors import RecordingError


class Column(NamedTuple):
    """One column: its name, what it must hold, and whether a row may lack it."""

    name: str
    type: pa.DataType
    nullable: bool = False
    required: bool = True
    """A column that is not required is filled with nulls (NaN for numbers) when absent."""


METRICS = (
    Column("ts_ms", pa.int64()),
    Column("service", pa.string()),
    Column("instance", pa.string(), nullable=True),
    Column("metric", pa.string()),
    Column("unit", pa.string(), nullable=True),
    Column("kind", pa.string()),
    Column("value", pa.float64(), nullable=True),
)
EDGE_VALUES = (
    "calls",
    "errors",
    "client_p50_s",
    "client_p95_s",
    "server_p50_s",
    "server_p95_s",
    "gap_p95_s",
)
EDGES = (
    Column("ts_ms", pa.int64()),
    Column("caller", pa.string()),
    Column("callee", pa.string()),
    *(Column(name, pa.float64(), nullable=True, required=False) for name in EDGE_VALUES),
)
LOGS = (
    Column("ts_ms", pa.int64()),
    Column("service", pa.string()),
    Column("instance", pa.string(), nullable=True),
    Column("severity", pa.string(), nullable=True),
    Column("body", pa.string()),
)

ARRIVALS = (
    Column("ts_ms", pa.int64()),
    Column("service", pa.string()),
    Column("instance", pa.string(), nullable=True),
    Column("metric", pa.string()),
    Column("arrived_ms", pa.int64()),
)


def read_table(path: Path, columns: tuple[Column, ...]) -> pa.Table:
    """Read one file with exactly these columns, in this order and of these types.

    Narrower numbers and other encodings of text are converted; further columns are dropped.

    Raises
    ------
    RecordingError
        The file is no complete Parquet file, or a column is missing, of another type, or has gaps
        where none may be; the message names file and column.
    """
    try:
        table = pq.read_table(path, partitioning=None)
    except (OSError, pa.ArrowException) as error:
        raise RecordingError(
            f"{path}: not a complete Parquet file ({_first_line(error)}); was it cut off while written?"
        ) from None
    arrays = [_column(path, table, column) for column in columns]
    return pa.table(arrays, schema=schema_of(columns))


def schema_of(columns: tuple[Column, ...]) -> pa.Schema:
    """The Arrow schema that these columns make."""
    return pa.schema([pa.field(column.name, column.type) for column in columns])


def _column(path: Path, table: pa.Table, column: Column) -> Any:
    if column.name not in table.column_names:
        if not column.required:
            return _filled(pa.array([None] * table.num_rows, column.type))
        have = ", ".join(table.column_names) or "none"
        raise RecordingError(f"{path}: column {column.name!r} is missing (it has: {have})")
    found: Any = table[column.name]
    if not _fits(found.type, column.type):
        raise RecordingError(f"{path}: column {column.name!r} holds {found.type}, expected {column.type}")
    try:
        if pa.types.is_dictionary(found.type):
            found = found.cast(found.type.value_type)
        found = found.cast(column.type)
    except pa.ArrowException as error:
        raise RecordingError(f"{path}: column {column.name!r}: {_first_line(error)}") from None
    if found.null_count and not column.nullable:
        row = pc.index(pc.is_null(found), True).as_py()
        raise RecordingError(f"{path}: column {column.name!r} has no value in row {row}")
    return _filled(found)


def _filled(values: Any) -> Any:
    return pc.fill_null(values, float("nan")) if pa.types.is_floating(values.type) else values


def _fits(found: pa.DataType, wanted: pa.DataType) -> bool:
    if pa.types.is_null(found):
        return True
    if pa.types.is_dictionary(found):
        found = found.value_type
    if pa.types.is_string(wanted):
        return pa.types.is_string(found) or pa.types.is_large_string(found)
    if pa.types.is_integer(wanted):
        return pa.types.is_integer(found)
    return pa.types.is_floating(found) or pa.types.is_integer(found)


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__

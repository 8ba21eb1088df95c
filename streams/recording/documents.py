"""The JSON files of a recording, read line by line with errors that say where."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import orjson
from pydantic import TypeAdapter, ValidationError

from streams.errors import RecordingError

T = TypeVar("T")


def read_object(path: Path) -> dict[str, Any]:
    """Read a file that holds one JSON object."""
    try:
        found = orjson.loads(path.read_bytes())
    except OSError as error:
        raise RecordingError(f"{path}: cannot be read ({error.strerror or error})") from None
    except orjson.JSONDecodeError as error:
        raise RecordingError(f"{path}: not JSON ({error})") from None
    if not isinstance(found, dict):
        raise RecordingError(f"{path}: expected one JSON object, found {type(found).__name__}")
    return found


def read_lines(path: Path, shape: TypeAdapter[T], **extra: Any) -> Iterator[T]:
    """Read one `shape` a line; empty lines are skipped, `extra` fields are added to each.

    Raises
    ------
    RecordingError
        Names the file, the line (from 1) and the field.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise RecordingError(f"{path}: cannot be read ({error.strerror or error})") from None
    for number, line in enumerate(raw.split(b"\n"), start=1):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        try:
            found = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            raise RecordingError(f"{where}: not JSON ({error})") from None
        if not isinstance(found, dict):
            raise RecordingError(f"{where}: expected a JSON object, found {type(found).__name__}")
        yield validated(where, shape, found | extra)


def validated(where: str, shape: TypeAdapter[T], found: dict[str, Any]) -> T:
    """Check one object; the error names the first field that does not fit."""
    try:
        return shape.validate_python(found)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "object"
        raise RecordingError(f"{where}: {field}: {first['msg']}") from None

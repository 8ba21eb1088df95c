"""`headwater bench ingest`: how fast raw records become telemetry, against the plain ways to do it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import ingest_decode


def run(_recordings: Path | None, _series: int, note: Callable[[str], None]) -> dict[str, Any]:
    """All parts of the ingest benchmark."""
    note("decoding: OTLP metrics and logs, remote write, JSON")
    return {"decode": ingest_decode.measure()}

"""`headwater bench ingest`: how fast raw records become telemetry, against the plain ways to do it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import ingest_broker
import ingest_decode
import ingest_scored


def run(_recordings: Path | None, series: int, note: Callable[[str], None]) -> dict[str, Any]:
    """All parts of the ingest benchmark."""
    note("decoding: OTLP metrics and logs, remote write, JSON")
    decode = ingest_decode.measure()
    note("remote write, bytes → scored")
    scored = ingest_scored.measure()
    return {"decode": decode, "scored": scored, "broker": ingest_broker.measure(series, note)}

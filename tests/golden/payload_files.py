"""Golden payloads: `payloads/NAME.json` holds records as a producer writes them, and what they become.

`{"about", "topic", "records": [{"document" | "text" | "base64", "headers"?}], "becomes" | "error"}`. To add
one, leave `becomes` out, run `python tests/golden/payload_files.py`, and review what it filled in.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

from detectors.catalog import Catalog
from streams.wire.decoders import Decoders
from streams.wire.record import RawRecord
from streams.wire.shown import shown
from streams.wire.telemetry import TelemetryBuilder

FOLDER = Path(__file__).parent / "payloads"
STAMP_MS = 1_790_000_000_000


def load(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text("utf-8"))


def records_of(payload: dict[str, Any]) -> list[RawRecord]:
    return [
        RawRecord(
            payload["topic"],
            0,
            offset,
            None,
            _value(record),
            tuple((name, text.encode()) for name, text in record.get("headers", {}).items()),
            STAMP_MS,
        )
        for offset, record in enumerate(payload["records"])
    ]


def _value(record: dict[str, Any]) -> bytes:
    if "base64" in record:
        return base64.b64decode(record["base64"])
    if "text" in record:
        return record["text"].encode()
    return json.dumps(record["document"]).encode()


def become(records: list[RawRecord]) -> dict[str, Any]:
    """Decode records in order; what they become, spelled out."""
    catalogs: dict[str, Catalog] = {}
    builder = TelemetryBuilder(lambda domain: catalogs.setdefault(domain, Catalog()))
    decoders = Decoders()
    for record in records:
        decoders.decode(record, builder)
    return shown(builder.take(), catalogs)


if __name__ == "__main__":
    for path in sorted(FOLDER.glob("*.json")):
        payload = load(path)
        if "error" in payload:
            continue
        payload["becomes"] = become(records_of(payload))
        path.write_text(json.dumps(payload, indent=1, ensure_ascii=False) + "\n", "utf-8")

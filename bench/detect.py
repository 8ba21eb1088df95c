"""`headwater bench detect`: accuracy and speed of detection against river and drain3-improved, in one run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import detect_logs
import detect_series
import detect_speed


def run(recordings: Path | None, scale: int, note: Callable[[str], None]) -> dict[str, Any]:
    """Return all figures; accuracy on series only when `recordings` has a folder `series`.

    Parameters
    ----------
    recordings
        Folder of recordings, with `series/nab.parquet` and `series/mscloud_odd.parquet`.
    scale
        Series in the speed test.
    """
    result: dict[str, Any] = {"speed": detect_speed.run(scale, note)}
    note("log templates")
    result["logs"] = detect_logs.run()
    folder = recordings / "series" if recordings else None
    if folder is not None and (folder / "nab.parquet").exists():
        result["series"] = detect_series.run(folder, note)
    return result

"""A hard limit on questions a day, which a restart does not reset."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path


class Budget:
    """Counts calls of the current UTC day in a small file.

    Parameters
    ----------
    file
        Where the count is kept; losing it resets the day.
    now
        The clock.
    """

    def __init__(
        self, file: Path, calls_per_day: int, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._file = file
        self._calls_per_day = calls_per_day
        self._now = now

    def take(self) -> bool:
        """Spend one call before it is made, for a crash must not be free; False when the day's are spent."""
        today = self._now().date().isoformat()
        spent = self._spent(today)
        if spent >= self._calls_per_day:
            return False
        self._file.parent.mkdir(parents=True, exist_ok=True)
        scratch = self._file.with_suffix(".new")
        scratch.write_text(json.dumps({"day": today, "calls": spent + 1}))
        os.replace(scratch, self._file)
        return True

    def _spent(self, today: str) -> int:
        try:
            found = json.loads(self._file.read_text())
            return int(found["calls"]) if found["day"] == today else 0
        except (OSError, ValueError, KeyError, TypeError):
            return 0

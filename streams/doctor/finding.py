"""What the doctor found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Level = Literal["fault", "warning", "note", "ok"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    level: Level
    """`fault`: results are wrong or missing until it is mended; `warning`: worse than they could be."""
    subject: str
    what: str
    do: str = ""
    """What to do about it; empty where there is nothing to do."""

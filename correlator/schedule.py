"""Weekly schedules of edges and maintenance, in UTC."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY_MS = 86_400_000
_MINUTE_MS = 60_000
_EPOCH_WEEKDAY = 3
"""1970-01-01 was a Thursday."""
_PATTERN = re.compile(
    r"^(?P<no>(?:except|not)\s+)?(?P<days>(?:mon|tue|wed|thu|fri|sat|sun|daily)"
    r"(?:\s*,\s*(?:mon|tue|wed|thu|fri|sat|sun))*)?\s*"
    r"(?P<span>(?P<h1>\d{1,2}):(?P<m1>\d{2})\s*-\s*(?P<h2>\d{1,2}):(?P<m2>\d{2}))?$"
)


@dataclass(frozen=True, slots=True)
class Schedule:
    """When something holds: `[except] DAY[,DAY…] [HH:MM-HH:MM]`, UTC; a span may cross midnight.

    Examples
    --------
    >>> schedule = Schedule.parse("except tue 02:00-04:00")
    >>> tuesday_0300 = 5 * 86_400_000 + 3 * 3_600_000
    >>> schedule.holds(tuesday_0300), schedule.holds(tuesday_0300 + 3_600_000)
    (False, True)
    """

    inverted: bool
    days: frozenset[int]
    from_minute: int
    to_minute: int

    @classmethod
    @lru_cache(maxsize=4096)
    def parse(cls, text: str) -> Schedule:
        """Read the text form.

        Raises
        ------
        ValueError
            The text is not of the form; the message shows an example.
        """
        found = _PATTERN.match(text.strip().lower())
        if found is None or not (found["days"] or found["span"]):
            raise ValueError(f"schedule {text!r} is not like 'except tue,thu 02:00-04:00' (UTC)")
        names = [d.strip() for d in (found["days"] or "daily").split(",")]
        days = frozenset(range(7)) if names == ["daily"] else frozenset(DAYS.index(d) for d in names)
        first, last = 0, 24 * 60
        if found["span"]:
            first = int(found["h1"]) * 60 + int(found["m1"])
            last = int(found["h2"]) * 60 + int(found["m2"])
            if first > 24 * 60 or last > 24 * 60 or int(found["m1"]) > 59 or int(found["m2"]) > 59:
                raise ValueError(f"schedule {text!r}: there is no such time of day")
        return cls(bool(found["no"]), days, first, last)

    def holds(self, at_ms: int) -> bool:
        """Whether it holds at an instant; the span's end is excluded."""
        day = (at_ms // _DAY_MS + _EPOCH_WEEKDAY) % 7
        minute = at_ms % _DAY_MS // _MINUTE_MS
        if self.from_minute < self.to_minute:
            inside = day in self.days and self.from_minute <= minute < self.to_minute
        else:  # past midnight: the part after it belongs to the day on which the span began
            inside = (day in self.days and minute >= self.from_minute) or (
                (day - 1) % 7 in self.days and minute < self.to_minute
            )
        return inside != self.inverted

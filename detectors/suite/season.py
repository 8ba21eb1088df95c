"""Season: distance from what this hour of the day, or of the week, usually brings.

Both are learned; the week speaks once it has visits and has lately erred less than the day.
"""

from __future__ import annotations

from detectors.compiled import compiled
from detectors.suite.location import limit_of
from detectors.suite.record import HOURS, WEEK, Record
from detectors.suite.tuning import Tuning

HOUR_MS = 3_600_000
MONDAY_H = 72
"""The epoch began on a Thursday; hours of the week are counted from Monday, UTC."""
COMPARED = 50
"""Samples on which day and week were both tried before one is preferred."""
SETTLED_SEASON = 100
OWN_PACE = 8.0
"""An hour's own spread learns so many times faster: it sees a twenty-fourth of the samples."""
WIDE = 3.0


@compiled
def hour_of(ts_ms: int) -> int:
    """Return the hour of the week, 0 … 167."""
    return int((ts_ms // HOUR_MS + MONDAY_H) % WEEK)


@compiled
def season_deviation(row: Record, hour: int, x: float, floor: float, p: Tuning) -> float:
    """Distance from the bucket's mean in its spread; 0 until it had three visits."""
    day = hour % HOURS
    if row.day_visits[day] < p.week_visits + 1:
        return 0.0
    weekly = row.week_visits[hour] >= p.week_visits and row.week_count > COMPARED
    if weekly and row.week_spread < row.day_error:
        return float(abs(x - row.week[hour]) / (row.week_spread + floor))
    spread = p.bucket_spread * row.day_own[day] + (1.0 - p.bucket_spread) * row.day_spread
    return float(abs(x - row.day[day]) / (spread + floor))


@compiled
def learn_season(row: Record, hour: int, x: float, floor: float, p: Tuning) -> None:
    """Absorb a sample; an hour's mean enters its buckets when the next hour begins."""
    if hour + 1 != row.hour:
        if row.hour_count > 0:
            _close_hour(row, row.hour - 1, row.hour_sum / row.hour_count, p)
        row.hour = hour + 1
        row.hour_sum = 0.0
        row.hour_count = 0
    row.hour_sum += x
    row.hour_count += 1
    day = hour % HOURS
    if row.day_visits[day] == 0:
        return
    limit = limit_of(row.day_spread, floor, p, row.count > SETTLED_SEASON)
    off = abs(x - row.day[day])
    if row.week_visits[hour] > 0:
        row.week_count += 1
        share = max(p.scale, 1.0 / row.week_count)
        row.week_spread += share * (min(abs(x - row.week[hour]), WIDE * limit) - row.week_spread)
        row.day_error += share * (min(off, WIDE * limit) - row.day_error)
    row.day_spread += max(p.scale, 1.0 / (row.count + 1)) * (min(off, limit) - row.day_spread)
    pace = max(OWN_PACE * p.scale, 0.25 / row.day_visits[day])
    row.day_own[day] += pace * (min(off, limit) - row.day_own[day])


@compiled
def _close_hour(row: Record, hour: int, mean: float, p: Tuning) -> None:
    day = hour % HOURS
    row.day[day] += max(p.day, 1.0 / (row.day_visits[day] + 1)) * (mean - row.day[day])
    row.day_visits[day] = min(row.day_visits[day] + 1, 255)
    row.week[hour] += max(p.week, 1.0 / (row.week_visits[hour] + 1)) * (mean - row.week[hour])
    row.week_visits[hour] = min(row.week_visits[hour] + 1, 255)

"""Trend: the error of Holt's forecast (Holt 1957), in units of its usual size."""

from __future__ import annotations

from detectors.compiled import compiled
from detectors.suite.location import SETTLED, limit_of
from detectors.suite.record import Record
from detectors.suite.tuning import Tuning

SLOPE = 0.05
"""The slope learns at a twentieth of the level's pace; faster ones overshoot after every step."""


@compiled
def trend_deviation(row: Record, x: float, floor: float) -> float:
    """Distance from the forecast, in spreads of such distances."""
    return float(abs(x - row.holt - row.slope) / (row.holt_spread + floor))


@compiled
def learn_trend(row: Record, x: float, floor: float, p: Tuning) -> None:
    """Absorb a sample."""
    error = x - row.holt - row.slope
    before = row.holt
    row.holt = before + row.slope + p.trend * error
    row.slope += SLOPE * p.trend * (row.holt - before - row.slope)
    limit = limit_of(row.holt_spread, floor, p, row.count > SETTLED)
    warm = max(p.scale, 1.0 / (row.count + 1))
    row.holt_spread += warm * (min(abs(error), limit) - row.holt_spread)

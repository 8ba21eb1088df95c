"""Trend: the error of Holt's forecast (Holt 1957), in units of its usual size."""

from __future__ import annotations

from detectors.compiled import double, inlined
from detectors.suite.location import SETTLED, clipped, learned, limit_of
from detectors.suite.record import Record
from detectors.suite.tuning import Tuning

SLOPE = 0.05
"""The slope learns at a twentieth of the level's pace; faster ones overshoot after every step."""


@inlined
def trend_deviation(row: Record, x: float, floor: float) -> float:
    """Distance from the forecast, in its root mean square."""
    return float(abs(x - row.holt - row.slope) / (row.holt_off + floor))


@inlined
def learn_trend(row: Record, x: float, floor: float, p: Tuning) -> None:
    """Absorb a sample."""
    before, slope = double(row.holt), double(row.slope)
    error = x - before - slope
    level = before + slope + p.trend * error
    row.slope = slope + SLOPE * p.trend * (level - before - slope)
    row.holt = level
    usual = double(row.holt_off)
    limit = limit_of(usual, floor, p, row.count > SETTLED)
    row.holt_off = learned(usual, clipped(error, limit), max(p.scale, 1.0 / (row.count + 1)))

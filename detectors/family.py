"""What a metric may mean: its family, the mathematics that follow from it, and whether lines were counted."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from detectors.anomaly import Family
from detectors.telemetry import Series


class Shape(IntEnum):
    """How a value becomes a quantity whose ordinary spread does not depend on its level."""

    LINEAR = 0
    LOG = 1
    """log(x + offset): what varies in proportion (latency, load, bytes)."""
    COUNT = 2
    """2·sqrt(x/offset + 3/8), Anscombe: a Poisson count gets standard deviation 1 whatever its mean.

    The offset is what one event adds: 1 in a count, 1/15 in the rate of a second over a quarter of a minute.
    """
    ASINH = 3
    """asinh(x): signed, proportional when large; for what nothing is known about."""


class Reading(IntEnum):
    """What a metric leaves open that its values tell; see `detectors.reading`."""

    NONE = 0
    SHARE = 1
    """A share of 1 or of 100."""
    TIME = 2
    """Seconds, milliseconds or microseconds."""
    EVENTS = 3
    """How much one event adds: a count adds 1, a rate less."""


class Volume(IntEnum):
    """How the number of requests behind a value enters its spread."""

    NONE = 0
    QUANTILE = 1
    """A quantile of few requests scatters: scale · sqrt(1 + 5/n)."""
    PERCENT = 2
    """A share of n requests: binomial spread as a floor."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """A metric's family and the mathematics that follow from it."""

    family: Family
    shape: Shape
    offset: float = 0.0
    floor: float = 0.0
    """Smallest scale, in the shape's own unit."""
    relative_floor: float = 0.05
    """Smallest scale as a share of the median: 5 % of the level is never news (lessons, step 2)."""
    inverted: bool = False
    """A share of success: stored as `top - x`, so that up is always worse."""
    top: float = 100.0
    volume: Volume = Volume.NONE
    load_is_rate: bool = False
    """LOAD only: requests a second (True) or requests in the interval (False)."""
    load_rank: int = 9
    """LOAD only: how well it counts the requests a service serves; the lowest speaks for it."""
    reading: Reading = Reading.NONE
    """What values have to tell, since neither unit nor name does."""


FLOOR_LOG = 0.1
"""A tenth in logarithms, 10 % of the level: below that, latency and load always move (lessons, step 2)."""
FLOOR_COUNT = 1.35
"""Interquartile range of a Poisson count after Anscombe's transform, 1.349 · 1."""
LATENCY_OFFSET_S = 0.002
"""Two milliseconds: what scheduling alone adds, so that 0.2 ms → 0.6 ms is not a tripling."""
BYTES_OFFSET = 100.0

LINE_UNIT = "{line}"
"""Unit of all counts of log lines."""
LOG_PREFIX = "log."
"""Of counts over a service's lines; a template's series bears the template's text."""
LOG_LINES = "log.lines"
MISSING = "log.missing "
"""Before a template's text: the share of its expected lines that did not come."""


def is_log(series: Series) -> bool:
    """Tell whether a series was counted from log lines."""
    return series.unit == LINE_UNIT or series.metric.startswith(LOG_PREFIX)


def is_template(series: Series) -> bool:
    """Tell whether a series counts the lines of one template."""
    return series.unit == LINE_UNIT and not series.metric.startswith(LOG_PREFIX)


def is_missing(series: Series) -> bool:
    """Tell whether a series is the share of one template's lines that did not come."""
    return series.metric.startswith(MISSING)

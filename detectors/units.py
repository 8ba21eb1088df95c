"""Units, as a series states them or as its name ends."""

from __future__ import annotations

from detectors.telemetry import Kind, Series
from detectors.words import LATENCY, TIMES_MEASURED, tokens, words_of

_PERCENT_WORDS = words_of("pct percent percentage")
_NO_UNITS = frozenset({"", "none", "null", "-", "unknown"})
_UNIT_NAMES = {"percent": "%", "pct": "%", "seconds": "s", "sec": "s", "milliseconds": "ms", "millis": "ms"}
_UNIT_NAMES |= {"microseconds": "us", "µs": "us", "nanoseconds": "ns", "bytes": "By"}
"""Spelled-out units (CloudWatch, Prometheus' names) in UCUM."""
SECONDS = {"s": 1.0, "sec": 1.0, "seconds": 1.0, "second": 1.0, "ms": 1e3, "milliseconds": 1e3}
SECONDS |= {"millis": 1e3, "us": 1e6, "µs": 1e6, "microseconds": 1e6, "ns": 1e9, "nanoseconds": 1e9}


def unit_of(series: Series) -> str | None:
    """Return the unit in UCUM that a series states, or that its name ends in; None where neither does.

    Examples
    --------
    >>> unit_of(Series("s", "CPUUtilization", unit="Percent")), unit_of(Series("s", "cpu_usage_pct"))
    ('%', '%')
    >>> unit_of(Series("s", "rt")), unit_of(Series("s", "request_duration_milliseconds_p99"))
    (None, 'ms')
    """
    stated = (series.unit or "").strip()
    if stated.lower() not in _NO_UNITS:
        return _UNIT_NAMES.get(stated.lower(), stated)
    words = tokens(series.metric)
    if "%" in series.metric or _PERCENT_WORDS.intersection(words):
        return "%"
    if series.kind is not Kind.GAUGE or not LATENCY.union(TIMES_MEASURED).intersection(words):
        return None
    return next((_UNIT_NAMES.get(word, word) for word in reversed(words) if word in SECONDS), None)

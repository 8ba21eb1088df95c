"""Shares of failed requests: series that nobody emits.

Computed at the end of a tick from what the bank has just judged; they go through the same bank as gauges,
under names that a person can read.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from detectors.family import tokens, words_of
from detectors.roster import Roster
from detectors.telemetry import Kind, Series

FRESH_INTERVALS = 1.5
"""Failures and requests further apart than this many intervals describe different minutes."""

_OF_REQUESTS = words_of(
    "request requests req call calls http rpc grpc response responses error errors 5xx failed failures "
    "fault faults exception exceptions"
)

Derived = dict[Series, tuple[int, float]]


def shares(roster: Roster, touched: NDArray[np.int32]) -> Derived:
    """Return the share of failed requests for each count of failures among the touched rows."""
    found: Derived = {}
    for row in map(int, touched[roster.counts_failures[touched]]):
        series = roster.series[row]
        if series is not None:
            found.update(_share(roster, row, series))
    return found


def _share(roster: Roster, row: int, series: Series) -> Derived:
    """Errors over requests, in per cent; both must be of one kind and one moment."""
    rows = roster.rows
    load = int(rows["load_row"][row])
    other = roster.series[load] if load >= 0 else None
    if other is None or other.kind is not series.kind or not _OF_REQUESTS & set(tokens(series.metric)):
        return {}
    ts = int(rows["last_ts"][row])
    if abs(ts - int(rows["last_ts"][load])) > FRESH_INTERVALS * max(int(rows["interval"][row]), 1000):
        return {}
    errors, requests = float(rows["last_value"][row]), float(rows["last_value"][load])
    if not requests > 0 or not errors >= 0:
        return {}
    share = series._replace(metric=f"{series.metric} per {other.metric}", unit="%", kind=Kind.GAUGE)
    return {share: (ts, min(100.0 * errors / requests, 100.0))}

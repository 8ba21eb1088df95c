"""Shares of failed requests and mean durations: series that nobody emits.

Computed at the end of a tick from what the bank has just judged; they go through the same bank as gauges,
under names that a person can read.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from detectors.roster import Roster
from detectors.telemetry import Kind, Series
from detectors.words import tokens, words_of

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
        series = roster.series_of(row)
        if series is not None:
            found.update(_share(roster, row, series))
    return found


def means(roster: Roster, touched: NDArray[np.int32]) -> Derived:
    """Return the mean duration for each sum of durations among the touched rows (`…_sum` over `…_count`).

    Many exporters offer nothing else: the sum alone grows with requests, and where a service is slow and has
    fewer of them it stays as it was.
    """
    found: Derived = {}
    for row in map(int, touched[roster.sums_time[touched]]):
        series, count = roster.series_of(row), roster.count_beside(row)
        if series is not None and count >= 0 and _are_of_one_moment(roster, row, count):
            things = float(roster.rows["last_value"][count])
            if things > 0:
                mean = series._replace(metric=f"{series.metric[:-3].rstrip('_.')} mean", kind=Kind.GAUGE)
                value = float(roster.rows["last_value"][row]) / things
                found[mean] = (int(roster.rows["last_ts"][row]), value)
    return found


def _are_of_one_moment(roster: Roster, row: int, other: int) -> bool:
    rows = roster.rows
    apart = abs(int(rows["last_ts"][row]) - int(rows["last_ts"][other]))
    return apart <= FRESH_INTERVALS * max(int(rows["interval"][row]), 1000)


def _share(roster: Roster, row: int, series: Series) -> Derived:
    """Errors over requests, in per cent; both must be of one kind and one moment."""
    rows = roster.rows
    load = int(rows["load_row"][row])
    other = roster.series_of(load) if load >= 0 else None
    if other is None or other.kind is not series.kind or not _OF_REQUESTS & set(tokens(series.metric)):
        return {}
    ts = int(rows["last_ts"][row])
    if not _are_of_one_moment(roster, row, load):
        return {}
    errors, requests = float(rows["last_value"][row]), float(rows["last_value"][load])
    if not requests > 0 or not errors >= 0:
        return {}
    share = series._replace(metric=f"{series.metric} per {other.metric}", unit="%", kind=Kind.GAUGE)
    return {share: (ts, min(100.0 * errors / requests, 100.0))}

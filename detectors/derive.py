"""Series that nobody emits: shares of failed requests, and a service's instances taken together.

Both are computed at the end of a tick from what the bank has just judged, and go through the same bank as
gauges under names that a person can read.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from detectors.anomaly import Family
from detectors.family import tokens, words_of
from detectors.roster import Roster, group_of
from detectors.telemetry import Kind, Series

FRESH_INTERVALS = 1.5
"""A value older than this many intervals is not combined with a new one: it describes another minute."""

EMIT_SLACK = 0.9
"""Share of an interval after which instances are pooled again; they report at different seconds."""

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


def pooled(roster: Roster, touched: NDArray[np.int32], now: int) -> Derived:
    """Return each service's instances taken together, for services with two or more of them."""
    found: Derived = {}
    for row in roster.groups(touched):
        series = roster.series[row]
        if series is not None and series.instance is not None:
            found.update(_pooled(roster, group_of(series), now))
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


def _pooled(roster: Roster, group: Series, now: int) -> Derived:
    """Load as a sum, all else as a mean over living instances, once an interval."""
    rows = roster.rows
    living = [row for row in roster.members(group) if roster.silent_for(row, now) <= FRESH_INTERVALS]
    if len(living) < 2:
        return {}
    meaning = roster.meaning[living[0]]
    if meaning is None:
        return {}
    whole = group
    if group.kind is Kind.COUNTER:
        # The rate of a counter is a gauge in its unit per second.
        whole = group._replace(kind=Kind.GAUGE, unit=f"{group.unit or '1'}/s")
    before = roster.row(whole)
    due = EMIT_SLACK * float(np.median(rows["interval"][living]))
    if before >= 0 and now - int(rows["last_ts"][before]) < due:
        return {}
    values = rows["last_value"][living]
    values = values[np.isfinite(values)]
    if not len(values):
        return {}
    value = float(values.sum() if meaning.family is Family.LOAD else values.mean())
    return {whole: (now, meaning.top - value if meaning.inverted else value)}

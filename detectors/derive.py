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
from detectors.versions import Contrast, contrast

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


def pooled(roster: Roster, touched: NDArray[np.int32], now: int) -> tuple[Derived, list[Contrast]]:
    """Return services with two or more instances: all of them taken together, and new against old."""
    found: Derived = {}
    contrasts: list[Contrast] = []
    for row in roster.groups(touched):
        series = roster.series[row]
        if series is not None and series.instance is not None:
            _pool(roster, row, group_of(series), now, found, contrasts)
    return found, contrasts


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


def _pool(
    roster: Roster, row: int, group: Series, now: int, found: Derived, contrasts: list[Contrast]
) -> None:
    """Add load as a sum, all else as a mean over living instances, once an interval."""
    rows = roster.rows
    living = [row for row in roster.members(group) if roster.silent_for(row, now) <= FRESH_INTERVALS]
    meaning = roster.meaning[row]
    if len(living) < 2 or meaning is None:
        return
    whole = group
    if group.kind is Kind.COUNTER:
        # The rate of a counter is a gauge in its unit per second.
        whole = group._replace(kind=Kind.GAUGE, unit=f"{group.unit or '1'}/s")
    before = roster.row(whole)
    due = EMIT_SLACK * float(np.median(rows["interval"][living]))
    if before >= 0 and now - int(rows["last_ts"][before]) < due:
        return
    values = rows["last_value"][living]
    values = values[np.isfinite(values)]
    if not len(values):
        return
    value = float(values.sum() if meaning.family is Family.LOAD else values.mean())
    found[whole] = now, meaning.top - value if meaning.inverted else value
    compared = contrast(roster, row, living, now)
    if compared is not None:
        contrasts.append(compared)

"""Services over their instances, and new versions against old ones, for all crowded groups of a tick."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.anomaly import Family
from detectors.compiled import compiled
from detectors.roster import NO_WHOLE, UNKNOWN, Roster
from detectors.rows import Rows
from detectors.telemetry import Kind, Series
from detectors.versions import Contrast, contrast

FRESH_INTERVALS = 1.5
"""A value older than this many intervals is not combined with a new one: it describes another minute."""
EMIT_SLACK = 0.9
"""Share of an interval after which instances are pooled again; they report at different seconds."""


class Pooled(NamedTuple):
    """What a tick's crowded groups give rise to."""

    row: NDArray[np.int32]
    value: NDArray[np.float64]
    newcomers: list[tuple[int, Series, float]]
    """Group, identity and first value of services that had one instance until now."""
    contrasts: list[Contrast]


def pooled(roster: Roster, touched: NDArray[np.int32], now: int) -> Pooled:
    """Take the living instances of each touched service and metric together.

    Load as a sum, all else as a mean. Once an interval, and only where two or more of them spoke in it.
    """
    crowded = touched[roster.crowd[touched] > 1]
    groups = np.unique(roster.group_of_row[crowded])
    groups = groups[roster.whole_of_group[groups] != NO_WHOLE] if len(groups) else groups
    starts, members = roster.members()
    sums, counts = np.zeros(len(groups)), np.zeros(len(groups), np.int64)
    _gather(roster.rows, groups, starts, members, roster.whole_of_group, now, sums, counts)
    rows, values, newcomers, contrasts = [], [], [], []
    for k in np.flatnonzero(counts > 1):
        group = int(groups[k])
        row = int(members[starts[group]])
        meaning = roster.meaning[row]
        if meaning is None:
            continue
        value = float(sums[k] if meaning.family is Family.LOAD else sums[k] / counts[k])
        value = meaning.top - value if meaning.inverted else value
        whole = int(roster.whole_of_group[group])
        if whole == UNKNOWN:
            newcomers.append((group, _whole(roster.group_series[group]), value))
        else:
            rows.append(whole)
            values.append(value)
        if roster.is_mixed[group]:
            living = [
                int(each)
                for each in members[starts[group] : starts[group + 1]]
                if roster.silent_for(int(each), now) <= FRESH_INTERVALS
            ]
            compared = contrast(roster, row, living, now)
            if compared is not None:
                contrasts.append(compared)
    return Pooled(np.array(rows, np.int32), np.array(values), newcomers, contrasts)


def _whole(group: Series) -> Series:
    if group.kind is not Kind.COUNTER:
        return group
    # The rate of a counter is a gauge in its unit per second.
    return group._replace(kind=Kind.GAUGE, unit=f"{group.unit or '1'}/s")


@compiled
def _gather(
    rows: Rows,
    groups: np.ndarray,
    starts: np.ndarray,
    members: np.ndarray,
    whole_of_group: np.ndarray,
    now: int,
    sums: np.ndarray,
    counts: np.ndarray,
) -> None:
    for k in range(len(groups)):
        group = groups[k]
        whole = whole_of_group[group]
        total = 0.0
        count = 0
        longest = 1000
        for j in range(starts[group], starts[group + 1]):
            row = rows[members[j]]
            interval = max(row.interval, 1000)
            if now - row.last_ts <= FRESH_INTERVALS * interval and np.isfinite(row.last_value):
                total += row.last_value
                count += 1
                longest = max(longest, interval)
        if whole >= 0 and now - rows[whole].last_ts < EMIT_SLACK * longest:
            count = 0
        sums[k] = total
        counts[k] = count

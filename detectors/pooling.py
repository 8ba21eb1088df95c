"""Services over their instances, and new versions against old ones, for all crowded groups of a tick."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.compiled import compiled
from detectors.dense import distinct
from detectors.groups import NO_WHOLE, UNKNOWN
from detectors.roster import Roster
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
    groups = distinct(roster.groups.of_row[crowded], len(roster.groups.series))
    groups = groups[roster.groups.whole[groups] != NO_WHOLE] if len(groups) else groups
    starts, members = roster.members()
    sums, counts = np.zeros(len(groups)), np.zeros(len(groups), np.int64)
    _gather(roster.rows, groups, starts, members, roster.groups.whole, now, sums, counts)
    several = counts > 1
    groups, sums, counts = groups[several], sums[several], counts[several]
    first = members[starts[groups]]
    pools, pool = roster.pools, roster.rows["pool"][first]
    values = np.where(roster.is_load[first] > 0, sums, sums / np.maximum(counts, 1))
    values = np.where(pools.inverted[pool] > 0, pools.top[pool] - values, values)
    wholes = roster.groups.whole[groups]
    newcomers = [
        (int(groups[k]), _whole(roster.groups.series[groups[k]]), float(values[k]))
        for k in np.flatnonzero(wholes == UNKNOWN)
    ]
    contrasts = [
        _contrast(roster, starts, members, int(group), now)
        for group in groups[roster.groups.is_mixed[groups]]
    ]
    known = wholes != UNKNOWN
    return Pooled(wholes[known], values[known], newcomers, [each for each in contrasts if each is not None])


def _contrast(
    roster: Roster, starts: NDArray[np.int64], members: NDArray[np.int64], group: int, now: int
) -> Contrast | None:
    mine = [int(each) for each in members[starts[group] : starts[group + 1]]]
    living = [each for each in mine if roster.silent_for(each, now) <= FRESH_INTERVALS]
    return contrast(roster, mine[0], living, now)


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

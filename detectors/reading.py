"""What neither unit nor name of a metric says, read off its values: 1 or 100, seconds or milliseconds.

Many exporters state no unit. A success rate of 0.5 is half of all requests or half a per cent of them; taken
for the wrong one an outage is a hundredth of what it is, or a flicker a hundred times. All series of one
metric are read together, so that a value that settles the matter settles it for all.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from detectors.family import LATENCY_OFFSET_S, Reading, Shape
from detectors.pools import Pools
from detectors.residual import MIN_SLOTS, shaped, unshaped
from detectors.rows import BLANK, Rows

WHOLE = 1.0001
"""A share of 1, and the rounding of whoever divided."""
LEAST_EVENT = 1.0 / 600.0
"""One event in ten minutes: rates look back on less, and what is smaller comes from an average's decay."""
SLOW = 5.0
"""No system answers in five seconds as a rule: a usual latency above it is in milliseconds, or, a thousand
times that, in microseconds."""
KEPT = ("pool", "load_row", "floor", "last_ts", "last_raw", "interval", "contrary")
"""What a row keeps when its values turn out to mean something else."""


def read_values(
    rows: Rows, pools: Pools, row: NDArray[np.int32], value: NDArray[np.float64], used: int
) -> None:
    """Look at the values of a tick before they are judged; what they settle changes the pools at once.

    Parameters
    ----------
    row, value
        Parallel columns, of rows whose pool has something to be read. Not finite values are skipped.
    used
        Rows in use. Those of a share of success that turns out to be one of 100 begin anew.
    """
    pool = rows["pool"][row]
    told = np.isfinite(value) & (value > 0)
    shares = told & (pools.reading[pool] == Reading.SHARE)
    before = pools.seen.copy()
    np.maximum.at(pools.seen, pool[shares], value[shares])
    for p in np.flatnonzero((pools.seen > WHOLE) & (before <= WHOLE) & (pools.reading == Reading.SHARE)):
        pools.floor[p] *= 100.0
        pools.top[p] = 100.0
        if pools.inverted[p]:
            for number in np.flatnonzero(rows["pool"][:used] == p):
                _begin_anew(rows, int(number))
    events = told & (pools.reading[pool] == Reading.EVENTS) & (pools.kind[pool] == 0)
    for p in np.unique(pool[events]):
        least = min(max(float(value[events & (pool == p)].min()), LEAST_EVENT), 1.0)
        # By halves: what shrinks a little is a mean of several instances, and no other unit.
        if least <= 0.5 * pools.offset[p]:
            _restate(rows, pools, int(p), least, used)
    times = told & (pools.reading[pool] == Reading.TIME) & (pools.seen[pool] == 0)
    for p in np.unique(pool[times]):
        pools.seen[p] = np.median(value[times & (pool == p)])
        _tell_time(rows, pools, int(p), float(pools.seen[p]), used)


def read_baselines(rows: Rows, pools: Pools, used: int) -> None:
    """Tell milliseconds by what is usual, and how many seconds the rate of a counter is of. Once a slot."""
    pool = rows["pool"][:used]
    counts = (pools.reading == Reading.EVENTS) & (pools.kind == 1)
    for p in map(int, np.flatnonzero((pools.reading == Reading.TIME) | counts)):
        mine = pool == p
        if counts[p]:
            interval = rows["interval"][:used][mine]
            if (known := interval[interval > 0]).size:
                _restate(rows, pools, p, 1000.0 / float(np.median(known)), used)
            continue
        medians = rows["median"][:used][mine & (rows["filled"][:used] >= MIN_SLOTS)]
        if len(medians):
            usual = unshaped(int(pools.shape[p]), float(pools.offset[p]), float(np.median(medians)))
            _tell_time(rows, pools, p, usual, used)


def _tell_time(rows: Rows, pools: Pools, p: int, usual: float, used: int) -> None:
    per_second = 1e6 if usual > 1e3 * SLOW else 1e3 if usual > SLOW else 1.0
    _restate(rows, pools, p, max(pools.offset[p], LATENCY_OFFSET_S * per_second), used)


def _restate(rows: Rows, pools: Pools, p: int, offset: float, used: int) -> None:
    """Change what is added to, or divides, the values of a pool; what was learned in the old terms goes."""
    if offset == pools.offset[p]:
        return
    nothing = shaped(int(pools.shape[p]), float(pools.offset[p]), 0.0)
    pools.offset[p] = offset
    learned = (rows["pool"][:used] == p) & (rows["filled"][:used] > 0)
    if pools.shape[p] == Shape.COUNT:
        # No events are no events, whatever one of them adds.
        learned &= np.abs(rows["median"][:used] - nothing) > 0.01
    for number in np.flatnonzero(learned):
        _begin_anew(rows, int(number))


def unit_read(pools: Pools, p: int) -> str | None:
    """Return the unit that the values of a pool showed, or None.

    Examples
    --------
    >>> from detectors.pools import allocate_pools
    >>> pools = allocate_pools(1)
    >>> pools.reading[0], pools.seen[0] = Reading.SHARE, 0.25
    >>> unit_read(pools, 0)
    '1'
    """
    if pools.reading[p] == Reading.SHARE:
        return "%" if pools.seen[p] > WHOLE else "1"
    if pools.reading[p] == Reading.TIME and pools.offset[p] > LATENCY_OFFSET_S:
        return "ms" if pools.offset[p] <= 1e3 * LATENCY_OFFSET_S else "us"
    return None


def _begin_anew(rows: Rows, row: int) -> None:
    kept = {name: rows[name][row].copy() for name in KEPT}
    rows[row] = BLANK
    for name, each in kept.items():
        rows[name][row] = each

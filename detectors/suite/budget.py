"""From surprise to alert: one budget of false episodes per series and week is the only threshold.

The sum of what members say is not yet a probability. `KNOTS` says how often ordinary samples of many series
reach it; from there, the budget over the samples of a week is the probability at which an alert begins. A
series that has used up its share must be more surprising, bounded, and is forgiven with time.
"""

from __future__ import annotations

import math

import numpy as np

from detectors.compiled import double, inlined, signed
from detectors.stamps import FORGOTTEN_MS, age_of, stamp_of
from detectors.suite.block import GAP, STRICT
from detectors.suite.record import Record

WEEK_MS = 7 * 86_400_000
KNOTS = (
    *((0.0, 0.0), (0.1, 0.86), (0.2, 1.11), (0.3, 1.3), (0.5, 1.56), (0.75, 1.81), (1.0, 2.0), (1.5, 2.39)),
    *((2.0, 2.92), (3.0, 3.25), (4.0, 3.52), (5.0, 3.73), (6.0, 3.97), (8.0, 4.3), (10.0, 4.5), (20.0, 6.0)),
)
"""(sum, -log10 of the share of ordinary samples that reach it), ascending; linear between and beyond.

Measured on the ordinary samples of 88 public series, the lesser of its halves up to 1.5; beyond, both are
rarer by 0.1 to 0.2, a margin: without it the 90th percentile of series spends 2.7 times its budget."""
_SUM, _RARE = np.array(KNOTS).T.copy()
"""Apart and as arrays: compiled code takes an element of nested tuples by asking for each."""
_STEEP = np.diff(_RARE) / np.diff(_SUM)
_PARTS = 20
"""Parts of 1 that a sum is looked up in; every knot is where one begins."""
_BEGINS = np.arange(int(_SUM[-1]) * _PARTS + 1) / _PARTS
_KNOT_AT = np.searchsorted(_SUM[1:-1], _BEGINS, "right").astype(np.uint8)
USED = 0.6
"""What one episode adds to a series' own threshold, in powers of ten; the budget takes it off over time.

With the bounds, one of 33 settings tried on 88 public series: both halves of them stay within 0.7 to 1.3
times the budget, and nine series in ten within 2.5 times (at 0.8: the same, with fewer faults found)."""
STRICTEST, LOOSEST = 2.5, -1.0
APART = 10
"""Intervals between two alerts of one episode."""
HOT = 1.5
"""Surprise that may be the beginning of an episode."""


@inlined
def tail_of(total: float) -> float:
    """Return -log10 of the probability that an ordinary sample says as much."""
    knot = signed(_KNOT_AT[min(int(total * _PARTS), len(_KNOT_AT) - 1)])
    return float(_RARE[knot] + (total - _SUM[knot]) * _STEEP[knot])


@inlined
def forgive(state: np.ndarray, reals: np.ndarray, upto: int, budget: float) -> None:
    """Restore what series may spend, over the time since their last samples."""
    pace = USED * budget / WEEK_MS
    for k in range(upto):
        state[STRICT + k] = max(double(state[STRICT + k]) - pace * reals[GAP + k], LOOSEST)


@inlined
def affordable_at(interval_ms: int, budget: float) -> float:
    """Return how rare a sample must be, of so many in a week, to be a false episode that is paid for."""
    return math.log10(WEEK_MS / interval_ms / budget) if interval_ms else 0.0


@inlined
def decide(row: Record, surprise: float, ts_ms: int, gap_ms: int, affordable: float) -> bool:
    """Tell whether a sample alerts, date its episode, and spend the series' budget."""
    if surprise < HOT:
        row.onset = 0
    elif row.onset == 0 or age_of(ts_ms, row.onset) > FORGOTTEN_MS:
        # It began after the last sample that was ordinary.
        row.onset = stamp_of(ts_ms - (gap_ms + 1) // 2)
    if row.interval == 0:
        return False
    if age_of(ts_ms, row.alert) > APART * row.interval:
        # Forgotten before its stamp could be taken for a later one.
        row.alert = 0
    wanted = affordable + row.strict
    if surprise < wanted:
        return False
    if row.alert == 0:
        row.strict = min(row.strict + USED, STRICTEST)
    row.alert = stamp_of(ts_ms)
    if row.onset == 0:
        # A generous budget pays for what is hardly a surprise.
        row.onset = row.alert
    return True

"""From deviations to tail probabilities: how rare a z of this size is, for its metric and for its series.

Three answers, of which the least extreme counts (lessons, step 4): the *pool* of the same metric over all
services, the series' *own* past, and its *record*, the third largest episode it has had: what a series has
done three times is not news. Scores are -log10 of a probability, at most `CAP`.

The quantile is 90 %, and excesses are judged by their median: with faults every eight minutes a 97 %
quantile and a mean lie inside the faults, and nothing is ever found (lessons, pitfall 1).
"""

from __future__ import annotations

import math

import numpy as np

from detectors.compiled import compiled
from detectors.rows import HALF_HOURS, OWN, PEAKS, Row

CAP = 12.0
SHAPE = 0.15
"""Shape of the generalised Pareto tail: heavier than exponential, as latency and load are."""
QUANTILE = 0.90
AT_QUANTILE = 1.0
"""-log10(1 - QUANTILE)."""
LEAST_U = 0.5
"""Below half an interquartile range a threshold is an artefact of a pooled scale."""

LEVELS = 255
FINEST = 0.01
RATIO = 1.05
"""Deviations are kept as levels of a geometric grid, 5 % apart from 0.01 to 2400: one byte each."""

OWN_AFTER = 30
"""Deviations before a series' own tail speaks: three above the quantile."""
POOL_AFTER = 100.0
"""Weight before the pooled tail speaks; until then `PRIOR_U`."""
PRIOR_U = 1.5
"""90 % of |z| of a normal series lie below 1.22 interquartile ranges; telemetry has heavier tails."""

EPISODE_Z = 2.0
APART_SLOTS = 8
RECORD_SLOTS = 720
"""Bursts above z = 2, more than 8 slots apart, are remembered for 720 slots (12 h of minutes)."""
HALF_HOUR_MS = 1_800_000
AT_RECORD = 1.7
"""Score at the record itself: where the correlator begins to count evidence."""


@compiled
def level_of(a: float) -> int:
    """Return the grid level of a deviation, 0 … 254."""
    if a <= FINEST:
        return 0
    return min(int(math.log(a / FINEST) / math.log(RATIO)) + 1, LEVELS - 1)


@compiled
def deviation_at(level: float) -> float:
    """Return the deviation in the middle of a level."""
    return float(FINEST * RATIO ** (level - 0.5))


@compiled
def beyond(a: float, u: float, b: float) -> float:
    """Return -log10 of the tail probability of `a`, with 10 % above `u` and generalised Pareto excesses."""
    if a <= u:
        return a / u * AT_QUANTILE
    return AT_QUANTILE + math.log10(1.0 + SHAPE * (a - u) / b) / SHAPE


@compiled
def own_threshold(row: Row) -> float:
    """Return the 90 % quantile of the series' own deviations, or 0 while it has too few."""
    if row.own_count < OWN_AFTER:
        return 0.0
    return max(deviation_at(float(row.own_level)), LEAST_U)


@compiled
def learn_own(row: Row, a: float) -> None:
    """Add a deviation to the series' own tail; the quantile moves by whole levels. Amortised O(1)."""
    own = row.own
    n = int(row.own_count)
    at = int(row.own_head)
    level = int(row.own_level)
    above = int(row.own_above)
    here = int(row.own_at)
    if n == OWN:
        gone = int(own[at])
        above -= gone > level
        here -= gone == level
    else:
        n += 1
    fresh = level_of(a)
    own[at] = fresh
    above += fresh > level
    here += fresh == level
    room = int((1.0 - QUANTILE) * n)
    while above > room:
        level += 1
        above, here = _count(own, n, level)
    while level > 0 and above + here <= room:
        level -= 1
        above, here = _count(own, n, level)
    row.own_count = n
    row.own_head = (at + 1) % OWN
    row.own_level = level
    row.own_above = above
    row.own_at = here


@compiled
def _count(own: np.ndarray, n: int, level: int) -> tuple[int, int]:
    above = 0
    here = 0
    for k in range(n):
        above += own[k] > level
        here += own[k] == level
    return above, here


@compiled
def record_of(row: Row, now: int, slot_ms: int) -> float:
    """Return the third largest finished burst of the last 720 slots, or 0 when there were fewer."""
    first = 0.0
    second = 0.0
    third = 0.0
    for k in range(PEAKS):
        if now - row.peak_ts[k] > RECORD_SLOTS * slot_ms:
            continue
        a = float(row.peak[k])
        if a > first:
            first, second, third = a, first, second
        elif a > second:
            second, third = a, second
        elif a > third:
            third = a
    return third


@compiled
def learn_burst(row: Row, a: float, now: int, slot_ms: int) -> None:
    """Follow bursts above z = 2; one that has been over for 8 slots enters the record."""
    if row.burst > 0.0 and now - row.burst_ts > APART_SLOTS * slot_ms:
        worst = 0
        for k in range(PEAKS):
            if now - row.peak_ts[k] > RECORD_SLOTS * slot_ms:
                worst = k
                break
            if row.peak[k] < row.peak[worst]:
                worst = k
        expired = now - row.peak_ts[worst] > RECORD_SLOTS * slot_ms
        if expired or row.burst > row.peak[worst]:
            row.peak[worst] = row.burst
            row.peak_ts[worst] = row.burst_ts
        row.burst = 0.0
    if a > EPISODE_Z:
        row.burst = max(row.burst, np.float32(a))
        row.burst_ts = now


@compiled
def learn_day(row: Row, a: float, now: int) -> None:
    """Keep the largest deviation of each half hour of the last three days."""
    half_hour = now // HALF_HOUR_MS
    gone = half_hour - row.half_hour
    if gone > HALF_HOURS or gone < 0:
        # Longer away than a day: what is remembered is of another time.
        for k in range(HALF_HOURS):
            row.today[k] = row.yesterday[k] = row.eve[k] = 0
        gone = 1
    for k in range(gone):
        at = (half_hour - k) % HALF_HOURS
        row.eve[at] = row.yesterday[at]
        row.yesterday[at] = row.today[at]
        row.today[at] = 0
    row.half_hour = half_hour
    at = half_hour % HALF_HOURS
    row.today[at] = max(row.today[at], level_of(a))


@compiled
def habit_of(row: Row, now: int) -> float:
    """Return what this time of day brought on both of the last two days, half an hour early or late; or 0."""
    half_hour = now // HALF_HOUR_MS
    if half_hour - row.half_hour > 1:
        return 0.0
    entered = 1 if half_hour > row.half_hour else 0
    one = 0
    two = 0
    for k in range(-1, 2):
        at = (half_hour + k) % HALF_HOURS
        # Half hours that this day has not reached yet are a day younger.
        if k >= 1 - entered:
            one = max(one, row.today[at])
            two = max(two, row.yesterday[at])
        else:
            one = max(one, row.yesterday[at])
            two = max(two, row.eve[at])
    a = deviation_at(float(min(one, two)))
    return a if a > EPISODE_Z else 0.0


@compiled
def rarity(row: Row, a: float, pool_u: float, pool_b: float, now: int, slot_ms: int) -> float:
    """Return the least extreme of pool, own, and what is known of it; 0 … `CAP`."""
    score = min(beyond(a, pool_u, pool_b), CAP)
    u = own_threshold(row)
    if u > 0.0:
        score = min(score, beyond(a, u, 0.6 * u))
    u3 = max(record_of(row, now, slot_ms), habit_of(row, now))
    if u3 > 0.0:
        if a <= u3:
            score = min(score, AT_RECORD * a / u3)
        else:
            score = min(score, AT_RECORD + math.log10(1.0 + SHAPE * (a - u3) / max(0.35 * u3, 0.5)) / SHAPE)
    return score


@compiled
def pool_tail(histogram: np.ndarray) -> tuple[float, float]:
    """Return threshold and excess scale of a pool from its histogram of levels.

    The median excess over the 90 % quantile is the 95 % quantile less the 90 %; ln 2 makes it a scale.
    """
    total = 0.0
    for k in range(LEVELS):
        total += histogram[k]
    if total < POOL_AFTER:
        return PRIOR_U, 0.5 * PRIOR_U
    u = _histogram_quantile(histogram, total, QUANTILE)
    excess = _histogram_quantile(histogram, total, 1.0 - (1.0 - QUANTILE) / 2.0) - u
    u = max(u, LEAST_U)
    return u, max(excess / math.log(2.0), 0.35 * u)


@compiled
def _histogram_quantile(histogram: np.ndarray, total: float, q: float) -> float:
    wanted = q * total
    seen = 0.0
    for k in range(LEVELS):
        if seen + histogram[k] >= wanted and histogram[k] > 0.0:
            return deviation_at(k + (wanted - seen) / histogram[k])
        seen += histogram[k]
    return deviation_at(float(LEVELS - 1))

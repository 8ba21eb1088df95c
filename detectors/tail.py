"""From deviations to tail probabilities: how rare a z of this size is, for its metric and for its series.

Three answers, of which the least extreme counts (lessons, step 4): the *pool* of the same metric over all
services, the series' *own* past, and its *record*, the third largest episode it has had: what a series has
done three times is not news. Scores are -log10 of a probability, at most `CAP`.

The quantile is 90 %, and excesses are judged by their median: with faults every eight minutes a 97 %
quantile and a mean lie inside the faults, and nothing is ever found (lessons, pitfall 1).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from detectors.codes import code_of, value_of
from detectors.compiled import compiled, inlined, signed
from detectors.lanes import third_peak, word_at
from detectors.rows import OWN, PEAKS, WEEK, Row, offset_of
from detectors.stamps import age_of, stamp_of

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
HOUR_MS = 3_600_000
AT_RECORD = 1.7
"""Score at the record itself: where the correlator begins to count evidence."""


OWN_BASE = 80
"""The highest level below `LEAST_U`, code 0 of a series' own deviations: none of those below can matter."""
OWN_CODES = 64
_ONES = 1 | 1 << 12 | 1 << 24 | 1 << 36
_CODES = 63 * _ONES
_OWN_AT = offset_of("own")
"""Codes of six bits reach from 0.5 to 10.5; a series that is so wild one time in ten is not held to more."""
HABIT_BASE = 110
HABIT_LEVELS = 6
"""Half a byte holds a habit: 15 steps of six levels, a third each, from `EPISODE_Z` up."""
HABITS = 16

_DEVIATIONS = FINEST * RATIO ** (np.arange(LEVELS) - 0.5)
_OWN_U = np.maximum(_DEVIATIONS[OWN_BASE : OWN_BASE + OWN_CODES], LEAST_U)
_HABIT_U = np.r_[0.0, _DEVIATIONS[HABIT_BASE + HABIT_LEVELS // 2 :: HABIT_LEVELS][: HABITS - 1]]


def _level_by_logarithm(a: float) -> int:
    return 0 if a <= FINEST else min(int(math.log(a / FINEST) / math.log(RATIO)) + 1, LEVELS - 1)


def _edge(level: int) -> float:
    """Return the smallest deviation of a level."""
    edge = FINEST * RATIO ** (level - 1)
    while _level_by_logarithm(edge) >= level:
        edge = math.nextafter(edge, 0.0)
    while _level_by_logarithm(edge) < level:
        edge = math.nextafter(edge, math.inf)
    return edge


_SHIFT = 52 - 5
"""A power of two is parted in 32: no part holds the edges of two levels, which are 5 % apart."""
_FIRST_PART, _PARTS = (1023 - 7) << 5, 20 << 5
"""From 2⁻⁷, below `FINEST`, to 2¹³, beyond the highest level."""
_EDGES = np.array([_edge(level) for level in range(1, LEVELS)])
_BEGINS = ((np.arange(_PARTS) + _FIRST_PART) << _SHIFT).view(np.float64)
_LEVEL_AT = np.searchsorted(_EDGES, _BEGINS, side="right").astype(np.uint8)
_NEXT_EDGE = np.append(_EDGES, np.inf)[_LEVEL_AT]


@inlined
def level_of(a: float) -> int:
    """Return the grid level of a deviation, 0 … 254; what its logarithm says, without one."""
    bits: Any = np.float64(a).view(np.int64)
    part = min(max((bits >> _SHIFT) - _FIRST_PART, 0), _PARTS - 1)
    return int(np.int64(_LEVEL_AT[part]) + (a >= _NEXT_EDGE[part]))


@compiled
def deviation_at(level: float) -> float:
    """Return the deviation in the middle of a level."""
    return float(FINEST * RATIO ** (level - 0.5))


@inlined
def beyond(a: float, u: float, b: float) -> float:
    """Return -log10 of the tail probability of `a`, with 10 % above `u` and generalised Pareto excesses."""
    if a <= u:
        return a / u * AT_QUANTILE
    return AT_QUANTILE + math.log10(1.0 + SHAPE * (a - u) / b) / SHAPE


@inlined
def own_threshold(row: Row) -> float:
    """Return the 90 % quantile of the series' own deviations, or 0 while it has too few."""
    if row.own_count < OWN_AFTER:
        return 0.0
    return float(_OWN_U[row.own_level])


@inlined
def _code_at(own: np.ndarray, k: int) -> int:
    """Read the k-th of the codes of six bits; four stand in three bytes."""
    byte = 6 * k >> 3
    shift = 6 * k & 7
    word = signed(own[byte])
    if shift > 2:
        word |= signed(own[byte + 1]) << 8
    return (word >> shift) & 63


@inlined
def _put_code(own: np.ndarray, k: int, code: int) -> None:
    byte = 6 * k >> 3
    shift = 6 * k & 7
    word = signed(own[byte])
    if shift > 2:
        word |= signed(own[byte + 1]) << 8
    word = (word & ~(63 << shift)) | (code << shift)
    own[byte] = word & 255
    if shift > 2:
        own[byte + 1] = word >> 8


@inlined
def learn_own(row: Row, level: int) -> None:
    """Add a deviation's level to the series' own tail; the quantile moves by whole codes. Amortised O(1)."""
    own = row.own
    n = signed(row.own_count)
    at = signed(row.own_head)
    quantile = signed(row.own_level)
    above = signed(row.own_above)
    here = signed(row.own_at)
    if n == OWN:
        gone = _code_at(own, at)
        above -= gone > quantile
        here -= gone == quantile
    else:
        n += 1
    fresh = min(max(level - OWN_BASE, 0), OWN_CODES - 1)
    _put_code(own, at, fresh)
    above += fresh > quantile
    here += fresh == quantile
    room = int((1.0 - QUANTILE) * n)
    while above > room:
        quantile += 1
        upto = above
        above = _above(row, n, quantile)
        here = upto - above
    while quantile > 0 and above + here <= room:
        quantile -= 1
        above += here
        here = _above(row, n, quantile - 1) - above
    row.own_count = n
    row.own_head = at + 1 if at + 1 < OWN else 0
    row.own_level = quantile
    row.own_above = above
    row.own_at = here


@compiled
def _above(row: Row, n: int, code: int) -> int:
    """Return how many of the series' own codes are above one, eight at a time."""
    if code < 0:
        return n
    total = 0
    # Every other code with six bits of room: the highest is set where code + room reaches it.
    room = _ONES * (2047 - code)
    for at in range(_OWN_AT, _OWN_AT + (6 * n + 7) // 8, 6):
        word = word_at(row, at)
        total += ((word & _CODES) + room >> 11) & _ONES
        total += ((word >> 6 & _CODES) + room >> 11) & _ONES
    return (total * _ONES >> 36) & 4095


@inlined
def record_of(row: Row, now: int, slot_ms: int) -> float:
    """Return the third largest finished burst of the last 720 slots, or 0 when there were fewer."""
    since = now // 1000 - RECORD_SLOTS * slot_ms // 1000
    return value_of(0, third_peak(row, max(since, 0)))


@inlined
def learn_burst(row: Row, a: float, now: int, slot_ms: int) -> None:
    """Follow bursts above z = 2; one that has been over for 8 slots enters the record."""
    if row.burst > 0.0 and age_of(now, row.burst_ts) > APART_SLOTS * slot_ms:
        since = now // 1000 - RECORD_SLOTS * slot_ms // 1000
        worst = 0
        for k in range(PEAKS):
            if row.peak_s[k] < since:
                worst = k
                break
            if row.peak[k] < row.peak[worst]:
                worst = k
        code = code_of(0, float(row.burst))
        if row.peak_s[worst] < since or code > row.peak[worst]:
            row.peak[worst] = code
            row.peak_s[worst] = (now - age_of(now, row.burst_ts)) // 1000
        row.burst = 0.0
    if a > EPISODE_Z:
        row.burst = max(row.burst, np.float32(a))
        row.burst_ts = stamp_of(now)


@compiled
def learn_week(row: Row, level: int, now: int) -> None:
    """Keep the largest deviation of each hour, of the last seven days and of the seven before."""
    hour = now // HOUR_MS
    gone = hour - signed(row.hour)
    if gone != 0:
        if gone > WEEK or gone < 0:
            # Longer away than a week: what is remembered is of another time.
            for k in range(WEEK):
                row.week[k] = 0
            row.usual[0] = row.usual[1] = 0
            gone = 1
        for k in range(gone - 1, -1, -1):
            at = (hour - k) % WEEK
            newest = signed(row.week[at]) & 15
            row.usual[(hour - k) & 1] = min(newest, signed(row.week[at]) >> 4)
            row.week[at] = newest << 4
        row.hour = hour
        row.habit = habit_at(row, hour)
    habit = min(max((level - HABIT_BASE) // HABIT_LEVELS + 1, 0), HABITS - 1)
    if habit > 0:
        at = hour % WEEK
        if habit > row.week[at] & 15:
            row.week[at] = (row.week[at] & 240) | habit


@inlined
def habit_of(row: Row, now: int) -> float:
    """Return what this time brought on both of the last two days, or in both of the last two weeks; or 0.

    An hour early or late: twice a year clocks are put forward or back.
    """
    hour = now // HOUR_MS
    if row.hour == 0 or hour - signed(row.hour) > 1:
        return 0.0
    if row.hour == hour:
        return float(_HABIT_U[row.habit])
    return float(_HABIT_U[habit_at(row, hour)])


@compiled
def habit_at(row: Row, hour: int) -> int:
    """Return the habit of an hour as its code; within that hour nothing is written that would change it.

    So a row keeps it: the week lies on three lines of cache of its own, which most samples need not touch.
    """
    at = hour % WEEK
    most = np.int64(0)
    for k in range(-1, 2):
        here = np.int64(row.week[_hour(at, k)])
        most = max(most, min(row.week[_hour(at, k - 24)] & 15, row.week[_hour(at, k - 48)] & 15))
        # Of hours that were entered already, what they brought in both weeks was noted then.
        most = max(
            most, np.int64(row.usual[(hour + k) & 1]) if hour + k <= row.hour else min(here & 15, here >> 4)
        )
    return int(most)


@compiled
def _hour(at: int, off: int) -> int:
    """Return the hour of the week so many hours away, two days at most."""
    at += off
    return at + WEEK if at < 0 else at - WEEK if at >= WEEK else at


@inlined
def rarity(row: Row, a: float, pool_u: float, pool_b: float, now: int, slot_ms: int) -> float:
    """Return the least extreme of pool, own, and what is known of it; 0 … `CAP`."""
    u = own_threshold(row)
    if a <= max(u, pool_u):
        # Nine samples in ten: of two such shares the lesser is that of the larger threshold.
        score = a / max(u, pool_u) * AT_QUANTILE
    else:
        score = min(beyond(a, pool_u, pool_b), CAP)
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

"""Episodes, not points: when one opens, how long it lasts, when it began, and what is not one.

A series is *armed*, *open* or *spent*. It opens on the first sample rarer than `OPEN`, closes after two
calm steps, and may speak again only when it has been calm (lessons, step 6). Flapping is one episode: what
has lasted may pause for as long and go on. A return to the level from before an episode is not a second one.
"""

from __future__ import annotations

import numpy as np

from detectors.compiled import compiled, inlined, signed
from detectors.grid import COARSE_MS, MAX_GAP, STEP_MS
from detectors.rows import TRAIL, Row
from detectors.stamps import age_of, stamp_of

OPEN = 1.5
"""Rarity that opens an episode: once in 30 samples, far too often to publish, early enough to date it."""
CALM = 1.0
PUBLISH = 1.3
"""Sustained score that is published: two samples at `OPEN` reach 1.9. The correlator counts from 1.7."""
HOME_S = 24 * 3600
"""How long the level from before an episode stays known."""
HOME_WIDTH = 1.5
"""Spreads around that level that count as a return to it."""
BACK_Z = 1.0
"""Deviation that still belongs to an episode when its beginning is dated back."""
TEACHES_MS = 300_000
"""What an episode may say of what is ordinary, however long it lasts: a twelfth of the hour that a series of
four samples a minute is judged by, less than the tenth above its threshold."""
SURE = 6.0
"""Sustained score from which that is bounded; what is less rare is taught in full, or tails would shorten
themselves: each sample left out makes the next look rarer. From 3 on, 95 simulated faults came with 15 extra
incidents and two false ones instead of 12 and one."""
ACCEPTED_MS = 1_200_000
"""From here on a level is taken for a new one and learned. Of a fault of half an hour a quarter of the
baseline is faulty then, and its quartiles stay where they were; of a lasting step the median moves after 45
minutes."""

FLAP_MS = 180_000
"""The longest pause: what is calm for longer, people tell apart. Going on after any pause of five minutes
took two faults of one service, eight minutes apart, for one, and lost the second."""

ARMED, OPENED, SPENT = 0, 1, 2
SILENT, SPEAK, CLOSE = 0, 1, 2


@inlined
def calm_for(interval_ms: int) -> int:
    """Return how long a series must be calm to close or re-arm: two steps, or one coarse interval."""
    if interval_ms >= COARSE_MS:
        return int(0.8 * interval_ms)
    return int(1.8 * max(interval_ms, STEP_MS))


@inlined
def follow(
    row: Row,
    y: float,
    score: float,
    lasting: float,
    sign: int,
    scale: float,
    now: int,
    interval_ms: int,
) -> int:
    """Move the series' episode by one sample; return SILENT, SPEAK or CLOSE."""
    hot = score >= CALM
    if sign != row.sign and score > OPEN and _gives_way(row, lasting):
        row.phase = ARMED
    if row.phase == OPENED:
        if hot and sign == row.sign:
            row.hot_ts = stamp_of(now)
        elif age_of(now, row.hot_ts) >= _pause(row, interval_ms) or (sign != row.sign and lasting > row.best):
            return _close(row, y, hot, now)
        if lasting > row.best and sign == row.sign:
            row.best = lasting
        return SPEAK if row.best >= PUBLISH else SILENT
    if row.phase == SPENT:
        if hot:
            row.hot_ts = stamp_of(now)
        elif age_of(now, row.hot_ts) >= calm_for(interval_ms):
            row.phase = ARMED
        return SILENT
    if score <= OPEN:
        return SILENT
    row.hot_ts = stamp_of(now)
    known = row.home == row.home and now // 1000 - row.home_s <= HOME_S
    if known and abs(y - row.home) <= HOME_WIDTH * max(float(row.home_scale), scale):
        row.home_s = 0
        row.phase = SPENT
        row.best = np.inf
        return SILENT
    row.phase = OPENED
    row.sign = sign
    row.first_ts = stamp_of(now)
    row.best = lasting
    row.before = row.median
    row.before_scale = scale
    _date_back(row, sign, scale, now, interval_ms)
    return SPEAK if lasting >= PUBLISH else SILENT


@inlined
def _pause(row: Row, interval_ms: int) -> int:
    """Return how long an open episode may be calm and go on: as long as it has lasted, up to `FLAP_MS`."""
    # A sample speaks for the interval that ends at it, and the next may come a fifth of one late.
    late = interval_ms // 5
    lasted = age_of(signed(row.hot_ts), row.first_ts) + interval_ms
    return int(max(calm_for(interval_ms), min(lasted, FLAP_MS) + late))


@inlined
def _gives_way(row: Row, lasting: float) -> bool:
    """Tell whether an episode makes room for what comes on its other side.

    What swings back is an overshoot and no news, unless there is more in it than there was in the episode.
    From noise that nobody heard of nothing swings back: as long as it stood in the way, one fault in a
    hundred was silent until it ended.
    """
    if row.phase == OPENED:
        return bool(row.best < PUBLISH)
    return bool(row.phase == SPENT and lasting > row.best)


@inlined
def teaches(row: Row, now: int) -> bool:
    """Tell whether a sample may say what is ordinary: not deep in what is surely an episode.

    The baseline asks before the sample that ends a slot has moved the episode, the tails ask after it.

    Peaks over a threshold are counted by cluster, since an episode is one event however long it lasts. When
    all its samples counted, a fault of twenty minutes was a third of the hour that its service was then
    measured by, and for that hour the next fault of it was ordinary.
    """
    if row.phase != OPENED or row.best < SURE:
        return True
    age = age_of(now, row.first_ts)
    return bool(age <= TEACHES_MS or age > ACCEPTED_MS)


@compiled
def _close(row: Row, y: float, hot: bool, now: int) -> int:
    said = row.best >= PUBLISH
    # What lasts is known to the series' own tail long before its median has moved.
    moved = abs(row.median - row.before) > row.before_scale
    moved |= abs(y - row.before) > HOME_WIDTH * row.before_scale
    if moved and (row.home != row.home or now // 1000 - row.home_s > HOME_S):
        row.home = row.before
        row.home_scale = row.before_scale
        row.home_s = now // 1000
    # Swinging to the other side is the recovery's overshoot, not calm.
    row.phase = SPENT if hot else ARMED
    if hot:
        row.hot_ts = stamp_of(now)
    return CLOSE if said else SILENT


@compiled
def _date_back(row: Row, sign: int, scale: float, now: int, interval_ms: int) -> None:
    """Walk back while samples deviate the same way; the onset lies before the earliest of them.

    A sample speaks for the interval that ends at it, so the onset is placed half an interval earlier, give
    or take the other half.
    """
    earliest = now
    border = now - interval_ms
    for j in range(1, TRAIL + 1):
        k = (row.trail_head - j) % TRAIL
        if row.trail_ts[k] == 0:
            break
        t = now - age_of(now, row.trail_ts[k])
        border = t
        if sign * (row.trail[k] - row.median) < BACK_Z * scale:
            break
        if earliest - t > MAX_GAP * interval_ms:
            break
        earliest = t
    half = max(min(earliest - border, int(MAX_GAP * interval_ms)), 0) // 2
    row.onset_ts = stamp_of(earliest - half)
    row.onset_half = half

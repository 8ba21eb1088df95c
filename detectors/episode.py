"""Episodes, not points: when one opens, how long it lasts, when it began, and what is not one.

A series is *armed*, *open* or *spent*. It opens on the first sample rarer than `OPEN`, closes after two
calm steps, and may speak again only when it has been calm (lessons, step 6), so that flapping is one
episode. A return to the level from before an episode is not a second one.
"""

from __future__ import annotations

from detectors.compiled import compiled
from detectors.grid import COARSE_MS, MAX_GAP, STEP_MS
from detectors.rows import NEVER, TRAIL, Rows

OPEN = 1.5
"""Rarity that opens an episode: once in 30 samples, far too often to publish, early enough to date it."""
CALM = 1.0
PUBLISH = 1.3
"""Sustained score that is published: two samples at `OPEN` reach 1.9. The correlator counts from 1.7."""
HOME_MS = 24 * 3_600_000
"""How long the level from before an episode stays known."""
HOME_WIDTH = 1.5
"""Spreads around that level that count as a return to it."""
BACK_Z = 1.0
"""Deviation that still belongs to an episode when its beginning is dated back."""

ARMED, OPENED, SPENT = 0, 1, 2
SILENT, SPEAK, CLOSE = 0, 1, 2


@compiled
def calm_for(interval_ms: int) -> int:
    """Return how long a series must be calm to close or re-arm: two steps, or one coarse interval."""
    if interval_ms >= COARSE_MS:
        return int(0.8 * interval_ms)
    return int(1.8 * max(interval_ms, STEP_MS))


@compiled
def follow(
    rows: Rows,
    r: int,
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
    if rows.phase[r] == OPENED:
        if hot and sign == rows.sign[r]:
            rows.hot_ts[r] = now
        elif now - rows.hot_ts[r] >= calm_for(interval_ms):
            return _close(rows, r, hot, now)
        if lasting > rows.best[r] and sign == rows.sign[r]:
            rows.best[r] = lasting
        return SPEAK if rows.best[r] >= PUBLISH else SILENT
    if rows.phase[r] == SPENT:
        if hot:
            rows.hot_ts[r] = now
        elif now - rows.hot_ts[r] >= calm_for(interval_ms):
            rows.phase[r] = ARMED
        return SILENT
    if score <= OPEN:
        return SILENT
    rows.hot_ts[r] = now
    known = rows.home[r] == rows.home[r] and now - rows.home_ts[r] <= HOME_MS
    if known and abs(y - rows.home[r]) <= HOME_WIDTH * max(float(rows.home_scale[r]), scale):
        rows.home_ts[r] = NEVER
        rows.phase[r] = SPENT
        return SILENT
    rows.phase[r] = OPENED
    rows.sign[r] = sign
    rows.first_ts[r] = now
    rows.best[r] = lasting
    rows.before[r] = rows.median[r]
    rows.before_scale[r] = scale
    _date_back(rows, r, sign, scale, now, interval_ms)
    return SPEAK if lasting >= PUBLISH else SILENT


@compiled
def _close(rows: Rows, r: int, hot: bool, now: int) -> int:
    said = rows.best[r] >= PUBLISH
    moved = abs(rows.median[r] - rows.before[r]) > rows.before_scale[r]
    if moved and (rows.home[r] != rows.home[r] or now - rows.home_ts[r] > HOME_MS):
        rows.home[r] = rows.before[r]
        rows.home_scale[r] = rows.before_scale[r]
        rows.home_ts[r] = now
    # Swinging to the other side is the recovery's overshoot, not calm.
    rows.phase[r] = SPENT if hot else ARMED
    if hot:
        rows.hot_ts[r] = now
    return CLOSE if said else SILENT


@compiled
def _date_back(rows: Rows, r: int, sign: int, scale: float, now: int, interval_ms: int) -> None:
    """Walk back while samples deviate the same way; the onset lies before the earliest of them.

    A sample speaks for the interval that ends at it, so the onset is placed half an interval earlier, give
    or take the other half.
    """
    earliest = now
    border = now - interval_ms
    for _ in range(TRAIL):
        best = -1
        for k in range(TRAIL):
            t = rows.trail_ts[r, k]
            if t < earliest and (best < 0 or t > rows.trail_ts[r, best]):
                best = k
        if best < 0 or rows.trail_ts[r, best] == NEVER:
            break
        t = rows.trail_ts[r, best]
        border = t
        if sign * (rows.trail[r, best] - rows.median[r]) < BACK_Z * scale:
            break
        if earliest - t > MAX_GAP * interval_ms:
            break
        earliest = t
    half = max(min(earliest - border, int(MAX_GAP * interval_ms)), 0) // 2
    rows.onset_ts[r] = earliest - half
    rows.onset_half[r] = half

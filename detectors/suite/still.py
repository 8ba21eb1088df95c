"""Stillness: a series that always moves stands still, or its samples stay away.

Both are runs of an event whose usual rate is known, so their probabilities need no tail: `rate ** run`.
"""

from __future__ import annotations

import math

import numpy as np

from detectors.compiled import double, inlined, signed
from detectors.suite.block import BLOCK, COUNT, FAR, GAP_RATE, LONGEST, REPEAT, RUN, SAID, SAME, SHARE
from detectors.suite.record import MEMBERS, Record
from detectors.suite.tuning import Tuning

AFTER = 100
"""Samples before a run that must be known; a series that never moved does not stand still."""
RAREST = 1e-3
GAP = 3
"""Intervals between two samples that make a gap."""
PACE = 0.01
LONGER = 3
"""Samples that a run must be longer than the longest so far, before it says anything."""
FADE = 1e-4
"""Share by which the longest run shortens with every sample: after a week of minutes it is forgotten."""
ALWAYS = 2.0
"""Taken off a gap's surprise: every series has had none until it has one."""
LARGEST = 6.0
"""Below it lies no more data than a few weeks hold. A run that has reached it was news, and is no more."""
TEACHES = 3
"""Repeats of a run that teach how often there are any, however long it is."""
_SAID = SAID + MEMBERS.index("still") * BLOCK


@inlined
def look(row: Record, n: int, x: float, gap: int, reals: np.ndarray, k: int, p: Tuning) -> None:
    """Tell whether a sample repeats the last one or comes late, what that says, and count the run."""
    run, interval = signed(row.run), signed(row.interval)
    same = n > 0 and np.float32(x) == row.last
    far = gap > GAP * interval
    reals[RUN + k] = run
    reals[SAME + k] = 1.0 if same else 0.0
    reals[FAR + k] = np.nan if interval == 0 else 1.0 if far else 0.0
    score = 0.0
    if n - run > AFTER:
        beyond = run + 1 - row.longest
        if same and beyond >= LONGER:
            one = -math.log10(row.repeat + RAREST)
            score = beyond * one if (beyond - 1) * one < LARGEST else 0.0
        if far and interval > 0:
            score = max(score, -math.log10(row.gap_rate + RAREST) - ALWAYS)
    reals[_SAID + k] = p.w_still * min(score, LARGEST)
    row.run = min(run + 1, 65535) if same else 0


@inlined
def learn_still(state: np.ndarray, reals: np.ndarray, upto: int) -> None:
    """Learn how often values repeat, how long runs become, and how often samples are late."""
    for k in range(upto):
        known = reals[COUNT + k] > 0.0
        share = max(PACE, reals[SHARE + k])
        same, run, far = reals[SAME + k], reals[RUN + k], reals[FAR + k]
        longest, repeat, gaps = (
            double(state[LONGEST + k]),
            double(state[REPEAT + k]),
            double(state[GAP_RATE + k]),
        )
        state[LONGEST + k] = max(longest * (1.0 - FADE), run) if known and same == 0.0 else longest
        teaches = known and same * (run + 1.0) <= TEACHES
        state[REPEAT + k] = repeat + share * (same - repeat) if teaches else repeat
        state[GAP_RATE + k] = gaps + share * (far - gaps) if far == far else gaps

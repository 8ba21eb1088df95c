"""A block of samples through all members: deviations → tail probabilities → one surprise, and learning.

Each member is a loop of its own over columns, which is compiled into lanes.
"""

from __future__ import annotations

import numpy as np

from detectors.compiled import compiled, double, inlined
from detectors.suite.block import (
    AGAIN,
    BLOCK,
    COUNT,
    LASTED,
    MEMBER,
    ODDS,
    PEAK,
    RATIO,
    RECORD,
    SAID,
    SCORE,
)
from detectors.suite.budget import forgive
from detectors.suite.extent import measure
from detectors.suite.location import locate
from detectors.suite.logarithm import take_logarithms
from detectors.suite.novelty import learn_novelty, note_all_words, novelty_of
from detectors.suite.remember import AFTER
from detectors.suite.season import LASTING, compare_season
from detectors.suite.spread import spread
from detectors.suite.still import learn_still
from detectors.suite.tail import COLD, judge_tails, student
from detectors.suite.trend import forecast
from detectors.suite.tuning import Tuning

LARGEST = 20.0
_LOGARITHMS = (SCORE - ODDS) // BLOCK
_LANES = 4
"""A column is gone through in whole registers."""


@compiled
def judge_block(
    rows: np.ndarray,
    number: np.ndarray,
    begin: int,
    count: int,
    state: np.ndarray,
    reals: np.ndarray,
    p: Tuning,
    budget: float,
) -> None:
    """Score samples, then learn them: `SCORE` is the surprise, 0 … 20, `MEMBER` who said most."""
    upto = (count + _LANES - 1) // _LANES * _LANES
    measure(state, reals, upto, p)
    note_all_words(rows, number, begin, count, state, reals)
    take_logarithms(reals[RATIO:], 1, upto)
    spread(state, reals, upto, p)
    forecast(state, reals, upto, p)
    compare_season(state, reals, upto, p)
    locate(state, reals, upto, p)
    learn_novelty(state, reals, upto, p)
    learn_still(state, reals, upto)
    take_logarithms(reals[ODDS:], _LOGARITHMS, upto)
    judge_tails(state, reals, upto, p)
    _sum_up(state, reals, upto, p)
    forgive(state, reals, upto, budget)


@inlined
def _sum_up(state: np.ndarray, reals: np.ndarray, upto: int, p: Tuning) -> None:
    """Add up what members say, take off what is no news, and remember it."""
    for k in range(upto):
        level, trend, season, spread_, still, novelty = (
            reals[SAID + k],
            reals[SAID + BLOCK + k],
            reals[SAID + 2 * BLOCK + k],
            reals[SAID + 3 * BLOCK + k],
            reals[SAID + 4 * BLOCK + k],
            p.w_novelty * novelty_of(reals, k, p),
        )
        n = reals[COUNT + k]
        everything = min(max(level, trend, season, spread_, still) + novelty, LARGEST)
        record, peak = double(state[RECORD + k]), double(state[PEAK + k])
        fresh = max(everything - max(p.record * record, reals[AGAIN + k]), 0.0)
        lasting = p.w_season * min(student(reals[LASTED + k], p.degrees), LASTING)
        season = max(everything, lasting) if lasting > fresh else season
        reals[SCORE + k] = max(fresh, lasting) if n >= COLD else 0.0
        most, member = level, 0.0
        member, most = (1.0, trend) if trend > most else (member, most)
        member, most = (2.0, season) if season > most else (member, most)
        member, most = (3.0, spread_) if spread_ > most else (member, most)
        member, most = (4.0, still) if still > most else (member, most)
        reals[MEMBER + k] = 5.0 if novelty > most else member
        state[RECORD + k] = max(record * p.record_decay, everything) if n > AFTER else record
        state[PEAK + k] = max(peak, everything) if n > AFTER else peak

"""The suite over many series: one record a series, one pass over the samples."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.compiled import compiled
from detectors.stamps import age_of
from detectors.state import pack, unpack
from detectors.suite.ahead import PARTS, ask_for
from detectors.suite.block import (
    BLOCK,
    GAP,
    LAST_RATE,
    MEMBER,
    REALS,
    SCORE,
    STATE,
)
from detectors.suite.budget import affordable_at, decide, tail_of
from detectors.suite.kernel import judge_block
from detectors.suite.record import GRIDS, SUITE
from detectors.suite.take import take
from detectors.suite.tuning import Tuning
from detectors.suite.turn import to_columns, to_records

DEFAULT_BUDGET = 0.25
"""False episodes per series and week."""
VERSION = 4
"""Of the rows: another record or other mathematics read it wrongly."""


class Scored(NamedTuple):
    """What the suite says of each sample, parallel to its input."""

    score: NDArray[np.float64]
    """-log10 of the tail probability; 0 for NaN, duplicates and what is older than the last sample."""
    alert: NDArray[np.int8]
    onset_ms: NDArray[np.int64]
    """When an alert's episode began; -1 without an alert."""
    member: NDArray[np.int8]
    """Number in `MEMBERS` of the one that said most."""


class SuiteBank:
    """Scores samples of any number of series and learns from them; no look-ahead, no setting per series.

    Parameters
    ----------
    budget
        False episodes per series and week that a user is willing to pay for.
    """

    def __init__(self, budget: float = DEFAULT_BUDGET, tuning: Tuning | None = None) -> None:
        if not budget > 0:
            raise ValueError(f"the alert budget must be positive, not {budget}")
        self.budget = budget
        self.tuning = tuning or Tuning()
        self._rows = np.zeros(0, SUITE)

    def __len__(self) -> int:
        return len(self._rows)

    def score(
        self, number: NDArray[np.int32], ts_ms: NDArray[np.int64], value: NDArray[np.float64]
    ) -> Scored:
        """Score, then learn, each sample in the order given; `number` is the series', from 0."""
        if len(number) and int(number.max()) >= len(self._rows):
            grown = np.zeros(max(int(number.max()) + 1, 2 * len(self._rows)), SUITE)
            grown[: len(self._rows)] = self._rows
            self._rows = grown
        n = len(number)
        out = Scored(np.zeros(n), np.zeros(n, np.int8), np.full(n, -1, np.int64), np.zeros(n, np.int8))
        _score(self._rows, number, ts_ms, value, self.tuning, self.budget, out)
        return out

    def copy(self) -> SuiteBank:
        """Return a bank that goes on from here on its own."""
        other = SuiteBank(self.budget, self.tuning)
        other._rows = self._rows.copy()
        return other

    def dump(self) -> bytes:
        """Serialise the whole state, versioned."""
        header = {"suite": VERSION, "tuning": self.tuning._asdict(), "budget": self.budget}
        return pack(header, {"rows": self._rows.view(np.uint8)})

    @classmethod
    def load(cls, state: bytes) -> SuiteBank:
        """Restore a state; `ValueError` when damaged or of another version."""
        header, arrays = unpack(state)
        version, rows = header.get("suite"), arrays.get("rows")
        if version is None:
            raise ValueError("state is of another kind of detector, not of the suite")
        if version != VERSION or rows is None or rows.nbytes % SUITE.itemsize:
            # The first version had no number: it wrote its tuning there.
            named = version if isinstance(version, int) else 1
            raise ValueError(f"state of version {named} of the suite, not {VERSION}: start afresh")
        bank = cls(header["budget"], Tuning(**header["tuning"]))
        bank._rows = rows.view(SUITE)
        return bank


@compiled
def _score(
    rows: Any,
    number: np.ndarray,
    ts_ms: np.ndarray,
    value: np.ndarray,
    tuning: Tuning,
    budget: float,
    out: Scored,
) -> None:
    spare, state, reals = np.zeros(1, SUITE), np.zeros(STATE, np.float32), np.zeros(REALS)
    begin, n = 0, len(number)
    for i in range(min(BLOCK, n)):
        for part in range(PARTS):
            ask_for(rows, number, i, part)
    while begin < n:
        count = take(rows, number, ts_ms, value, begin, tuning, reals)
        to_columns(rows, spare, number[begin : begin + count], state)
        judge_block(rows, number, begin, count, state, reals, tuning, budget)
        to_records(rows, spare, number[begin : begin + count], state)
        _tell(rows, number, ts_ms, begin, count, state, reals, budget, out)
        begin += max(count, 1)


@compiled
def _tell(
    rows: Any,
    number: np.ndarray,
    ts_ms: np.ndarray,
    begin: int,
    count: int,
    state: np.ndarray,
    reals: np.ndarray,
    budget: float,
    out: Scored,
) -> None:
    """Say how rare each sample is, and alert."""
    interval, affordable = 0, 0.0
    for k in range(count):
        i = begin + k
        # Those that come next are asked for while there is something to do with these.
        ask_for(rows, number, i + BLOCK, 2)
        row, now = rows[number[i]], ts_ms[i]
        row.rate[GRIDS - 1, 2] = state[LAST_RATE + k]
        total = tail_of(reals[SCORE + k])
        out.score[i] = total
        out.member[i] = int(reals[MEMBER + k])
        if row.interval != interval:
            # Most series of a batch have the same: a logarithm a sample is saved.
            interval = row.interval
            affordable = affordable_at(interval, budget)
        if decide(row, total, now, int(reals[GAP + k]), affordable):
            out.alert[i] = 1
            out.onset_ms[i] = now - age_of(now, row.onset)

"""What the bank says and learns depends on no border: of blocks, of batches, or between series."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.bank import judge
from detectors.episode import ACCEPTED_MS, OPENED, SURE, calm_for
from detectors.pools import Pools, allocate_pools
from detectors.rows import allocate

MINUTE = 60_000
START_MS = 1_760_000_000_000
ROWS, MINUTES = 7, 75
FAULT = 20
"""The minute from which on series are wrong."""
LASTS = (3, 8, 24, 40, 0, 0, 0)
FLAPPING = {4: 2, 5: 4}
"""Series that come and go, and the minutes from one beginning to the next."""


def telemetry(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Seven series, every 15, 30 or 60 s, wrong for 3 to 40 minutes: (row, time, value)."""
    rng = np.random.default_rng(seed)
    row, ts_ms, value = [], [], []
    for k in range(ROWS):
        step = int(rng.choice([15_000, 30_000, 60_000]))
        ts = np.arange(step, MINUTES * MINUTE, step)
        ts = ts[rng.random(len(ts)) > 0.02]
        minute = ts / MINUTE - FAULT
        wrong = (minute >= 0) & (minute < LASTS[k])
        if k in FLAPPING:
            wrong = (minute >= 0) & (minute < 30) & (minute % FLAPPING[k] < FLAPPING[k] / 2)
        row.append(np.full(len(ts), k, np.int32))
        ts_ms.append(ts + START_MS)
        value.append(20 + rng.standard_normal(len(ts)) + 80 * wrong)
    return np.concatenate(row), np.concatenate(ts_ms), np.concatenate(value)


def learned(row, ts_ms, value, cuts=()):
    """Judge in calls that end at `cuts`; return what was said, and all that is known afterwards."""
    rows, pools = allocate(ROWS), allocate_pools(1)
    rows["pool"] = 0
    said = []
    for part in np.split(np.arange(len(row)), sorted({min(cut, len(row)) for cut in cuts})):
        judged = judge(rows, pools, row[part], ts_ms[part], value[part])
        at = part[judged.place]
        rest = (judged.action, judged.lasting, judged.value, judged.expected, judged.scale)
        said += zip(row[at].tolist(), ts_ms[at].tolist(), *(each.tolist() for each in rest), strict=True)
    return sorted(said), rows.tobytes(), pools_of(pools)


def pools_of(pools: Pools) -> bytes:
    return b"".join(column.tobytes() for column in pools)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), cuts=st.lists(st.integers(1, 2000), max_size=30), runs=st.booleans())
def test_borders_of_blocks_batches_and_series_change_nothing(seed, cuts, runs):
    row, ts_ms, value = telemetry(seed)
    by_series = learned(row, ts_ms, value, range(1, len(row)))  # one sample a call
    assert by_series[0]
    if runs:
        # Runs of one series of random length, in which it keeps its order.
        length = np.random.default_rng(seed).integers(1, 40)
        order = np.lexsort((ts_ms, row, ts_ms // (length * 15_000)))
    else:
        order = np.lexsort((row, ts_ms))
    assert learned(row[order], ts_ms[order], value[order]) == by_series
    assert learned(row[order], ts_ms[order], value[order], cuts) == by_series


@pytest.mark.parametrize("seed", range(3))
def test_the_telemetry_of_these_tests_holds_long_sure_episodes_and_flapping(seed):
    row, ts_ms, value = telemetry(seed)
    order = np.lexsort((row, ts_ms))
    rows, pools = allocate(ROWS), allocate_pools(1)
    rows["pool"] = 0
    sure_ms = np.zeros(ROWS, np.int64)
    paused_ms = np.zeros(ROWS, np.int64)
    for k in order:
        judge(rows, pools, row[k : k + 1], ts_ms[k : k + 1], value[k : k + 1])
        one = rows[row[k]]
        if one["phase"] == OPENED and one["best"] >= SURE:
            calm_ms = (int(ts_ms[k]) - int(one["hot_ts"])) % 2**32 - calm_for(int(one["interval"]))
            paused_ms[row[k]] = max(paused_ms[row[k]], calm_ms)
            sure_ms[row[k]] = max(sure_ms[row[k]], (int(ts_ms[k]) - int(one["first_ts"])) % 2**32)
    assert sure_ms[2] > ACCEPTED_MS
    assert sure_ms[3] > ACCEPTED_MS
    assert paused_ms[5] > 0, "a pause that a calm series would have closed in"

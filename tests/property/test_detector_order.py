"""The order in which a tick's samples are judged."""

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from detectors.dense import in_turn

LOW_MS = 1_790_000_000_000
SAMPLES = st.lists(
    st.tuples(
        st.integers(0, 3),
        st.booleans(),
        st.integers(0, 2),
        st.sampled_from([float("nan"), float("-inf"), float("inf"), -0.0, 0.0, 1.0, 2.0, 3.0]),
    ),
    max_size=200,
)


@settings(deadline=None)  # it may be compiled first
@given(SAMPLES, st.sampled_from([1, 2**31]))
@example([(0, False, 1, float(number * 7 % 5)) for number in range(50)], 1)
def test_samples_are_judged_by_time_then_load_then_series_then_value(samples, apart_ms):
    ts_ms = np.array([LOW_MS + step * apart_ms for step, *_ in samples], np.int64)
    late = np.array([each[1] for each in samples], np.bool_)
    row = np.array([each[2] for each in samples], np.int32)
    value = np.array([each[3] for each in samples])

    assert in_turn(ts_ms, late, row, value).tolist() == np.lexsort((value, row, late, ts_ms)).tolist()

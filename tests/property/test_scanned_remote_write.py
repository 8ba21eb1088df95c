"""Remote write scanned in place is what the library's walk says, and never more."""

from __future__ import annotations

from unittest.mock import patch

import cramjam
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.wire.decoders import remote_write
from streams.wire.decoders.remote_write_pb import WriteRequest
from tests.scanned import DOUBLES, STAMP_MS, assert_agree

LABEL_NAMES = st.sampled_from(["__name__", "job", "instance", "env", "le", "client", "server"])
METRIC_NAMES = st.sampled_from(["up", "x_total", "d_bucket", "d_count", "traces_service_graph_request_total"])
SERIES = st.fixed_dictionaries(
    {
        "labels": st.tuples(
            st.lists(
                st.fixed_dictionaries(
                    {"name": LABEL_NAMES, "value": st.sampled_from(["0.1", "+Inf", "a", ""])}
                ),
                max_size=4,
            ),
            METRIC_NAMES,
        ).map(lambda both: [*both[0], {"name": "__name__", "value": both[1]}]),
        "samples": st.lists(
            st.fixed_dictionaries(
                {
                    "value": DOUBLES,
                    "timestamp": st.integers(STAMP_MS, STAMP_MS + 60_000) | st.sampled_from([0, -1]),
                }
            ),
            max_size=3,
        ),
    }
)
WRITE = st.lists(SERIES, max_size=5).map(
    lambda series: bytes(WriteRequest(timeseries=series).SerializeToString())
)


def packed(value: bytes) -> bytes:
    return bytes(cramjam.snappy.compress_raw(value))


@settings(max_examples=300, deadline=None)
@given(requests=st.lists(WRITE, min_size=1, max_size=4), held=st.sampled_from([0, 1, 100]))
def test_remote_write_scanned_and_walked_agree(requests: list[bytes], held: int) -> None:
    with patch.object(remote_write, "MAX_ASIDE", held):
        assert_agree([packed(each) for each in requests], remote_write)


@settings(max_examples=300, deadline=None)
@given(value=WRITE, edits=st.lists(st.tuples(st.integers(0, 300), st.integers(0, 255)), max_size=3))
def test_remote_write_damaged_where_the_library_takes_it(value: bytes, edits: list[tuple[int, int]]) -> None:
    damaged = bytearray(value)
    for at, byte in edits:
        if damaged:
            damaged[min(at, len(damaged) - 1)] = byte
    if damaged:
        assert_agree([packed(value), packed(bytes(damaged)), packed(value)], remote_write, exactly=False)

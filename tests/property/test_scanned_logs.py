"""OTLP log lines cut out in place are what the library's walk says, and never more."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.logs.v1.logs_pb2 import LogsData

from streams.wire.decoders import otlp_logs
from tests.scanned import ANY_VALUE, EDITS, TIMES, Decoded, Edits, assert_agree, edited, requests_of

PLAIN_KEYS = ["a", "é", "", "code.function", "k8s", "exceptional"]
TELLING_KEYS = ["k8s.pod.name", "k8s.event.reason", "event.name", "exception.type", "feature_flag.key"]
LOG_KEYS = st.sampled_from(PLAIN_KEYS) | st.sampled_from([*TELLING_KEYS, "feature_flag.result.variant"])
NESTED = st.one_of(
    ANY_VALUE,
    st.just({"array_value": {"values": [{"string_value": "x"}, {}]}}),
    st.just({"kvlist_value": {"values": [{"key": "message", "value": {"string_value": "in a body"}}]}}),
    st.just({"kvlist_value": {"values": []}}),
    st.just({"bytes_value": b"\xff\x00"}),
)
LOG_RECORD = st.fixed_dictionaries(
    {
        "attributes": st.lists(
            st.fixed_dictionaries({"key": LOG_KEYS}, optional={"value": NESTED}), max_size=4
        ),
    },
    optional={
        "time_unix_nano": TIMES,
        "observed_time_unix_nano": TIMES,
        "severity_text": st.sampled_from(["INFO", "", "warn", "ärgerlich"]),
        "severity_number": st.sampled_from([0, 1, 9, 17, 24]),
        "body": NESTED,
        "event_name": st.sampled_from(["", "device.crash", "feature_flag.evaluation"]),
        "trace_id": st.just(b"\xff" * 16),
        "flags": st.just(1),
        "dropped_attributes_count": st.just(3),
    },
)
LOGS = requests_of(LogsData, ("resource_logs", "scope_logs", "log_records"), LOG_RECORD, most=4)


@settings(max_examples=500, deadline=None)
@given(requests=st.lists(LOGS, min_size=1, max_size=4))
def test_log_lines_scanned_and_walked_agree(requests: list[bytes]) -> None:
    assert_agree(requests, otlp_logs)


@settings(max_examples=300, deadline=None)
@given(first=LOGS, second=LOGS, joined=st.data())
def test_log_lines_agree_on_merged_messages(first: bytes, second: bytes, joined: Any) -> None:
    whole = LogsData.FromString(first + second)
    records = [
        each for held in whole.resource_logs for scope in held.scope_logs for each in scope.log_records
    ]
    if len(records) > 1:
        # Concatenated, fields come twice: strings and numbers are replaced, bodies merged, attributes added.
        one, other = joined.draw(st.permutations(records))[:2]
        one.MergeFromString(other.SerializeToString())
    merged = whole.SerializeToString()
    twice = b"".join(
        b"\x0a" + bytes([len(body)]) + body
        for held in whole.resource_logs
        if len(body := held.SerializeToString() * 2) < 128
    )
    assert_agree([first + second, merged, twice or b"\x0a\x00"], otlp_logs)


@settings(max_examples=500, deadline=None)
@given(
    value=LOGS,
    edits=EDITS,
)
def test_log_lines_agree_on_damaged_messages_that_the_library_takes(value: bytes, edits: Edits) -> None:
    damaged = edited(value, edits)
    if damaged and damaged[:1] != b"{":
        good = value or b"\x0a\x00"
        assert_agree([good, damaged, good], otlp_logs, exactly=False)


def test_most_log_lines_do_not_need_the_library() -> None:
    """Else the scanner would be right and useless."""
    plain = {"time_unix_nano": 1, "severity_text": "INFO", "body": {"string_value": "GET /"}}
    attributes = [
        {"key": "thread", "value": {"string_value": "http-1"}},
        {"key": "code.line", "value": {"int_value": 1}},
    ]
    value = LogsData(
        resource_logs=[{"scope_logs": [{"log_records": [{**plain, "attributes": attributes}] * 3}]}]
    ).SerializeToString()
    decoded = Decoded(otlp_logs.decode)
    with patch.object(otlp_logs, "_entry_of", side_effect=AssertionError("the library was asked")):
        assert decoded.take(value)[0] == 3


def test_more_log_lines_than_the_arrays_hold_are_scanned_again() -> None:
    records = [{"time_unix_nano": i, "body": {"string_value": f"line {i}"}} for i in range(5000)]
    data = LogsData(resource_logs=[{"scope_logs": [{"log_records": records}]}])
    assert_agree([data.SerializeToString()], otlp_logs)

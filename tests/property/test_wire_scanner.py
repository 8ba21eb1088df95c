"""The scanner says what the library's walk says, and never more."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import cramjam
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.logs.v1.logs_pb2 import LogsData
from opentelemetry.proto.metrics.v1.metrics_pb2 import MetricsData

from detectors.catalog import Catalog
from streams.errors import DecodeError
from streams.wire.decoders import otlp_logs, otlp_metrics, remote_write
from streams.wire.decoders.otlp_fast import MetricsScanner
from streams.wire.decoders.remote_write_pb import WriteRequest
from streams.wire.record import RawRecord
from streams.wire.shown import shown
from streams.wire.telemetry import TelemetryBuilder

STAMP_MS = 1_790_000_000_000
KEYS = st.sampled_from(
    ["service.name", "service.namespace", "service.version", "k8s.pod.name", "client", "server", "a", "é"]
)
TIMES = st.integers(STAMP_MS * 1_000_000, (STAMP_MS + 120_000) * 1_000_000) | st.sampled_from(
    [0, 1, 2**63 - 1, 2**63, 2**64 - 1]
)
NAMES = st.sampled_from(
    [
        "",
        "cpu",
        "http.server.request.duration",
        "db.client.operation.duration",
        "traces_service_graph_request_total",
        "traces_service_graph_request_server_seconds",
        "traces_service_graph_x",
        "headwater_service_graph_request_gap_seconds",
        "naïve",
    ]
)
DOUBLES = st.floats() | st.integers(-5, 5).map(float)


ANY_VALUE = st.one_of(
    st.fixed_dictionaries({"string_value": st.text(max_size=6)}),
    st.fixed_dictionaries({"int_value": st.integers(-(2**63), 2**63 - 1)}),
    st.fixed_dictionaries({"bool_value": st.booleans()}),
    st.fixed_dictionaries({"double_value": DOUBLES}),
    st.just({}),
)
ATTRIBUTES = st.lists(st.fixed_dictionaries({"key": KEYS, "value": ANY_VALUE}), max_size=4)
NUMBER = st.fixed_dictionaries(
    {"time_unix_nano": TIMES, "attributes": ATTRIBUTES, "flags": st.sampled_from([0, 0, 0, 1, 2, 3])},
    optional={
        "start_time_unix_nano": TIMES,
        "as_double": DOUBLES,
        "exemplars": st.just([{"as_double": 1.0, "span_id": b"\xff\x01"}]),
    },
) | st.fixed_dictionaries(
    {"time_unix_nano": TIMES, "attributes": ATTRIBUTES, "as_int": st.integers(-(2**63), 2**63 - 1)}
)
HISTOGRAM = st.fixed_dictionaries(
    {
        "time_unix_nano": TIMES,
        "attributes": ATTRIBUTES,
        "count": st.integers(0, 20),
        "explicit_bounds": st.just([0.1, 0.5]),
        "bucket_counts": st.lists(st.integers(0, 9), min_size=3, max_size=3),
    }
)
TEMPORALITY = st.sampled_from([0, 1, 2])
DATA = st.one_of(
    st.fixed_dictionaries({"gauge": st.fixed_dictionaries({"data_points": st.lists(NUMBER, max_size=4)})}),
    st.fixed_dictionaries(
        {
            "sum": st.fixed_dictionaries(
                {
                    "data_points": st.lists(NUMBER, max_size=4),
                    "aggregation_temporality": TEMPORALITY,
                    "is_monotonic": st.booleans(),
                }
            )
        }
    ),
    st.fixed_dictionaries(
        {
            "histogram": st.fixed_dictionaries(
                {"data_points": st.lists(HISTOGRAM, max_size=2), "aggregation_temporality": TEMPORALITY}
            )
        }
    ),
    st.just({}),
)
METRIC = st.builds(
    lambda name, unit, data: {"name": name, "unit": unit, "description": "d", **data},
    NAMES,
    st.sampled_from(["", "s", "ms"]),
    DATA,
)
REQUEST = st.lists(
    st.fixed_dictionaries(
        {
            "scope_metrics": st.lists(
                st.fixed_dictionaries({"metrics": st.lists(METRIC, max_size=3)}), max_size=2
            )
        },
        optional={"resource": st.fixed_dictionaries({"attributes": ATTRIBUTES}), "schema_url": st.just("u")},
    ),
    max_size=3,
).map(lambda resources: MetricsData(resource_metrics=resources).SerializeToString())


class Decoded:
    """One builder and what it has come to, for comparing two ways of decoding."""

    def __init__(self, decode: Any) -> None:
        self.catalogs: dict[str, Catalog] = {}
        self.builder = TelemetryBuilder(lambda domain: self.catalogs.setdefault(domain, Catalog()))
        self._decode = decode

    def take(self, value: bytes) -> Any:
        record = RawRecord("otlp_metrics", 0, 0, None, value, (), STAMP_MS)
        marks = self.builder.marks()
        try:
            taken = self._decode(record, self.builder)
        except DecodeError as error:
            self.builder.undo(marks)
            return type(error)
        found = shown(self.builder.take(), self.catalogs)
        for parts in found.values():
            parts.get("samples", []).sort(key=repr)
        return taken, found


def assert_agree(requests: list[bytes], *, exactly: bool = True, module: Any = otlp_metrics) -> None:
    fast, walk = Decoded(module.decode), Decoded(module.decode_walking)
    for value in requests:
        expected, got = walk.take(value), fast.take(value)
        if not exactly and expected is DecodeError:
            # Damage in a field that nobody reads; from here on the two may know different streams.
            return
        assert got == expected
        assert fast.builder.state.dump() == walk.builder.state.dump()


@settings(max_examples=300, deadline=None)
@given(requests=st.lists(REQUEST, min_size=1, max_size=4))
def test_the_scanner_and_the_walk_agree(requests: list[bytes]) -> None:
    assert_agree(requests)


@settings(max_examples=300, deadline=None)
@given(first=REQUEST, second=REQUEST, data=st.data())
def test_they_agree_on_merged_and_reordered_messages(first: bytes, second: bytes, data: Any) -> None:
    """Concatenation is a merge in protobuf, at every level; readers must accept any order of fields."""
    whole = MetricsData.FromString(first + second)
    for resource in whole.resource_metrics:
        if data.draw(st.booleans()):
            # The resource behind its metrics.
            described = resource.resource.SerializeToString()
            resource.ClearField("resource")
            tail = b"\x0a" + bytes([len(described)]) + described if len(described) < 128 else b""
            body = resource.SerializeToString() + tail
            resource.Clear()
            resource.MergeFromString(body)
    assert_agree([first + second, whole.SerializeToString()])


@settings(max_examples=500, deadline=None)
@given(
    value=REQUEST,
    edits=st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255), st.sampled_from("xid")), max_size=3),
)
def test_they_agree_on_damaged_messages_that_the_library_takes(
    value: bytes, edits: list[tuple[int, int, str]]
) -> None:
    damaged = bytearray(value)
    for at, byte, how in edits:
        at = min(at, max(0, len(damaged) - 1))
        if how == "x" and damaged:
            damaged[at] = byte
        elif how == "i":
            damaged.insert(at, byte)
        elif how == "d" and damaged:
            del damaged[at:]
    if damaged:
        assert_agree([value or b"\x0a\x00", bytes(damaged), value or b"\x0a\x00"], exactly=False)


def test_resources_behind_metrics_and_twice_are_read_as_the_library_reads_them() -> None:
    resource = b"\x0a\x10\x0a\x0e\x0a\x0cservice.name"  # key only
    scope = bytes(
        MetricsData(
            resource_metrics=[
                {
                    "scope_metrics": [
                        {"metrics": [{"name": "m", "gauge": {"data_points": [{"as_double": 1.0}]}}]}
                    ]
                }
            ]
        )
        .resource_metrics[0]
        .SerializeToString()
    )
    for body in (scope + resource, resource + scope + resource, scope + scope):
        assert_agree([b"\x0a" + bytes([len(body)]) + body])


def test_a_record_larger_than_the_arrays_is_scanned_again() -> None:
    points = [{"as_double": float(i), "time_unix_nano": i} for i in range(5000)]
    data = MetricsData(
        resource_metrics=[{"scope_metrics": [{"metrics": [{"name": "m", "gauge": {"data_points": points}}]}]}]
    )
    assert_agree([data.SerializeToString()])


def test_first_sight_happens_once_and_the_table_outgrows_its_first_size() -> None:
    decoded = Decoded(otlp_metrics.decode)
    metrics = [
        {"name": f"m{i}", "gauge": {"data_points": [{"as_double": 1.0, "time_unix_nano": 1}]}}
        for i in range(9000)
    ]
    value = MetricsData(resource_metrics=[{"scope_metrics": [{"metrics": metrics}]}]).SerializeToString()
    assert decoded.take(value) == decoded.take(value)
    table = decoded.builder.cache(MetricsScanner)._table
    assert table.entries == 9000
    assert len(decoded.catalogs["default"]) == 9000
    assert len(table.values) >= 2 * table.entries


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
        assert_agree([packed(each) for each in requests], module=remote_write)


@settings(max_examples=300, deadline=None)
@given(value=WRITE, edits=st.lists(st.tuples(st.integers(0, 300), st.integers(0, 255)), max_size=3))
def test_remote_write_damaged_where_the_library_takes_it(value: bytes, edits: list[tuple[int, int]]) -> None:
    damaged = bytearray(value)
    for at, byte in edits:
        if damaged:
            damaged[min(at, len(damaged) - 1)] = byte
    if damaged:
        assert_agree(
            [packed(value), packed(bytes(damaged)), packed(value)], exactly=False, module=remote_write
        )


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
LOGS = st.lists(
    st.fixed_dictionaries(
        {
            "scope_logs": st.lists(
                st.fixed_dictionaries({"log_records": st.lists(LOG_RECORD, max_size=4)}), max_size=2
            )
        },
        optional={"resource": st.fixed_dictionaries({"attributes": ATTRIBUTES}), "schema_url": st.just("u")},
    ),
    max_size=3,
).map(lambda resources: LogsData(resource_logs=resources).SerializeToString())


@settings(max_examples=500, deadline=None)
@given(requests=st.lists(LOGS, min_size=1, max_size=4))
def test_log_lines_scanned_and_walked_agree(requests: list[bytes]) -> None:
    assert_agree(requests, module=otlp_logs)


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
    assert_agree([first + second, merged, twice or b"\x0a\x00"], module=otlp_logs)


@settings(max_examples=500, deadline=None)
@given(
    value=LOGS,
    edits=st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255), st.sampled_from("xid")), max_size=3),
)
def test_log_lines_agree_on_damaged_messages_that_the_library_takes(
    value: bytes, edits: list[tuple[int, int, str]]
) -> None:
    damaged = bytearray(value)
    for at, byte, how in edits:
        at = min(at, max(0, len(damaged) - 1))
        if how == "x" and damaged:
            damaged[at] = byte
        elif how == "i":
            damaged.insert(at, byte)
        elif how == "d" and damaged:
            del damaged[at:]
    if damaged and damaged[:1] != b"{":
        good = value or b"\x0a\x00"
        assert_agree([good, bytes(damaged), good], exactly=False, module=otlp_logs)


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
    assert_agree([data.SerializeToString()], module=otlp_logs)

"""OTLP metrics scanned in place are what the library's walk says, and never more."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.metrics.v1.metrics_pb2 import MetricsData

from streams.wire.decoders import otlp_metrics
from streams.wire.decoders.otlp_fast import MetricsScanner
from tests.scanned import ATTRIBUTES, DOUBLES, EDITS, TIMES, Decoded, Edits, assert_agree, edited, requests_of

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
REQUEST = requests_of(MetricsData, ("resource_metrics", "scope_metrics", "metrics"), METRIC, most=3)


@settings(max_examples=300, deadline=None)
@given(requests=st.lists(REQUEST, min_size=1, max_size=4))
def test_the_scanner_and_the_walk_agree(requests: list[bytes]) -> None:
    assert_agree(requests, otlp_metrics)


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
    assert_agree([first + second, whole.SerializeToString()], otlp_metrics)


@settings(max_examples=500, deadline=None)
@given(
    value=REQUEST,
    edits=EDITS,
)
def test_they_agree_on_damaged_messages_that_the_library_takes(value: bytes, edits: Edits) -> None:
    damaged = edited(value, edits)
    if damaged:
        assert_agree([value or b"\x0a\x00", damaged, value or b"\x0a\x00"], otlp_metrics, exactly=False)


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
        assert_agree([b"\x0a" + bytes([len(body)]) + body], otlp_metrics)


def test_a_record_larger_than_the_arrays_is_scanned_again() -> None:
    points = [{"as_double": float(i), "time_unix_nano": i} for i in range(5000)]
    data = MetricsData(
        resource_metrics=[{"scope_metrics": [{"metrics": [{"name": "m", "gauge": {"data_points": points}}]}]}]
    )
    assert_agree([data.SerializeToString()], otlp_metrics)


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

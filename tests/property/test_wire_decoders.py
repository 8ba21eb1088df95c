"""Whatever bytes come, a decoder takes them or refuses them; nothing else."""

from __future__ import annotations

import runpy
from pathlib import Path

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.catalog import Catalog
from streams.errors import DecodeError
from streams.wire.decoders import BUILT_IN, Decoders
from streams.wire.decoders.reading import time_ms
from streams.wire.decoders.resource import canonical_labels
from streams.wire.record import RawRecord
from streams.wire.telemetry import TelemetryBuilder

GOLDEN = Path(__file__).parents[1] / "golden"
FILES = runpy.run_path(str(GOLDEN / "payload_files.py"))
PAYLOADS = [FILES["load"](path) for path in sorted((GOLDEN / "payloads").glob("*.json"))]
DOCUMENTS = [each["document"] for payload in PAYLOADS for each in payload["records"] if "document" in each]
NAMES = [decoder.name for decoder in BUILT_IN]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def takes_or_refuses(name: str, value: bytes, headers: tuple[tuple[str, bytes], ...] = ()) -> None:
    catalogs: dict[str, Catalog] = {}
    builder = TelemetryBuilder(lambda domain: catalogs.setdefault(domain, Catalog()))
    error = None
    try:
        Decoders({"t": name}).decode(RawRecord("t", 0, 0, None, value, headers, 1_790_000_000_000), builder)
    except DecodeError as refused:
        error = refused
    taken = builder.take()
    if error is not None:
        # The net under every decoder catches defects; a defect must not pass for the input's fault here.
        assert "failed:" not in str(error), repr(error.__cause__)
        assert not taken
    for found in taken.values():
        assert len(found.samples.ts_ms) == len(found.samples.value) == len(found.samples.series)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=60, deadline=None)
@given(value=st.binary(max_size=300))
def test_random_bytes(name, value):
    takes_or_refuses(name, value)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=60, deadline=None)
@given(document=JSON)
def test_random_json(name, document):
    takes_or_refuses(name, orjson.dumps(document, option=orjson.OPT_NON_STR_KEYS))


@st.composite
def damaged_documents(draw):
    """A good document with one value, somewhere, replaced by something else."""
    document = orjson.loads(orjson.dumps(draw(st.sampled_from(DOCUMENTS))))
    places = []

    def walk(holder):
        for key, value in holder.items() if isinstance(holder, dict) else enumerate(holder):
            places.append((holder, key))
            if isinstance(value, dict | list):
                walk(value)

    walk(document)
    if places:
        holder, key = draw(st.sampled_from(places))
        holder[key] = draw(JSON)
    return document


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=150, deadline=None)
@given(document=damaged_documents())
def test_damaged_documents(name, document):
    takes_or_refuses(name, orjson.dumps(document))


@settings(max_examples=150, deadline=None)
@given(document=damaged_documents(), mode=st.sampled_from(["structured", "binary"]))
def test_damaged_cloudevents(document, mode):
    structured = (("content-type", b"application/cloudevents+json"),)
    binary = tuple((f"ce_{key}", b"dev.cdevents.x") for key in ("specversion", "id", "source", "type"))
    takes_or_refuses("cdevents", orjson.dumps(document), structured if mode == "structured" else binary)


PROTOBUF = {"resourceMetrics": "otlp_metrics", "resourceLogs": "otlp_logs", "resourceSpans": "otlp_spans"}


@st.composite
def damaged_protobuf(draw):
    from google.protobuf import json_format
    from opentelemetry.proto.logs.v1.logs_pb2 import LogsData
    from opentelemetry.proto.metrics.v1.metrics_pb2 import MetricsData
    from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

    messages = {"resourceMetrics": MetricsData, "resourceLogs": LogsData, "resourceSpans": TracesData}
    otlp = [each for each in DOCUMENTS if isinstance(each, dict) and set(each) & set(messages)]
    document = draw(st.sampled_from(otlp))
    (kind,) = document
    try:
        value = bytearray(json_format.ParseDict(document, messages[kind]()).SerializeToString())
    except json_format.ParseError:
        value = bytearray(b"\x0a\x00")
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, max(0, len(value) - 1)))
        match draw(st.sampled_from(["cut", "flip", "insert"])):
            case "cut":
                del value[at:]
            case "flip" if value:
                value[at] = draw(st.integers(0, 255))
            case "insert":
                value[at:at] = draw(st.binary(max_size=4))
    return PROTOBUF[kind], bytes(value)


@settings(max_examples=300, deadline=None)
@given(damaged=damaged_protobuf())
def test_damaged_protobuf(damaged):
    takes_or_refuses(*damaged)


@given(
    a=st.dictionaries(st.text(max_size=4), st.text(max_size=4), max_size=3),
    b=st.dictionaries(st.text(max_size=4), st.text(max_size=4), max_size=3),
)
def test_labels_are_equal_exactly_when_their_spelling_is(a, b):
    assert (a == b) == (canonical_labels(a) == canonical_labels(b))


@given(ts_ms=st.integers(0, 253_402_300_799_999))
def test_times_are_read_as_they_are_written(ts_ms):
    from streams.wire.cloudevents import rfc3339

    assert time_ms(rfc3339(ts_ms), "t") == time_ms(ts_ms, "t") == time_ms(str(ts_ms), "t") == ts_ms

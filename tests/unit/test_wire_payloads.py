"""Golden payloads: what each format becomes, or the error that a malformed one gives."""

from __future__ import annotations

import base64
import runpy
from pathlib import Path

import pytest
from google.protobuf import json_format
from opentelemetry.proto.logs.v1.logs_pb2 import LogsData
from opentelemetry.proto.metrics.v1.metrics_pb2 import MetricsData
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from streams.errors import DecodeError
from streams.wire.decoders import BUILT_IN, Decoders

GOLDEN = Path(__file__).parents[1] / "golden"
FILES = runpy.run_path(str(GOLDEN / "payload_files.py"))
PAYLOADS = {path.stem: FILES["load"](path) for path in sorted((GOLDEN / "payloads").glob("*.json"))}
GOOD = [name for name, payload in PAYLOADS.items() if "error" not in payload]
BAD = [name for name in PAYLOADS if name not in GOOD]
MESSAGES = {"resourceMetrics": MetricsData, "resourceLogs": LogsData, "resourceSpans": TracesData}


@pytest.mark.parametrize("name", GOOD)
def test_a_payload_becomes(name):
    payload = PAYLOADS[name]
    assert FILES["become"](FILES["records_of"](payload)) == payload["becomes"], payload["about"]


@pytest.mark.parametrize("name", BAD)
def test_a_malformed_payload_says_what_is_wrong_and_where(name):
    payload = PAYLOADS[name]
    with pytest.raises(DecodeError) as caught:
        FILES["become"](FILES["records_of"](payload))
    assert payload["error"] in str(caught.value), payload["about"]


@pytest.mark.parametrize(
    "name", [name for name in GOOD if name.startswith(("otlp", "service", "client", "feat"))]
)
def test_otlp_protobuf_and_json_agree(name):
    payload = PAYLOADS[name]
    records = []
    for each in payload["records"]:
        (kind,) = each["document"]
        message = json_format.ParseDict(with_base64_ids(each["document"]), MESSAGES[kind]())
        records.append({"base64": base64.b64encode(message.SerializeToString()).decode()})
    assert FILES["become"](FILES["records_of"]({**payload, "records": records})) == payload["becomes"]


def with_base64_ids(document):
    """protobuf's own JSON has base64 where OTLP/JSON has hex."""
    if isinstance(document, list):
        return [with_base64_ids(each) for each in document]
    if not isinstance(document, dict):
        return document
    return {
        key: base64.b64encode(bytes.fromhex(value)).decode()
        if key in ("traceId", "spanId", "parentSpanId")
        else with_base64_ids(value)
        for key, value in document.items()
    }


ELSEWHERE = {"prometheus_remote_write"}
"""Decoders whose payloads are made and broken in `test_wire_decoders`: snappy is not to be read in a file."""


@pytest.mark.parametrize("names", [GOOD, BAD], ids=["plain", "malformed"])
def test_every_built_in_decoder_has_golden_payloads_or_its_own_tests(names):
    decoders = Decoders()
    read = {
        decoders.choose(record)[0].name
        for name in names
        for record in FILES["records_of"](PAYLOADS[name])
        if chosen(decoders, record)
    }
    assert {decoder.name for decoder in BUILT_IN} - ELSEWHERE <= read


def chosen(decoders, record):
    """Tell whether a record gets as far as a decoder."""
    try:
        return decoders.choose(record)
    except DecodeError:
        return None

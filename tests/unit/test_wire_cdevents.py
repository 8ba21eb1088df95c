"""Every CDEvent that is read, of every version of the standard, in every way that it is sent."""

import orjson
import pytest

from detectors.catalog import Catalog
from streams.wire.decoders import Decoders
from streams.wire.record import RawRecord
from streams.wire.telemetry import TelemetryBuilder

T0_MS = 1_790_000_000_000
VERSIONS = {"0.3.0": "0.1.1", "0.4.1": "0.2.0", "0.5.1": "0.3.0"}
"""Of the standard, and of the types in it."""
READ = {
    "service.deployed": ("change", "deploy"),
    "service.upgraded": ("change", "deploy"),
    "service.rolledback": ("change", "deploy"),
    "service.removed": ("change", "deploy"),
    "environment.modified": ("change", "config"),
    "incident.detected": ("alert", "firing"),
    "incident.reported": ("alert", "firing"),
    "incident.resolved": ("alert", "resolved"),
}


def event(what, version):
    subject = {"id": "service/payment", "content": {"environment": {"id": "production"}}}
    if what.startswith("environment"):
        subject = {"id": "production", "content": {"name": "production"}}
    if what.startswith(("service", "incident")):
        subject["content"] |= {
            "artifactId": "pkg:oci/payment@1.5.0",
            "service": {"id": "service/payment"},
            "description": "slow",
        }
    if version < "0.5":
        subject["type"] = what.partition(".")[0]
    context = {
        "specversion" if version >= "0.5" else "version": version,
        "id": "e-1",
        "source": "/cd",
        "type": f"dev.cdevents.{what}.{VERSIONS[version]}",
        "timestamp": "2026-09-21T14:13:20Z",
    }
    return {"context": context, "subject": subject}


def bare(event):
    return RawRecord("cdevents", 0, 0, None, orjson.dumps(event), (), T0_MS)


def structured(event):
    context = event["context"]
    cloud = {
        "specversion": "1.0",
        "id": context["id"],
        "source": context["source"],
        "type": context["type"],
        "time": context["timestamp"],
        "datacontenttype": "application/json",
        "data": event,
    }
    headers = (("content-type", b"application/cloudevents+json; charset=UTF-8"),)
    return RawRecord("cdevents", 0, 0, None, orjson.dumps(cloud), headers, T0_MS)


def binary(event):
    context = event["context"]
    headers = {
        "ce_specversion": "1.0",
        "ce_id": context["id"],
        "ce_source": context["source"],
        "ce_type": context["type"],
        "ce_time": context["timestamp"],
        "content-type": "application/json",
    }
    pairs = tuple((name, value.encode()) for name, value in headers.items())
    return RawRecord("cdevents", 0, 0, None, orjson.dumps(event), pairs, T0_MS)


@pytest.mark.parametrize("sent", [bare, structured, binary], ids=lambda sent: sent.__name__)
@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("what", READ)
def test_an_event_is_read(what, version, sent):
    catalogs = {}
    builder = TelemetryBuilder(lambda domain: catalogs.setdefault(domain, Catalog()))
    assert Decoders().decode(sent(event(what, version)), builder) == 1
    ((domain, telemetry),) = builder.take().items()
    (item,) = telemetry.items

    assert domain == "production"
    assert item.ts_ms == T0_MS
    assert (item.type, item.kind if item.type == "change" else item.status) == READ[what]
    if what.startswith("service"):
        assert (item.service, item.version_after) == ("payment", "1.5.0")

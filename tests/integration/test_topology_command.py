"""`headwater topology` and `headwater explain` on a living broker."""

import json

import pytest

from detectors import Catalog
from streams.cli import main
from streams.wire.codec import encode
from streams.wire.decoders import Decoders
from streams.wire.messages import EvidenceRecord
from streams.wire.record import RawRecord
from streams.wire.telemetry import TelemetryBuilder
from tests.golden.examples import EVENTS, INCIDENT

DAY_MS = 86_400_000


@pytest.fixture
def headwater(wire, tmp_path, capsys):
    """Runs a command against the test's topics; returns exit code and what it printed."""
    kafka = wire.settings.kafka
    config = tmp_path / "headwater.yaml"
    config.write_text(
        f"kafka: {{bootstrap_servers: '{kafka.bootstrap_servers}', topic_prefix: {kafka.topic_prefix},"
        f" group_prefix: {kafka.group_prefix}}}\n"
    )

    def run(*arguments):
        with pytest.raises(SystemExit) as ended:
            main([*map(str, arguments), "--config", str(config)])
        return ended.value.code or 0, capsys.readouterr()

    return run


def _declared(wire):
    """Edges on the topic of declarations, as DETECT would read them."""
    found = {}
    for message in wire.everything("headwater.topology"):
        builder = TelemetryBuilder(lambda _: Catalog())
        topic = "headwater.topology"
        record = RawRecord(topic, message.partition(), message.offset(), message.key(), message.value())
        Decoders().decode(record, builder)
        for domain, telemetry in builder.take().items():
            for item in telemetry.items:
                if item.type == "edge":
                    found.setdefault((domain, item.caller, item.callee), []).append(item)
    return found


def _learnt(wire, edges):
    """Puts edges on the evidence log, as DETECT does with what it read."""
    for domain in {edge.domain for edge in edges}:
        items = tuple(edge for edge in edges if edge.domain == domain)
        record = EvidenceRecord(domain=domain, source="headwater.topology-0", tick_ms=0, items=items)
        wire.put("headwater.evidence", encode(record), domain)
    wire.flush()


def test_an_imported_file_becomes_the_edges_that_it_states(wire, headwater, tmp_path):
    (tmp_path / "shop.yaml").write_text(
        "domain: shop\nedges:\n"
        "  - {caller: web, callee: db, kind: postgresql, schedule: except tue 02:00-04:00}\n"
    )
    code, said = headwater("topology", "import", tmp_path / "shop.yaml")
    assert (code, said.out.split(" to ")[0]) == (0, "1 edges published")
    ((edge,),) = _declared(wire).values()
    assert (edge.domain, edge.source, edge.callee_kind) == ("shop", "declared", "postgresql")
    assert edge.schedule == "except tue 02:00-04:00"


def test_a_file_that_replaces_ends_what_it_no_longer_names_and_keeps_the_past(wire, headwater, tmp_path):
    file = tmp_path / "shop.yaml"
    file.write_text("domain: shop\nedges: [{caller: web, callee: db}, {caller: web, callee: cache}]\n")
    assert headwater("topology", "import", file)[0] == 0
    known = [edges[-1] for edges in _declared(wire).values()]
    _learnt(wire, known)
    file.write_text("domain: shop\nedges: [{caller: web, callee: db}]\n")
    code, said = headwater("topology", "import", file, "--replace")
    assert (code, said.out.split(" published")[0]) == (0, "1 edges, 1 ended")
    ended = _declared(wire)["shop", "web", "cache"][-1]
    _learnt(wire, [ended])

    def shown(*at):
        _, found = headwater("topology", "show", "--domain", "shop", "--json", *at)
        return {row["callee"] for row in json.loads(found.out)}

    assert shown("--at", str(ended.valid_to_ms + DAY_MS)) == {"db"}
    assert shown("--at", str(ended.valid_to_ms - 1)) == {"db", "cache"}


def test_an_import_without_its_topic_says_which_command_creates_it(kafka_settings, tmp_path, capsys):
    kafka = kafka_settings.kafka
    (tmp_path / "headwater.yaml").write_text(
        f"kafka: {{bootstrap_servers: '{kafka.bootstrap_servers}', topic_prefix: {kafka.topic_prefix}}}\n"
    )
    (tmp_path / "a.yaml").write_text("edges: [{caller: web, callee: db}]\n")
    with pytest.raises(SystemExit) as ended:
        main(["topology", "import", str(tmp_path / "a.yaml"), "--config", str(tmp_path / "headwater.yaml")])
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert kafka.topic("headwater.topology") in said
    assert said.count("\n") == 1


def test_an_incident_on_the_topic_is_explained(wire, headwater):
    wire.put("headwater.incidents", EVENTS["incident-opened.cloudevent"], INCIDENT.id)
    wire.flush()
    code, said = headwater("explain", INCIDENT.id[:8])
    assert code == 0
    assert INCIDENT.title in said.out


def test_garbage_on_a_topic_hides_neither_incidents_nor_edges(wire, headwater, tmp_path):
    (tmp_path / "shop.yaml").write_text("domain: shop\nedges: [{caller: web, callee: db}]\n")
    headwater("topology", "import", tmp_path / "shop.yaml")
    for topic in ("headwater.incidents", "headwater.evidence"):
        for value in (b"", b"{", b"[]", b"\xff"):
            wire.put(topic, value, "shop")
    wire.put("headwater.incidents", EVENTS["incident-opened.cloudevent"], INCIDENT.id)
    _learnt(wire, [edges[-1] for edges in _declared(wire).values()])
    wire.flush()

    code, said = headwater("explain", INCIDENT.id)
    assert code == 0
    assert INCIDENT.title in said.out
    assert "passed over 4 unreadable records" in said.err
    code, said = headwater("topology", "show", "--json")
    assert code == 0
    assert [row["callee"] for row in json.loads(said.out)] == ["db"]
    assert "passed over 4 unreadable records" in said.err


def test_a_domain_that_nobody_speaks_of_is_told_from_an_empty_one(wire, headwater, tmp_path):
    (tmp_path / "shop.yaml").write_text("domain: shop\nedges: [{caller: web, callee: db}]\n")
    headwater("topology", "import", tmp_path / "shop.yaml")
    _learnt(wire, [edges[-1] for edges in _declared(wire).values()])
    code, said = headwater("topology", "show", "--domain", "shopp")
    assert code == 2
    assert said.err == "headwater: nothing is known of domain 'shopp'; known are: shop\n"

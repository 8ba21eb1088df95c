"""`headwater topology`: what depends on what, who says so, and where they disagree."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from streams.cli.command import command

if TYPE_CHECKING:
    from correlator.evidence import Edge
    from correlator.topology import Fact, Topology
    from streams.settings import Settings

app = command(
    help="Show, compare and exchange the topology: who depends on whom, who says so, since when. Sources are "
    "files (headwater YAML, Backstage catalog-info, a recording's folder, JSON lines of edges) or, without "
    "--from, the evidence log on Kafka.",
)

From = Annotated[
    list[Path] | None, typer.Option("--from", help="File or recording; may be repeated. Default: Kafka.")
]
Domain = Annotated[
    str | None,
    typer.Option(help="Unit of correlation, such as an environment. Default: the only one spoken of."),
]
DEFAULT = "default"
TOPOLOGY = "headwater.topology"
At = Annotated[
    str | None,
    typer.Option(help="As of this time, ISO 8601 UTC or Unix ms. Default: the newest observation, or now."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Config = Annotated[Path | None, typer.Option("--config", help="YAML settings file.")]


@app.command()
def show(
    service: Annotated[str | None, typer.Argument(help="Only the neighbours of this service.")] = None,
    source: From = None,
    domain: Domain = None,
    at: At = None,
    believed: Annotated[
        str | None, typer.Option(help="What was believed then, instead of what is known now.")
    ] = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """List edges as of a time, with who says so and how far each is believed (0 to 1)."""
    from streams.topology.documents import instant

    topology, newest, _ = _load(source, domain, config)
    at_ms = newest if at is None else instant(at, "--at")
    believed_ms = None if believed is None else instant(believed, "--believed")
    if service is not None and service not in topology:
        from streams.errors import UserError

        raise UserError(f"no source names a service {service!r}")
    rows: list[dict[str, Any]] = []
    callers = topology.services() if service is None else [service]
    for caller in callers:
        for found in topology.callees(caller, at_ms, believed_ms):
            rows.append(_row(caller, found.service, found))
    if service is not None:
        for found in topology.callers(service, at_ms, believed_ms):
            rows.append(_row(found.service, service, found))
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return
    for row in rows:
        kind = f"  ({row['kind']})" if row["kind"] else ""
        marks = ", ".join(row["sources"]) + ("" if row["declared"] else "; discovered, not declared")
        typer.echo(f"{row['caller']} → {row['callee']}{kind}  {row['belief']:.2f}  {marks}")
    typer.echo(f"{len(rows)} edges", err=True)


def _row(caller: str, callee: str, found: Any) -> dict[str, Any]:
    return {
        "caller": caller,
        "callee": callee,
        "kind": found.kind,
        "sources": [str(s) for s in found.sources],
        "belief": round(found.belief, 3),
        "declared": found.declared,
    }


@app.command()
def conflicts(
    source: From = None,
    domain: Domain = None,
    at: At = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """List where sources disagree: undeclared, never observed, outside of schedule, two kinds, directions."""
    from correlator.contradictions import contradictions
    from streams.topology.documents import instant

    topology, newest, _ = _load(source, domain, config)
    found = contradictions(topology, newest if at is None else instant(at, "--at"))
    if as_json:
        rows = [{"kind": c.kind, "caller": c.caller, "callee": c.callee, "text": c.text} for c in found]
        typer.echo(json.dumps(rows, indent=2))
        return
    for each in found:
        typer.echo(f"{each.kind:<17} {each.text}")
    typer.echo(f"{len(found)} contradictions", err=True)


@app.command()
def diff(
    before: Annotated[Path, typer.Argument(help="File or recording.")],
    after: Annotated[Path, typer.Argument(help="File or recording.")],
    domain: Domain = None,
    as_json: Json = False,
) -> None:
    """Compare two files: edges that came (+), went (-) or changed their terms (~). Exit code 1 if any did."""
    now_ms = time.time_ns() // 1_000_000
    chosen = domain or DEFAULT
    old, new = _terms(before, chosen, now_ms), _terms(after, chosen, now_ms)
    rows = [{"change": "+", "caller": c, "callee": d} for c, d in sorted(new.keys() - old.keys())]
    rows += [{"change": "-", "caller": c, "callee": d} for c, d in sorted(old.keys() - new.keys())]
    rows += [
        {"change": "~", "caller": c, "callee": d}
        for c, d in sorted(new)
        if old.get((c, d), new[c, d]) != new[c, d]
    ]
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
    else:
        for row in rows:
            typer.echo(f"{row['change']} {row['caller']} → {row['callee']}")
    raise SystemExit(1 if rows else 0)


@app.command(name="import")
def import_(
    file: Annotated[Path, typer.Argument(help="headwater YAML, Backstage catalog-info, or a recording.")],
    domain: Domain = None,
    replace: Annotated[
        bool,
        typer.Option(
            "--replace", help="Also end what is declared now and not in the file, as of this moment."
        ),
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Read and check only; publish nothing.")] = False,
    config: Config = None,
) -> None:
    """Publish a file's declared edges to the topic headwater.topology.

    What was declared before stays declared; with --replace the file is the whole truth from now on. History
    is kept either way: as-of queries before this moment still show what held then.
    """
    from streams import settings
    from streams.topology.documents import ended, read_edges

    now_ms = time.time_ns() // 1_000_000
    edges = read_edges(file, domain or DEFAULT, now_ms)
    kept = settings.load(config)
    gone = []
    if replace:
        for each in sorted({edge.domain for edge in edges} or {domain or DEFAULT}):
            gone += ended(_declared(kept, each, now_ms), edges, each, now_ms)
    what = f"{len(edges)} edges" + (f", {len(gone)} ended" if replace else "")
    if dry_run:
        typer.echo(f"{file}: {what}, nothing wrong")
        return
    _publish(kept, [*edges, *gone])
    typer.echo(f"{what} published to {kept.kafka.topic(TOPOLOGY)}")


def _declared(kept: Settings, domain: str, now_ms: int) -> list[Fact]:
    """What the evidence log holds as declared of a domain, now."""
    from correlator.evidence import EdgeSource
    from correlator.topology import Topology
    from streams.topology.reading import observed_edges

    topology = Topology()
    edges, unread = observed_edges(kept)
    _warn(unread)
    for edge in edges:
        if edge.domain == domain:
            topology.apply(edge)
    return [f for f in topology.facts(EdgeSource.DECLARED) if f.believed_to_ms is None]


def _publish(kept: Settings, edges: list[Edge]) -> None:
    from confluent_kafka import KafkaException

    from streams.errors import BrokerUnavailable
    from streams.kafka import admin, producer
    from streams.kafka.cluster import metadata, require
    from streams.wire.codec import encode

    kafka = kept.kafka
    topic = kafka.topic(TOPOLOGY)
    require(metadata(admin(kafka), kafka.bootstrap_servers), [topic])
    sender = producer(kafka)
    failures: list[str] = []
    for edge in edges:
        sender.produce(
            topic,
            key=f"{edge.caller}\x1f{edge.callee}".encode(),
            value=encode(edge),
            on_delivery=lambda error, _: failures.append(str(error)) if error else None,
        )
        sender.poll(0)
    try:
        left = sender.flush(30)
    except KafkaException as error:
        raise BrokerUnavailable(str(error)) from None
    if left or failures:
        raise BrokerUnavailable(f"{left + len(failures)} of {len(edges)} edges were not accepted")


@app.command()
def export(
    source: From = None,
    domain: Domain = None,
    form: Annotated[
        Literal["yaml", "backstage"], typer.Option("--format", help="yaml keeps all terms.")
    ] = "yaml",
    observed: Annotated[bool, typer.Option(help="Also what is observed, not only declared.")] = False,
    config: Config = None,
) -> None:
    """Print the edges that are believed now as headwater YAML or Backstage entities."""
    from correlator.evidence import EdgeSource
    from streams.topology.backstage import to_catalog
    from streams.topology.documents import to_yaml

    topology, _, domain = _load(source, domain, config)
    facts = [
        fact
        for fact in topology.facts()
        if fact.believed_to_ms is None and (observed or fact.source is EdgeSource.DECLARED)
    ]
    typer.echo(to_catalog(facts) if form == "backstage" else to_yaml(facts, domain), nl=False)


def _load(sources: list[Path] | None, domain: str | None, config: Path | None) -> tuple[Topology, int, str]:
    """The topology of files or of Kafka, the newest time that was observed, and the domain.

    What speaks of one domain speaks for itself; of several, one must be chosen.
    """
    from correlator.evidence import EdgeSource
    from correlator.topology import Topology
    from streams import settings
    from streams.errors import UserError
    from streams.topology.documents import read_edges
    from streams.topology.reading import observed_edges

    now_ms = time.time_ns() // 1_000_000
    if sources:
        edges = [edge for path in sources for edge in read_edges(path, domain or "", now_ms)]
    else:
        edges, unread = observed_edges(settings.load(config))
        _warn(unread)
    named = sorted({edge.domain for edge in edges} - {""})
    if domain is None and len(named) > 1:
        who = "the files speak" if sources else "the evidence log speaks"
        raise UserError(f"{who} of {', '.join(named)}; choose one with --domain")
    if not sources and domain is not None and domain not in named:
        raise UserError(f"nothing is known of domain {domain!r}; known are: {', '.join(named) or 'none'}")
    domain = domain or (named[0] if named else DEFAULT)
    edges = [edge for edge in edges if edge.domain in ("", domain)]
    topology = Topology()
    for edge in edges:
        topology.apply(edge)
    seen = [edge.last_seen_ms for edge in edges if edge.source is not EdgeSource.DECLARED]
    return topology, max(seen, default=now_ms), domain


def _warn(unread: str) -> None:
    """On standard error, so that what is printed stays data."""
    if unread:
        typer.echo(f"headwater: {unread}", err=True)


def _terms(path: Path, domain: str, now_ms: int) -> dict[tuple[str, str], tuple[Any, ...]]:
    from streams.topology.documents import read_edges

    return {
        (e.caller, e.callee): (e.callee_kind, e.valid_from_ms, e.valid_to_ms, e.schedule, e.source)
        for e in read_edges(path, domain, now_ms)
    }

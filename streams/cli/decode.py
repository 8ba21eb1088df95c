"""`headwater decode`: what a record becomes, or why not."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from streams.cli.command import command

if TYPE_CHECKING:
    from streams.settings import Settings
    from streams.wire.decoders import Decoders
    from streams.wire.record import RawRecord

app = command()
MAX_LINES = 20
"""Samples, lines and items shown without --all; the rest is counted."""


@app.command()
def decode(
    file: Annotated[
        Path | None, typer.Argument(help="A file that holds one record's value; `-` is standard input.")
    ] = None,
    topic: Annotated[
        str | None,
        typer.Option(help="Topic to read from; with FILE, the topic whose decoder is to be used."),
    ] = None,
    partition: Annotated[int, typer.Option(min=0, help="Partition of --topic.")] = 0,
    offset: Annotated[
        int | None, typer.Option(help="Offset of the record; negative counts from the end, -1 is the newest.")
    ] = None,
    header: Annotated[
        list[str] | None, typer.Option(help="With FILE: a header as NAME=VALUE; may be repeated.")
    ] = None,
    decoder: Annotated[
        str | None, typer.Option(help="Decoder to use, whatever topic and headers say; --list names them.")
    ] = None,
    list_decoders: Annotated[bool, typer.Option("--list", help="List the decoders and stop.")] = False,
    everything: Annotated[bool, typer.Option("--all", help="Show all, not only the first 20.")] = False,
    config: Annotated[Path | None, typer.Option(help="YAML file of settings.")] = None,
    json_output: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show what a record becomes, or why it would be dead-lettered (then the exit code is 1).

    Either `headwater decode FILE --topic otlp_logs` or `headwater decode --topic otlp_logs --offset -1`.
    A record is decoded on its own: a cumulative histogram or a service graph needs a record before it.
    """
    from streams import settings
    from streams.errors import UserError
    from streams.wire.decoders import Decoders

    effective = settings.load(config)
    decoders = Decoders({**effective.detect.decoders, **({topic or _NO_TOPIC: decoder} if decoder else {})})
    if list_decoders:
        for each in decoders.table.values():
            typer.echo(f"{each.name:<24} {each.about}")
        return
    if file is not None and offset is not None:
        raise UserError("give FILE or --offset, not both")
    if file is not None:
        record = _from_file(file, topic or _NO_TOPIC, header or [])
    elif topic is not None and offset is not None:
        record = _from_topic(effective, topic, partition, offset)
    else:
        raise UserError("give FILE, or --topic and --offset")
    where = f"{record.topic}[{record.partition}]@{record.offset}" if file is None else str(file)
    raise SystemExit(_show(record, where, decoders, everything=everything, as_json=json_output))


_NO_TOPIC = "(no topic)"


def _show(record: RawRecord, where: str, decoders: Decoders, *, everything: bool, as_json: bool) -> int:
    import orjson

    from detectors.catalog import Catalog
    from streams.errors import DecodeError, UserError
    from streams.wire.shown import shown
    from streams.wire.telemetry import TelemetryBuilder

    catalogs: dict[str, Catalog] = {}
    builder = TelemetryBuilder(lambda domain: catalogs.setdefault(domain, Catalog()))
    found: dict[str, Any] = {"record": where, "bytes": len(record.value or b"")}
    try:
        found["decoder"] = decoders.choose(record)[0].name if record.value is not None else None
        found["taken"] = decoders.decode(record, builder)
        found["becomes"] = shown(builder.take(), catalogs)
    except DecodeError as error:
        found["error"], found["field"] = error.reason, error.field
        if record.topic == _NO_TOPIC and "decoder" not in found:
            raise UserError(
                f"nothing tells how to read {where}: give its --topic, or its --decoder (--list names them)"
            ) from None
    if as_json:
        typer.echo(orjson.dumps(found, option=orjson.OPT_INDENT_2).decode())
    else:
        _print(found, None if everything else MAX_LINES)
    return 1 if "error" in found else 0


def _print(found: dict[str, Any], limit: int | None) -> None:
    from streams.wire.cloudevents import rfc3339

    typer.echo(f"{found['record']}: {found['bytes']} bytes, decoder {found.get('decoder') or 'none'}")
    if "error" in found:
        where = f" at {found['field']}" if found["field"] else ""
        typer.echo(f"  would be dead-lettered{where}: {found['error']}")
        return
    if not found["becomes"]:
        typer.echo("  says nothing: a tombstone, a baseline, or kinds that are passed over")
    for domain, parts in found["becomes"].items():
        typer.echo(f"domain {domain}")
        for name, rows in parts.items():
            for row in rows[:limit]:
                stamp = row.pop("ts_ms", None)
                when = f"{rfc3339(stamp)}  " if stamp is not None else ""
                typer.echo(
                    f"  {name.removesuffix('s'):<7}{when}" + "  ".join(f"{k}={v}" for k, v in row.items())
                )
            if limit is not None and len(rows) > limit:
                typer.echo(f"  … and {len(rows) - limit} more {name} (--all shows them)")


def _from_file(file: Path, topic: str, headers: list[str]) -> RawRecord:
    import sys
    import time

    from streams.errors import UserError
    from streams.wire.record import RawRecord

    pairs = []
    for each in headers:
        name, equals, content = each.partition("=")
        if not equals or not name:
            raise UserError(f"--header {each!r}: expected NAME=VALUE")
        pairs.append((name, content.encode()))
    try:
        value = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        raise UserError(f"{file}: cannot be read ({error.strerror or error})") from None
    return RawRecord(topic, 0, 0, None, value, tuple(pairs), time.time_ns() // 1_000_000)


def _from_topic(settings: Settings, topic: str, partition: int, offset: int) -> RawRecord:
    """Read one record and touch nothing: no group is joined and nothing is committed."""
    from streams.kafka import headers_of
    from streams.kafka.reading import one
    from streams.wire.record import RawRecord
    from streams.wire.routed import with_source_time

    found = one(settings.kafka, settings.kafka.topic(topic), partition, offset)
    return with_source_time(
        RawRecord(
            topic,
            partition,
            found.offset() or 0,
            found.key(),
            found.value(),
            headers_of(found),
            max(0, found.timestamp()[1]),
        )
    )

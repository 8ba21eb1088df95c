"""`headwater schema`: the contracts, for people and for code generators."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from streams.cli.command import command
from streams.errors import UserError

app = command("JSON Schemas of what headwater publishes.")


@app.command("list")
def list_schemas(
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON array.")] = False,
) -> None:
    """Print name, topic and key of every message."""
    from streams.wire.schemas import CONTRACTS

    if as_json:
        rows = [{"name": c.name, "topic": c.topic.name, "key": c.topic.key} for c in CONTRACTS]
        typer.echo(json.dumps(rows, indent=2))
        return

    for contract in CONTRACTS:
        typer.echo(f"{contract.name:<16} {contract.topic.name:<24} key: {contract.topic.key}")


@app.command()
def show(name: Annotated[str, typer.Argument(help="As in `headwater schema list`.")]) -> None:
    """Print one schema (JSON Schema 2020-12)."""
    from streams.wire.schemas import CONTRACTS, schema_text

    for contract in CONTRACTS:
        if contract.name == name:
            typer.echo(schema_text(contract), nl=False)
            return
    known = ", ".join(contract.name for contract in CONTRACTS)
    raise UserError(f"there is no message {name!r}; there are: {known}")


@app.command()
def export(
    out: Annotated[Path, typer.Option(help="Folder to write NAME.json into; made if absent.")] = Path(
        "schemas"
    ),
) -> None:
    """Write all schemas as files, one per message."""
    from streams.wire.schemas import CONTRACTS, schema_text

    try:
        out.mkdir(parents=True, exist_ok=True)
        for contract in CONTRACTS:
            (out / f"{contract.name}.json").write_text(schema_text(contract), encoding="utf-8")
    except OSError as error:
        raise UserError(f"cannot write schemas to {out}: {error.strerror}") from None
    typer.echo(f"{len(CONTRACTS)} schemas in {out}")

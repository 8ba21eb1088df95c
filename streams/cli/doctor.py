"""`headwater doctor`: what is wrong with the set-up, and what to do."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from streams.cli.command import command

app = command()
MARKS = {
    "fault": ("FAULT", typer.colors.RED),
    "warning": ("warn", typer.colors.YELLOW),
    "note": ("note", None),
    "ok": ("ok", typer.colors.GREEN),
}


@app.command()
def doctor(
    records: Annotated[int, typer.Option(min=1, help="Newest records looked at, per raw partition.")] = 200,
    config: Annotated[Path | None, typer.Option(help="YAML file of settings.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON array instead of lines.")] = False,
) -> None:
    """Look at the broker, the topics and the newest telemetry; exit code 1 when there is a fault.

    Finds a broker that does not answer, topics that are missing or kept too briefly, records that cannot be
    read, series that several DETECT processes would share because records are not keyed by service, wrong
    clocks, services without a name, and that nobody says who calls whom. Changes nothing.
    """
    import sys
    from dataclasses import asdict

    from streams.doctor import Finding, examine
    from streams.settings import load

    found: list[Finding] = []
    for each in examine(load(config), records=records):
        found.append(each)
        if not as_json:
            mark, colour = MARKS[each.level]
            typer.secho(f"{mark:<6}", fg=colour if sys.stdout.isatty() else None, nl=False)
            typer.echo(f"{each.subject}: {each.what}")
            if each.do:
                typer.echo(f"      → {each.do}")
    if as_json:
        import json

        typer.echo(json.dumps([asdict(each) for each in found], indent=2))
    if any(each.level == "fault" for each in found):
        raise SystemExit(1)

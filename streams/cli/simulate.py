"""`headwater simulate`: write recordings of simulated systems with known faults."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from streams.errors import UserError

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


@app.command()
def simulate(
    scenario: Annotated[str | None, typer.Option(help="A named scenario; `--list` shows them.")] = None,
    out: Annotated[
        Path, typer.Option(help="Folder to write below; each recording is a folder in it.")
    ] = Path("recordings"),
    seed: Annotated[int, typer.Option(help="The same seed gives the same bytes.")] = 1,
    hours: Annotated[
        float, typer.Option(min=0.1, help="Healthy hours before the live part of a scenario.")
    ] = 2.0,
    interval_s: Annotated[float, typer.Option(min=1.0, help="Seconds between samples.")] = 15.0,
    list_: Annotated[bool, typer.Option("--list", help="List the scenarios and stop.")] = False,
    json_: Annotated[bool, typer.Option("--json", help="Print what was written as JSON.")] = False,
) -> None:
    """Write a recording of a simulated system, with its truth in labels.jsonl and truth.jsonl.

    Example: headwater simulate --scenario cascade --out /tmp/recordings
    """
    from rich.progress import Progress

    from streams.simulator import SCENARIOS, Options, run_scenario

    if list_:
        if json_:
            typer.echo(json.dumps([{"name": s.name, "story": s.story} for s in SCENARIOS.values()]))
        else:
            for known in SCENARIOS.values():
                typer.echo(f"{known.name:<20}{known.story}")
        return
    if scenario is None:
        raise UserError("say what to simulate: --scenario NAME (`--list` shows the names)")
    with Progress(disable=not sys.stderr.isatty(), transient=True) as bar:
        task = bar.add_task(f"simulating {scenario}", total=1.0)
        path = run_scenario(
            scenario,
            out / scenario,
            Options(seed=seed, hours=hours, interval_s=interval_s),
            lambda share: bar.update(task, completed=share),
        )
    typer.echo(json.dumps({"recordings": [str(path)]}) if json_ else str(path))

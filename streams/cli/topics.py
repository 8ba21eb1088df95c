"""`headwater topics`: create or check the topics."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streams.cli.command import command
from streams.settings import load

if TYPE_CHECKING:
    from streams.kafka.topics import TopicState

app = command(
    help="Create or check headwater's topics, raw and its own. Widths and replication come from the settings "
    "`kafka.detect_partitions`, `kafka.domain_partitions` and `kafka.replication_factor`.",
)

ConfigFile = Annotated[Path | None, typer.Option("--config", help="YAML settings file.")]
Json = Annotated[bool, typer.Option("--json", help="Print a JSON array instead of a table.")]


@app.command()
def create(config: ConfigFile = None, as_json: Json = False) -> None:
    """Create what is missing and leave what exists; safe to repeat. Exit code 1 if one differs."""
    from streams.kafka import topics

    settings = load(config)
    _report(topics.create(settings.kafka, settings.route.topics), as_json)


@app.command()
def check(config: ConfigFile = None, as_json: Json = False) -> None:
    """Compare the cluster's topics with what headwater expects. Exit code 1 if one is missing or differs."""
    from streams.kafka import topics

    settings = load(config)
    _report(topics.check(settings.kafka, settings.route.topics), as_json)


def _report(states: Sequence[TopicState], as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps([asdict(state) for state in states], indent=2))
    else:
        longest = max(len(state.name) for state in states)
        for state in states:
            line = f"{state.state:<8} {state.name:<{longest}}  {state.partitions:>3} partitions  {state.note}"
            typer.echo(line.rstrip())
    if any(state.state in ("missing", "differs") for state in states):
        raise SystemExit(1)

"""`headwater eval`: score detection and ranking on recordings, without Kafka."""

from __future__ import annotations

import sys
from multiprocessing import cpu_count
from pathlib import Path
from time import perf_counter
from typing import Annotated

import typer

from streams import writable
from streams.cli.bar import Bar
from streams.cli.command import command
from streams.errors import UserError

app = command()


@app.command()
def evaluate(
    recordings: Annotated[
        list[Path],
        typer.Argument(
            metavar="RECORDING…", help="Folders of recordings; a folder that holds several is taken whole."
        ),
    ],
    signals: Annotated[
        str | None,
        typer.Option(
            help="Comma-separated: metrics, edges, logs, changes, alerts. Default: all that a recording has. "
            "Declared topology is always shown.",
            show_default=False,
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of tables.")] = False,
    incidents: Annotated[
        Path | None,
        typer.Option(help="Write what was published, one incident a line of JSON.", metavar="OUT.jsonl"),
    ] = None,
    told: Annotated[
        Path | None,
        typer.Option(
            help='Rank at the given times instead of detecting; lines of {"recording", "start_ms"}.',
            metavar="FILE.jsonl",
        ),
    ] = None,
    blind: Annotated[
        bool, typer.Option("--blind", help="Open neither labels nor ignored stretches, and score nothing.")
    ] = False,
    jobs: Annotated[
        int, typer.Option(min=0, help="Recordings run at the same time; 0 is one a processor.")
    ] = 0,
    ablate: Annotated[
        bool, typer.Option("--ablate", help="Also score with each factor of the ranking left out in turn.")
    ] = False,
    report: Annotated[
        Path | None, typer.Option(help="Write a page with plots to this folder.", metavar="DIR")
    ] = None,
) -> None:
    """Run recordings through detection and correlation in event time and score what comes out.

    Each recording starts with fresh state after its history. Labels are opened only when its run is over.

    A fault counts as detected when an incident opens within 5 minutes of its start, or 2 intervals where
    those are longer; its ranking is judged as it stood 5 minutes after opening, or 1 interval if longer.
    An incident is false when no fault lasts and none ended within 5 minutes, or 2 intervals, before.
    """
    # Imported here: numba and Arrow take a second that `--help` need not wait for.
    from streams.evaluation.evaluate import Task, open_named, read_told
    from streams.evaluation.evaluate import evaluate as evaluate_all
    from streams.evaluation.result import result
    from streams.evaluation.signals import chosen_signals

    if blind and (ablate or report):
        raise UserError("--blind scores nothing, so there is nothing to ablate or to report")
    chosen = chosen_signals(signals)
    opened = open_named(recordings)
    times = read_told(told, opened) if told else {}
    tasks = [
        Task(one, chosen, blind=blind, ablate=ablate, told_ms=times.get(one.name) if told else None)
        for one in opened
    ]
    if incidents:
        writable.file(incidents)
    if report:
        writable.folder(report)
    began = perf_counter()
    with Bar("evaluating", [one.name for one in opened]) as bar:
        outcomes = evaluate_all(tasks, jobs=jobs or cpu_count(), on_progress=bar.advance)
    if incidents:
        incidents.write_bytes(b"".join(i.line() for outcome in outcomes for i in outcome.incidents))
    if blind:
        _say_blind(sum(len(outcome.incidents) for outcome in outcomes), incidents, as_json)
        return
    found = result(outcomes, perf_counter() - began)
    if report:
        from streams.evaluation.report import write_report

        write_report(report, found)
    _print(found, as_json)


def _say_blind(count: int, incidents: Path | None, as_json: bool) -> None:
    if as_json:
        typer.echo("{}")
    else:
        typer.echo(f"{count} incidents{f' written to {incidents}' if incidents else ''}; nothing was scored")


def _print(found: dict[str, object], as_json: bool) -> None:
    if as_json:
        import orjson

        typer.echo(orjson.dumps(found, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE), nl=False)
        return
    from rich.console import Console

    from streams.evaluation.table import tables

    console = Console() if sys.stdout.isatty() else Console(width=150)
    console.print(tables(found))

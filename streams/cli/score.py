"""`headwater score`: run the detector suite over single series."""

from __future__ import annotations

import sys
from pathlib import Path
from time import monotonic
from typing import Annotated

import typer

from streams.cli.command import command
from streams.errors import UserError

app = command()

SECONDS = 1.0
"""Between two words on progress."""


@app.command()
def score(
    series: Annotated[
        Path,
        typer.Argument(
            metavar="SERIES.parquet",
            help="Columns series (string), ts_ms (Unix ms), value (NaN: missing) and, if known, label (0/1).",
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="SCORES.parquet",
            help="Write series, ts_ms, score (-log10 tail probability), alert (0/1), onset_ms (null: none).",
        ),
    ] = None,
    budget: Annotated[
        float, typer.Option(help="False episodes per series and week that you are willing to pay for.")
    ] = 0.25,
    detector: Annotated[
        str, typer.Option(help="One of `headwater detectors`; only `suite` alerts, others score.")
    ] = "suite",
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object instead of a table.")
    ] = False,
) -> None:
    """Score every sample from what came before it: no look-ahead, no setting per series.

    A score of 3 means once in a thousand ordinary samples. Labels are only used to count afterwards.
    """
    # Imported here: numba and Arrow take a second that `--help` need not wait for.
    from detectors.online import available
    from streams.evaluation.series import read_series, run_detector, run_suite, summarise, write_scores

    if not 0 < budget < float("inf"):
        raise UserError(f"--budget must be positive and finite, not {budget}")
    if out is not None and not out.absolute().parent.is_dir():
        raise UserError(f"{out} cannot be written: {out.parent} is not a folder; create it first")
    known = available()
    if detector not in known:
        raise UserError(f"there is no detector {detector!r}; `headwater detectors` lists them")
    file = read_series(series)
    progress = _Progress(len(file.number))
    quarantined: dict[str, str] = {}
    if detector == "suite":
        scored, seconds = run_suite(file, budget, progress)
    else:
        try:
            scored, seconds, quarantined = run_detector(file, known[detector].make, progress)
        except ValueError as error:
            raise UserError(str(error)) from None
    progress.end()
    if out is not None:
        write_scores(out, file, scored)
    found = summarise(file, scored, budget, seconds)
    found["total"]["quarantined"] = len(quarantined)
    for name, reason in quarantined.items():
        typer.echo(f"{detector} raised on {name} and was silenced there: {reason}", err=True)
    if as_json:
        import orjson

        sys.stdout.write(orjson.dumps(found, option=orjson.OPT_INDENT_2).decode() + "\n")
    else:
        _print(found)


class _Progress:
    """Says on one line of a terminal how far a long input is; elsewhere nothing."""

    def __init__(self, rows: int) -> None:
        self._rows = rows
        self._begin = self._said = monotonic()
        self._shown = False

    def __call__(self, done: int) -> None:
        now = monotonic()
        if now - self._said < SECONDS or not sys.stderr.isatty():
            return
        self._said, self._shown = now, True
        left = (now - self._begin) * (self._rows / done - 1) if done else 0.0
        typer.echo(f"\r{done:,} of {self._rows:,} points, {left:.0f} s left ", err=True, nl=False)

    def end(self) -> None:
        if self._shown:
            typer.echo("", err=True)


def _print(found: dict[str, object]) -> None:
    from rich.console import Console
    from rich.table import Table

    total, rows = found["total"], found["series"]
    assert isinstance(total, dict)  # noqa: S101
    assert isinstance(rows, list)  # noqa: S101
    console = Console()
    table = Table(box=None, header_style="bold")
    table.add_column("series", overflow="fold")
    labelled = "labelled" in total
    for name in ("points", "episodes", *(("labelled", "found", "false") if labelled else ()), "highest"):
        table.add_column(name, justify="right")
    for row in rows:
        marks = (row["labelled"], row["labelled_alerted"], row["false_episodes"]) if labelled else ()
        shown = (row["points"], row["episodes"], *marks, row["highest"])
        table.add_row(row["series"], *map(str, shown))
    console.print(table)
    console.print(
        f"{total['episodes']} episodes in {total['series_weeks']} series-weeks "
        f"(budget {total['budget_per_series_week']} a week)"
        + (f", {total['false_episodes']} of them outside labels" if labelled else "")
        + f"; {total['points']:,} points in {total['wall_s']} s"
    )

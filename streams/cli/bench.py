"""`headwater bench NAME`: figures against named peers, all measured in the same run."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from streams.cli.command import command
from streams.errors import UserError

app = command()

FOLDER = Path(__file__).parents[2] / "bench"
"""Benchmarks and their peers live beside the packages, in the source tree; an installed wheel has none."""
NAMES = ("cause", "detect", "ingest")


@app.command()
def bench(
    name: Annotated[str, typer.Argument(metavar="NAME", help="One of: cause, detect, ingest.")],
    series: Annotated[int, typer.Option(min=1, help="Series in the speed test of `detect`.")] = 1_000_000,
    recordings: Annotated[
        Path | None,
        typer.Option(
            help="Folder of recordings. `detect` reads its folder `series` (default: HEADWATER_RECORDINGS); "
            "`cause` asks headwater and its peers about every labelled fault, which takes minutes "
            "(default: none).",
            show_default=False,
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of lines.")] = False,
) -> None:
    """Measure headwater and its peers on the same input, one after the other, on this machine.

    Absolute figures depend on the machine and on what else it does; ratios less so.
    """
    if name not in NAMES:
        raise UserError(f"there is no benchmark {name!r}; there is: {', '.join(NAMES)}")
    if not (FOLDER / f"{name}.py").exists():
        raise UserError(f"the benchmarks are not installed: run from a source tree, {FOLDER} does not exist")
    from streams import settings

    folder = recordings if name == "cause" else recordings or settings.load().recordings
    if recordings is not None and not recordings.is_dir():
        raise UserError(f"{recordings} is not a folder")
    sys.path.insert(0, str(FOLDER))
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise UserError(f"{error.name} is not installed: pip install 'headwater[dev]'") from None
    result = module.run(folder, series, _note)
    if as_json:
        import orjson

        sys.stdout.write(orjson.dumps(result, option=orjson.OPT_INDENT_2).decode() + "\n")
    else:
        for key, value in _flat(result):
            typer.echo(f"{key:<70} {value}")


def _note(what: str) -> None:
    if sys.stderr.isatty():
        typer.secho(f"… {what}", err=True, dim=True)


def _flat(tree: Mapping[str, Any], head: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{head}{key}.")
        else:
            yield f"{head}{key}", f"{value:,}" if isinstance(value, int) else value

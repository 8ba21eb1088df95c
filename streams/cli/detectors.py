"""`headwater detectors`: which detectors of one series there are."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from streams.cli.command import command

app = command()


@app.command()
def detectors(
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON array instead of a table.")] = False,
) -> None:
    """List detectors with their parameters: ours, river's, and those that installed packages bring.

    A package adds one by an entry point in the group `headwater.detectors`: a name, and a callable without
    required arguments that returns an object with score_one, learn_one, dump and restore.
    """
    # Imported here: numba takes a second that `--help` need not wait for.
    from detectors.online import available

    listed = available().values()
    if as_json:
        import orjson

        rows = [
            {"name": each.name, "source": each.source, "summary": each.summary, "parameters": each.parameters}
            for each in listed
        ]
        sys.stdout.write(orjson.dumps(rows, option=orjson.OPT_INDENT_2).decode() + "\n")
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, header_style="bold")
    for name in ("name", "from", "looks at", "parameters"):
        table.add_column(name, overflow="fold")
    for each in listed:
        parameters = ", ".join(f"{key}={value}" for key, value in each.parameters.items())
        table.add_row(each.name, each.source, each.summary, parameters)
    Console().print(table)

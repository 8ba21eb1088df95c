"""`headwater config`: the settings as they will be used, each with its variable, unit and reason."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from streams import settings
from streams.cli.command import command
from streams.misspelt import variable

app = command()

MASK = "********"
MASKED_TABLES = {"kafka.client"}
"""Free-form tables in which any value may be a secret (`sasl.password`, `ssl.key.password`, …)."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One effective setting, safe to print."""

    setting: str
    variable: str
    value: Any
    default: Any
    changed: bool
    why: str


@app.command()
def config(
    as_json: Annotated[
        bool, typer.Option("--json", help="Print a JSON array, one object a setting.")
    ] = False,
    file: Annotated[
        Path | None, typer.Option("--config", help="YAML file to read below the environment.", metavar="FILE")
    ] = None,
) -> None:
    """Print the effective settings: environment over file over defaults; secrets are masked.

    Every setting can be set as the variable named beside it, or in the file as nested keys.
    Lists are comma-separated; tables are JSON objects. A changed setting is marked with *.
    """
    found = list(effective(settings.load(file)))
    if as_json:
        import orjson

        flags = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
        typer.echo(orjson.dumps([asdict(one) for one in found], option=flags), nl=False)
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("setting", "value", "unit and reason, variable"):
        table.add_column(column, overflow="fold")
    for one in found:
        mark = "* " if one.changed else "  "
        why = Text.assemble(one.why, "\n", (one.variable, "dim"))
        table.add_row(mark + one.setting, Text(_shown(one.value)), why, style="bold" if one.changed else "")
    console = Console()
    (console if console.is_terminal else Console(width=140)).print(table)


def effective(group: BaseModel, path: tuple[str, ...] = ()) -> Iterator[Setting]:
    """Every leaf of the settings, in the order of the model, secrets masked."""
    # Settings read with a file are a subclass: the fields are the same.
    for name, field in type(group).model_fields.items():
        value, here = getattr(group, name), (*path, name)
        if isinstance(value, BaseModel):
            yield from effective(value, here)
            continue
        default = _default(field)
        dotted = ".".join(here)
        yield Setting(
            setting=dotted,
            variable=variable(dotted),
            value=masked(dotted, value),
            default=masked(dotted, default),
            changed=value != default,
            why=field.description or "",
        )


def masked(dotted: str, value: Any) -> Any:
    """A value that can be printed: no secret, no credentials within an address."""
    if isinstance(value, SecretStr):
        return MASK if value.get_secret_value() else ""
    if dotted in MASKED_TABLES:
        return dict.fromkeys(value, MASK)
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, str):
        return re.sub(r"(?<=://)[^/@\s]+@", f"{MASK}@", value)
    if isinstance(value, tuple):
        return list(value)
    return value


def _default(field: FieldInfo) -> Any:
    found = field.get_default(call_default_factory=True)
    return None if found is PydanticUndefined else found


def _shown(value: Any) -> str:
    if value is None or value == "":
        return "–"
    if isinstance(value, list):
        return ",".join(value) or "–"
    if isinstance(value, dict):
        return " ".join(f"{key}={entry}" for key, entry in value.items()) or "–"
    return str(value)

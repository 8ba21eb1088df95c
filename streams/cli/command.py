"""How all commands look: plain help, plain mistakes, and no library's traceback."""

from __future__ import annotations

import typer


def command(help: str | None = None) -> typer.Typer:
    """Make a command, or with `help` a group of them, which is printed when none is named."""
    return typer.Typer(
        help=help,
        no_args_is_help=help is not None,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )

"""The `headwater` command."""

from __future__ import annotations

from streams.interrupts import at_once

__all__ = ["main"]


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; loading it takes a moment, in which a Ctrl-C is answered already."""
    with at_once(lambda: "interrupted"):
        from streams.cli.app import main as run
    run(arguments)

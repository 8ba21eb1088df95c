"""The command table. Each command lives in its own module and imports what is heavy only when called."""

from __future__ import annotations

import importlib
import sys
import tempfile
import traceback
from difflib import get_close_matches

import typer

from streams import __version__
from streams.errors import HeadwaterError
from streams.interrupts import INTERRUPTED, at_once

COMMANDS: dict[str, tuple[str, str]] = {
    # name: (module that holds `app: typer.Typer`, one-line help shown in the list)
    "demo": ("streams.cli.demo", "Break a simulated shop on an embedded broker and print the alert."),
    "run": ("streams.cli.run", "Run all stages, or one of them, until stopped."),
    "replay": ("streams.cli.replay", "Publish a recording to Kafka in the formats of real producers."),
    "eval": ("streams.cli.eval", "Score detection and ranking on recordings, without Kafka."),
    "score": ("streams.cli.score", "Run the detector bank over single series."),
    "detectors": ("streams.cli.detectors", "List the detectors that `score` can run."),
    "simulate": ("streams.cli.simulate", "Write recordings of simulated systems with known faults."),
    "topics": ("streams.cli.topics", "Create or check the topics."),
    "decode": ("streams.cli.decode", "Show what a record becomes, or why not."),
    "dlq": ("streams.cli.dlq", "List, show and replay what could not be read."),
    "doctor": ("streams.cli.doctor", "Look for faults of the set-up, and say what to do."),
    "schema": ("streams.cli.schema", "Export the JSON Schemas of all messages."),
    "config": ("streams.cli.config", "Print the effective settings, secrets masked."),
    "explain": ("streams.cli.explain", "Say why: the cause's terms, the alternatives, what was exonerated."),
    "topology": ("streams.cli.topology", "Show, compare, import and export who depends on whom."),
    "calibrate": ("streams.cli.calibrate", "Fit the confidence on labelled recordings, test it on others."),
    "bench": ("streams.cli.bench", "Compare with named peers, measured in the same run."),
}


OUR_FAULT = 70
"""Exit code of what should not have happened: EX_SOFTWARE of sysexits.h."""

HELP = """\
Usage: headwater COMMAND [OPTIONS]

Finds where an incident began, says how sure it is, and is silent when nothing is wrong.

Commands:
{commands}

`headwater COMMAND --help` explains one; `headwater config` prints the effective settings.
First time here? `headwater demo`.
"""


def _help() -> str:
    return HELP.format(commands="\n".join(f"  {name:<10}{text}" for name, (_, text) in COMMANDS.items()))


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; a person's mistake ends in one line and exit code 2, never a traceback."""
    arguments = sys.argv[1:] if arguments is None else arguments
    match arguments:
        case [] | ["--help" | "-h" | "help", *_]:
            typer.echo(_help())
            return
        case ["--version", *_]:
            typer.echo(__version__)
            return
        case [name, *rest] if name in COMMANDS:
            _run(name, rest)
        case [name, *_]:
            near = get_close_matches(name, COMMANDS, n=1)
            meant = f"did you mean `{near[0]}`? " if near else ""
            typer.echo(
                f"headwater: there is no command {name!r}; {meant}`headwater --help` lists them", err=True
            )
            raise SystemExit(2)


def _run(name: str, arguments: list[str]) -> None:
    module, _ = COMMANDS[name]
    try:
        with at_once(lambda: "interrupted"):
            app = importlib.import_module(module).app
        app(args=arguments, prog_name=f"headwater {name}")
    except HeadwaterError as error:
        typer.secho(f"headwater: {error}", err=True, fg=typer.colors.RED if sys.stderr.isatty() else None)
        raise SystemExit(2) from None
    except SystemExit as stop:
        # Typer turns an interrupt that a command leaves to it into an exit without a word.
        if isinstance(getattr(stop.__context__, "__cause__", None), KeyboardInterrupt):
            typer.echo("headwater: interrupted", err=True)
        raise
    except KeyboardInterrupt:
        typer.echo("headwater: interrupted", err=True)
        raise SystemExit(INTERRUPTED) from None
    except Exception as error:
        typer.echo(f"headwater: this is a fault of headwater, not yours: {_reported(error)}", err=True)
        raise SystemExit(OUR_FAULT) from None


def _reported(error: Exception) -> str:
    """What went wrong, in one line; the traceback goes to a file, for the report of the fault."""
    with tempfile.NamedTemporaryFile("w", prefix="headwater-fault-", suffix=".txt", delete=False) as file:
        traceback.print_exception(error, file=file)
    said = " ".join(str(error).split()) or "no message"
    return f"{type(error).__name__}: {said} (the traceback is in {file.name})"

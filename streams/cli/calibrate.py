"""`headwater calibrate`: fit the confidence's prior on labelled recordings, and test it on unseen systems."""

from __future__ import annotations

import sys
from multiprocessing import cpu_count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any

import typer

from streams.cli.bar import Bar
from streams.cli.command import command
from streams.errors import UserError

if TYPE_CHECKING:
    from correlator.confidence import Prior

app = command()

LEAST = 30
"""Incidents below which a fit says more about them than about the next one."""

SHOWN = 10
"""Incidents of one system from which its own figures are printed."""


@app.command()
def calibrate(
    recordings: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="RECORDING…",
            help="Folders of labelled recordings; one that holds several is taken whole.",
            show_default=False,
        ),
    ] = None,
    worlds: Annotated[
        int,
        typer.Option(
            min=0,
            help="Also simulate so many random systems of eight faults each; every second one is also shown "
            "with nothing but metrics and changes.",
        ),
    ] = 0,
    out: Annotated[
        Path | None,
        typer.Option(help="Write the fit as a module of constants, as correlator/confidence_prior.py."),
    ] = None,
    jobs: Annotated[
        int, typer.Option(min=0, help="Recordings run at the same time; 0 is one a processor.")
    ] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of lines.")] = False,
) -> None:
    """Run labelled recordings blind and fit how likely the first hypothesis is right.

    The prior that is shipped: headwater calibrate DATA --worlds 53 --out correlator/confidence_prior.py

    Printed is how the confidence does on systems that it was not fitted on: each system in turn is left out,
    the rest is fitted, and the one is judged. The prior that is written is fitted on all of them.
    """
    # Imported here: numba and Arrow take a second that `--help` need not wait for.
    from streams.evaluation.confidence_fit import fit, left_out, quality, stated, table
    from streams.evaluation.evaluate import open_named
    from streams.evaluation.examples import Lesson, gather, lessons_of, simulated

    opened = open_named(recordings) if recordings else []
    if not opened and not worlds:
        raise UserError("say what to learn from: folders of labelled recordings, or --worlds N")
    if out is not None and not out.absolute().parent.is_dir():
        raise UserError(f"{out}: cannot be written (its folder does not exist)")  # before hours of work
    with TemporaryDirectory(prefix="headwater-worlds-") as folder:
        learning = [Lesson(one) for one in opened]
        if worlds:
            with Bar(
                "simulating", [f"{number} of {worlds} worlds" for number in range(1, worlds + 1)]
            ) as bar:
                for number, world in enumerate(simulated(worlds, Path(folder))):
                    learning += lessons_of(number, world)
                    bar.advance(number)
        with Bar("running blind", [one.recording.name for one in learning]) as bar:
            examples = gather(learning, jobs or cpu_count(), on_done=bar.advance)
    data = table(examples)
    judged = data.judged
    systems = sorted({str(s) for s in data.system})
    if judged.sum() < LEAST or len(systems) < 2 or data.y.min() == data.y.max():
        raise UserError(
            f"{int(judged.sum())} labelled incidents of {len(systems)} systems are too few to fit on; "
            f"give at least {LEAST}, right ones and wrong ones, of 2 systems"
        )
    prior = fit(data)
    unseen = left_out(data)
    whole, bare = judged & data.whole, judged & ~data.whole
    found: dict[str, Any] = {
        "unseen systems": quality(unseen[whole], data.y[whole]),
        **({"unseen, metrics and changes alone": quality(unseen[bare], data.y[bare])} if bare.any() else {}),
        **{
            f"unseen {system}": quality(unseen[mine], data.y[mine])
            for system in systems
            if (mine := whole & (data.system == system)).sum() >= SHOWN
        },
        "fitted on": quality(stated(data, prior)[judged], data.y[judged]),
        "systems": len(systems),
        "weights": dict(sorted(prior.weights.items(), key=lambda w: -abs(w[1]))),
    }
    if out is not None:
        try:
            out.write_text(module(prior), encoding="utf-8")
        except OSError as error:
            raise UserError(f"{out}: cannot be written ({error.strerror or error})") from None
    if as_json:
        import orjson

        sys.stdout.write(orjson.dumps(found, option=orjson.OPT_INDENT_2).decode() + "\n")
        return
    for name, value in found.items():
        if isinstance(value, dict):
            typer.echo(f"{name}: " + ", ".join(f"{key} {_said(each)}" for key, each in value.items()))
        else:
            typer.echo(f"{name}: {value}")


def _said(value: object) -> str:
    if isinstance(value, dict):
        return " ".join(f"{key}:{each}" for key, each in value.items())
    return str(value)


def module(prior: Prior) -> str:
    """The fit as Python source, formatted as the rest of the package is."""
    lines = [
        '"""The fitted prior of `correlator.confidence`; written by `headwater calibrate`, not by hand."""',
        "",
        f"BIAS = {prior.bias!r}",
    ]
    for name, values in (("WEIGHTS", prior.weights), ("CENTRE", prior.centre), ("SCALE", prior.scale)):
        lines += [f"{name} = {{", *(f'    "{key}": {value!r},' for key, value in values.items()), "}"]
    return "\n".join(lines) + "\n"

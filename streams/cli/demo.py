"""`headwater demo`: break a simulated shop on an embedded broker and print the alert."""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

from streams.cli.command import command
from streams.demo.show import DemoResult
from streams.demo.watch import Seen
from streams.errors import UserError
from streams.interrupts import INTERRUPTED

app = command()

DEFAULT_SCENARIO = "cascade"
SPEED = 60.0
"""A minute a second: the 25 minutes in which it breaks take 25 s."""


class Steps:
    """Shows one line for each step done, and a bar for the one under way (on a terminal)."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("[dim]{task.fields[note]}"),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task("", total=1.0, note="")
        self._step = ""
        self._since_s = time.monotonic()
        self._noticed: set[str] = set()

    def __enter__(self) -> Steps:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def tell(self, step: str, share: float, seen: Seen | None) -> None:
        """Show how far `step` is; a new step closes the one before it."""
        if step != self._step:
            self.done()
            self._step, self._since_s = step, time.monotonic()
        self._bar.update(self._task, description=step, completed=share, note=_note(seen))
        for incident, alert in (seen.first if seen else {}).items():
            if incident not in self._noticed:
                self._noticed.add(incident)
                self._console.print(f"  [yellow]![/] {_clock(alert.detected_ms)}  noticed: {alert.title}")

    def done(self) -> None:
        """Close the step under way."""
        if self._step:
            took = time.monotonic() - self._since_s
            self._console.print(f"  [green]✓[/] {self._step} [dim]{took:.1f} s[/]", highlight=False)
            self._step = ""


@app.command()
def demo(
    scenario: Annotated[
        str, typer.Option(help="Which story to play; `--list` tells them.")
    ] = DEFAULT_SCENARIO,
    list_: Annotated[bool, typer.Option("--list", help="List the scenarios and stop.")] = False,
    seed: Annotated[int, typer.Option(help="Another seed is another day in the shop.")] = 1,
    speed: Annotated[float, typer.Option(min=1, help="Event time per second while it breaks.")] = SPEED,
    json_: Annotated[bool, typer.Option("--json", help="Print the alerts as JSON lines on stdout.")] = False,
) -> None:
    """Simulate a shop, break it, and find out where it began: the whole pipeline, in about a minute.

    Uses an embedded broker, or yours when HEADWATER_KAFKA__BOOTSTRAP_SERVERS is set (under topics of the
    demo's own). Exit code 1 when the pipeline did not find the cause, or found one where there is none.
    """
    from streams.settings import load
    from streams.simulator import SCENARIOS

    if list_:
        for known in SCENARIOS.values():
            typer.echo(f"{known.name:<20}{known.story}")
        return
    if scenario not in SCENARIOS:
        raise UserError(f"there is no scenario {scenario!r}; there are: {', '.join(SCENARIOS)}")

    from streams.demo import play

    settings = load()
    external = "bootstrap_servers" in settings.kafka.model_fields_set
    console = Console(stderr=json_, highlight=False)
    console.print(f"\n  [bold]headwater demo[/] · {scenario}\n")
    try:
        with Steps(console) as steps:
            result = play(settings, external, scenario, seed=seed, speed=speed, tell=steps.tell)
            steps.done()
    except KeyboardInterrupt:
        typer.echo("headwater: interrupted; what the demo had started is stopped", err=True)
        raise SystemExit(INTERRUPTED) from None
    if json_:
        for alert in result.ranked:
            typer.echo(alert.model_dump_json(by_alias=True))
    _show(console, result)
    sys.exit(0 if result.found else 1)


def _show(console: Console, result: DemoResult) -> None:
    from streams.sinks.card import Card

    console.print()
    for alert in result.ranked:
        console.print(Card(alert))
    console.print(f"\n  {_judgement(result)}\n")


def _judgement(result: DemoResult) -> str:
    seen = result.seen
    read = f"{result.records:,} records, {seen.anomalies} anomalies, {seen.changes} changes"
    if result.true_root is None:
        if result.found:
            return f"[bold green]✓ Nothing wrong.[/] {read}, and no alert."
        return f"[bold red]✗ Nothing was wrong[/], and yet {len(seen.alerts)} alerts came."
    if not result.ranked:
        return f"[bold red]✗ Missed.[/] It was {result.true_root}, and no alert came. {read}."
    named = result.ranked[0].root_cause
    mark = "[bold green]✓ Found.[/]" if result.found else "[bold red]✗ Wrong.[/]"
    said = f"headwater says {named.entity}" if named else "headwater names no cause"
    delay_s = (min(a.detected_ms for a in seen.first.values()) - (result.fault_start_ms or 0)) / 1000
    return f"{mark} It was {result.true_root}; {said}, {delay_s:.0f} s after it began. [dim]{read}.[/]"


def _note(seen: Seen | None) -> str:
    if seen is None or not seen.watermark_ms:
        return ""
    return f"{_clock(seen.watermark_ms)} · {seen.anomalies} anomalies · {len(seen.alerts)} incidents"


def _clock(ts_ms: int) -> str:
    return datetime.fromtimestamp(ts_ms / 1000, UTC).strftime("%H:%M:%S")

"""`headwater simulate`: write recordings of simulated systems with known faults."""

from __future__ import annotations

import json
import shutil
import sys
import time
from contextlib import closing, nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from multiprocessing import cpu_count
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streams.cli.command import command
from streams.errors import UserError
from streams.interrupts import INTERRUPTED, at_once

if TYPE_CHECKING:
    from streams.simulator import CampaignOptions, Options

MOST_HOURS = 8 * 7 * 24
"""Eight weeks: what a disk can hold and somebody will wait for."""

app = command()


@app.command()
def simulate(
    scenario: Annotated[str | None, typer.Option(help="A named scenario; `--list` shows them.")] = None,
    out: Annotated[
        Path, typer.Option(help="Folder to write below; each recording is a folder in it.")
    ] = Path("recordings"),
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same bytes.")] = 1,
    hours: Annotated[
        float | None,
        typer.Option(
            min=0.1,
            max=MOST_HOURS,
            help="Healthy hours before the first fault; 2 in a scenario, 3 in a random world.",
        ),
    ] = None,
    worlds: Annotated[int, typer.Option(min=0, help="Write so many random recordings instead.")] = 0,
    faults: Annotated[
        int, typer.Option(min=0, max=200, help="Faults in each random recording; every sixth has none.")
    ] = 4,
    services: Annotated[
        int | None, typer.Option(min=8, max=200, help="Services of each random world; drawn if absent.")
    ] = None,
    jobs: Annotated[
        int, typer.Option(min=0, help="Random recordings written at the same time; 0 is one a processor.")
    ] = 0,
    interval_s: Annotated[float, typer.Option(min=1.0, max=600.0, help="Seconds between samples.")] = 15.0,
    live: Annotated[
        bool,
        typer.Option(
            "--live",
            help="Then publish it to Kafka as its producers would: what lies before the story at once, the "
            "story itself at --speed, so that it ends now.",
        ),
    ] = False,
    speed: Annotated[
        float, typer.Option(min=0.1, max=1000.0, help="Event time per wall-clock time, with --live.")
    ] = 1.0,
    traces: Annotated[
        bool,
        typer.Option(
            "--traces", help="With --live, publish one trace of each edge and interval too, on otlp_spans."
        ),
    ] = False,
    list_: Annotated[bool, typer.Option("--list", help="List the scenarios and stop.")] = False,
    json_: Annotated[bool, typer.Option("--json", help="Print what was written as JSON.")] = False,
) -> None:
    """Write a recording of a simulated system, with its truth in labels.jsonl and truth.jsonl.

    headwater simulate --scenario cascade --out /tmp/recordings

    headwater simulate --worlds 20 --faults 4 --seed 7 --out /tmp/worlds

    headwater simulate --scenario cascade --live --speed 10
    """
    with at_once(lambda: "interrupted; nothing was begun"):
        from streams.simulator import SCENARIOS, CampaignOptions, Options, world_name

    if list_:
        if json_:
            typer.echo(json.dumps([{"name": s.name, "story": s.story} for s in SCENARIOS.values()]))
        else:
            for known in SCENARIOS.values():
                typer.echo(f"{known.name:<20}{known.story}")
        return
    if scenario is None and not worlds:
        raise UserError("say what to simulate: --scenario NAME (`--list` shows them) or --worlds N")
    if scenario is not None and worlds:
        raise UserError("--scenario and --worlds exclude each other")
    if live and worlds > 1:
        raise UserError("--live plays one recording: choose --scenario NAME or --worlds 1")
    if traces and not live:
        raise UserError("--traces says what --live publishes; a recording has edges.parquet instead")
    if live:
        _look_for_broker(traces)
    if scenario is not None:
        work = _Work(out, (scenario,), Options(seed=seed, hours=hours or 2.0, interval_s=interval_s))
    else:
        options = CampaignOptions(
            seed=seed, faults=faults, hours=hours or 3.0, interval_s=interval_s, services=services
        )
        work = _Work(out, tuple(world_name(number) for number in range(worlds)), options)
    written, seen = work.written, sys.stderr.isatty()
    at_a_time = min(jobs or cpu_count(), len(work.names))
    try:
        # Processes of its own are ended by an exception; alone, it may stand in the midst of a compilation.
        with nullcontext() if at_a_time > 1 else at_once(work.given_up):
            # Without a bar each is named as soon as it is there: many worlds take many minutes.
            _write(work, at_a_time, seen, name_each=not json_ and not seen)
    except KeyboardInterrupt:
        typer.echo(f"headwater: {work.given_up()}", err=True)
        raise SystemExit(INTERRUPTED) from None
    if json_:
        typer.echo(json.dumps({"recordings": written}))
    elif seen:
        typer.echo("\n".join(written))
    if live:
        _publish(Path(written[0]), speed, traces)


@dataclass(frozen=True, slots=True)
class _Work:
    out: Path
    names: tuple[str, ...]
    options: Options | CampaignOptions
    written: list[str] = field(default_factory=list)

    def given_up(self) -> str:
        """Remove what is half written, and say so."""
        from streams.simulator import unfinished

        for name in self.names:
            shutil.rmtree(unfinished(self.out / name), ignore_errors=True)
        return f"interrupted; {len(self.written)} of {len(self.names)} recordings are complete in {self.out}"


def _write(work: _Work, jobs: int, bar_seen: bool, name_each: bool) -> None:
    from rich.console import Console
    from rich.progress import Progress

    from streams.simulator import Options, run_campaigns, run_scenario

    total = len(work.names)
    with Progress(
        console=Console(stderr=True), disable=not bar_seen, transient=True, redirect_stdout=False
    ) as bar:
        shares = [0.0] * total
        task = bar.add_task(f"simulating {work.names[0] if total == 1 else f'{total} worlds'}", total=total)

        def progress(number: int, share: float) -> None:
            shares[number] = share
            bar.update(task, completed=sum(shares))

        if isinstance(work.options, Options):
            (name,) = work.names
            work.written.append(str(run_scenario(name, work.out / name, work.options, partial(progress, 0))))
            if name_each:
                typer.echo(work.written[-1])
            return
        # Closed here: what its processes left half written is gone before anything is said of it.
        with closing(run_campaigns(total, work.out, work.options, jobs, progress)) as paths:
            for path in paths:
                work.written.append(str(path))
                if name_each:
                    typer.echo(path)


def _look_for_broker(traces: bool) -> None:
    """Fail before the simulation, which may take minutes, rather than after it."""
    from streams import replay, settings

    with replay.publisher(settings.load().kafka, traces=traces):
        pass


def _publish(path: Path, speed: float, traces: bool) -> None:
    """Play a recording into Kafka; its live part, if it names one, keeps pace with the clock."""
    from streams import replay, settings
    from streams.recording import Recording

    recording = Recording.open(path)
    manifest = json.loads((path / "recording.json").read_text())
    live_ms = int(manifest.get("live_from_ms", recording.start_ms))
    # The present is where the live part begins, less what it will take.
    begun = replace(recording, start_ms=live_ms)
    shift_ms = replay.shift_to_now(begun, speed, time.time_ns() // 1_000_000)
    with replay.publisher(settings.load().kafka, traces=traces) as publisher:
        summary = replay.replay(
            recording, publisher, speed=speed, traces=traces, paced_from_ms=live_ms, shift_ms=shift_ms
        )
    how = "stopped" if summary.interrupted else "published"
    typer.echo(f"{how}: {summary.records} records ({summary.bytes / 1e6:.1f} MB)", err=True)
    if summary.interrupted:
        raise SystemExit(INTERRUPTED)

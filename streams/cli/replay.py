"""`headwater replay`: publish a recording to Kafka."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import orjson
import typer

from streams.cli.command import command
from streams.interrupts import INTERRUPTED

if TYPE_CHECKING:
    from rich.progress import TaskID

    from streams.replay import Progress

app = command()


@app.command()
def replay(
    recording: Annotated[Path, typer.Argument(help="Folder of a recording (it holds recording.json).")],
    speed: Annotated[
        float, typer.Option(min=0, help="Event time per wall-clock time; 1 is live, 0 as fast as possible.")
    ] = 1.0,
    history: Annotated[
        bool, typer.Option(help="First publish, at once, the recordings that this one names as its history.")
    ] = True,
    shift_to_now: Annotated[
        bool,
        typer.Option("--shift-to-now", help="Shift all event times, so that the replay ends at the present."),
    ] = False,
    traces: Annotated[
        bool,
        typer.Option("--traces", help="Publish one trace of each edge and interval too, on otlp_spans."),
    ] = False,
    config: Annotated[Path | None, typer.Option(help="YAML file of settings.")] = None,
    json_output: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Publish a recording to Kafka in the wire formats of real producers.

    Metrics and service graph as OTLP protobuf on otlp_metrics, log lines on otlp_logs, sampled traces on
    otlp_spans if asked for (headwater reads them if told to), deploys as CDEvents on cdevents, other changes,
    alerts and declared edges on headwater.*; traces keyed by their id, all else by service.

    Samples that came late (arrivals.parquet of a simulated recording) are sent when they came.
    """
    import sys
    import time

    from streams import replay as replaying
    from streams import settings
    from streams.recording import Recording
    from streams.wire.cloudevents import rfc3339

    effective = settings.load(config)
    opened = Recording.open(recording)
    shift_ms = replaying.shift_to_now(opened, speed, time.time_ns() // 1_000_000) if shift_to_now else 0
    began_s = time.monotonic()
    with (
        replaying.publisher(effective.kafka, traces=traces) as publisher,
        _bar(enabled=sys.stderr.isatty()) as show,
    ):
        summary = replaying.replay(
            opened,
            publisher,
            speed=speed,
            history=history,
            traces=traces,
            shift_ms=shift_ms,
            on_progress=show,
        )
    if json_output:
        typer.echo(orjson.dumps(asdict(summary)).decode())
        return
    reach = f", event time up to {rfc3339(summary.last_ms)}" if summary.last_ms is not None else ""
    lasted_s = time.monotonic() - began_s
    how = "stopped: " if summary.interrupted else ""
    typer.echo(
        f"{how}{summary.records} records ({summary.bytes / 1e6:.1f} MB) in {lasted_s:.0f} s{reach}", err=True
    )
    if summary.interrupted:
        raise SystemExit(INTERRUPTED)


@contextmanager
def _bar(*, enabled: bool) -> Iterator[Callable[[Progress], None] | None]:
    """A progress bar on a terminal, nothing elsewhere."""
    if not enabled:
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    from streams.wire.cloudevents import rfc3339

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[event]}"),
        TimeRemainingColumn(),
    )
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        tasks: dict[str, TaskID] = {}

        def show(now: Progress) -> None:
            name = f"{now.phase} {now.recording}"
            if name not in tasks:
                tasks[name] = bar.add_task(name, total=1.0, event="")
            bar.update(tasks[name], completed=now.share, event=rfc3339(now.event_ms)[:16].replace("T", " "))

        yield show

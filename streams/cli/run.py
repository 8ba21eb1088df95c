"""`headwater run`: the service."""

from __future__ import annotations

from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Annotated

import typer

from streams.cli.command import command

if TYPE_CHECKING:
    from streams.settings import Settings

app = command()


@app.command()
def run(
    stage: Annotated[
        list[str] | None,
        typer.Option(
            help="route, detect, correlate, reason or notify; repeat for several, leave out for all that the "
            "settings ask for."
        ),
    ] = None,
    config: Annotated[Path | None, typer.Option(help="YAML file of settings.")] = None,
) -> None:
    """Run the stages until SIGTERM or Ctrl-C; exit code 1 when one of them ends by itself.

    All stages run on one machine; `--stage detect` runs one of them, in as many processes as there are
    partitions. Kafka's consumer groups share the work out. `--stage route` re-keys the topics of
    `route.topics` by service: for unkeyed input and more than one DETECT process (`headwater doctor` tells).
    Health and metrics are on serve.host:serve.port (127.0.0.1:8080): /healthz, /readyz, /metrics, /version.
    """
    from streams import logging, settings, writable
    from streams.errors import ConfigError
    from streams.service import OPTIONAL, STAGES, stages_of
    from streams.sinks import named

    for name in stage or ():
        if name not in (*OPTIONAL, *STAGES):
            known = ", ".join((*OPTIONAL, *STAGES))
            raise ConfigError(f"there is no stage {name!r}; there are: {known}")
    effective = settings.load(config)
    for sink in effective.notify.sinks:
        named(sink)  # a wrong name is a mistake of now, not of the stage that will need it
    chosen = tuple(dict.fromkeys(stage)) if stage else stages_of(effective)
    if "route" in chosen or effective.route.topics:
        effective.topics_to_route()
    # Each stage would meet a folder that cannot be written later, in its library's words.
    writable.folder(effective.state_dir, setting="state_dir (HEADWATER_STATE_DIR)")
    logging.configure(effective.log)
    _announce(effective)
    stop = _stop_on_signals()
    code = _run_one(chosen[0], effective, stop) if len(chosen) == 1 else _run_many(chosen, effective, stop)
    raise SystemExit(code)


def _run_one(name: str, settings: Settings, stop: Event) -> int:
    """One stage in this very process, as a container wants it."""
    import os
    import sys

    import structlog

    from streams.serve import Endpoint, Health
    from streams.service import run_stage

    health = Health()
    endpoint = Endpoint(settings.serve, health.is_alive, lambda: health.waiting_for)
    structlog.contextvars.bind_contextvars(stage=name)
    if code := run_stage(name, settings, health, stop):
        sys.stdout.flush()
        # A library's thread that does not end must not keep a failed stage alive.
        os._exit(code)
    endpoint.close()
    return 0


def _run_many(stages: tuple[str, ...], settings: Settings, stop: Event) -> int:
    from streams.kafka.cluster import warn_if_away
    from streams.service import Pipeline

    # The stages say so too, but each only when its libraries are loaded, which takes seconds.
    warn_if_away(settings.kafka)
    with Pipeline(settings, stages) as pipeline:
        return pipeline.run(stop)


def _stop_on_signals() -> Event:
    import signal

    stop = Event()
    for kind in (signal.SIGTERM, signal.SIGINT):
        signal.signal(kind, lambda *_: stop.set())
    return stop


def _announce(effective: Settings) -> None:
    import structlog

    from streams.cli.config import effective as settings_of

    changed = {each.setting: each.value for each in settings_of(effective) if each.changed}
    structlog.get_logger("headwater.service").info("starting", changed_settings=changed)

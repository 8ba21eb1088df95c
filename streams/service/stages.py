"""The stages by name."""

from __future__ import annotations

from threading import Event
from typing import Protocol

import structlog

from streams.errors import ConfigError, HeadwaterError
from streams.serve import Health
from streams.settings import Settings

STAGES = ("detect", "correlate", "reason", "notify")
"""In the order of the flow."""
OPTIONAL = ("route",)
"""Run only where it is asked for."""


def stages_of(settings: Settings) -> tuple[str, ...]:
    """Return the stages that `headwater run` runs when none is named."""
    return (*OPTIONAL, *STAGES) if settings.route.topics else STAGES


def module_of(name: str) -> str:
    """Return the module that `stage_of` imports for a stage."""
    return f"streams.stages.{name}"


class Stage(Protocol):
    """A loop over Kafka."""

    def run(self, stop: Event) -> None:
        """Work until told to stop, then leave in order."""


def stage_of(name: str, settings: Settings, health: Health) -> Stage:
    """Build a stage; each imports its own libraries, so that DETECT does not load Faust."""
    match name:
        case "route":
            from streams.stages.route import RouteStage

            return RouteStage(settings, health)
        case "detect":
            from streams.stages.detect import DetectStage

            return DetectStage(settings, health)
        case "correlate":
            from streams.stages.correlate import CorrelateStage

            return CorrelateStage(settings, health)
        case "reason":
            from streams.stages.reason import ReasonStage

            return ReasonStage(settings, health)
        case "notify":
            from streams.sinks import named
            from streams.stages.notify import NotifyStage

            return NotifyStage(settings, health, [named(sink) for sink in settings.notify.sinks])
        case _:
            raise ConfigError(f"there is no stage {name!r}; there are: {', '.join((*OPTIONAL, *STAGES))}")


def run_stage(name: str, settings: Settings, health: Health, stop: Event) -> int:
    """Run one stage in this thread until told to stop; returns its exit code, and why it failed is logged."""
    log = structlog.get_logger("headwater.service")
    try:
        stage_of(name, settings, health).run(stop)
    except HeadwaterError as error:
        log.error(str(error), error=type(error).__name__)
        return 1
    except Exception:
        log.exception("the stage failed")
        return 1
    return 0

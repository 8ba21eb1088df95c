"""headwater's own log: lines for a person on a terminal, one JSON object a line everywhere else.

Libraries that log through the standard library (Faust, aiokafka, librdkafka's callbacks) come out in the
same form. Bound context (`structlog.contextvars.bind_contextvars(incident_id=…)`) is on every line.
"""

from __future__ import annotations

import logging
import sys
from typing import TextIO

import structlog
from structlog.typing import Processor

from streams.settings import LogSettings


def configure(settings: LogSettings, stream: TextIO | None = None) -> None:
    """Route structlog and the standard library's loggers to one stream; call it once, at start.

    Parameters
    ----------
    settings : LogSettings
        `format` `auto` means console on a terminal and JSON otherwise.
    stream : text stream, optional
        Standard output by default, as twelve-factor processes log. A command whose output is data passes
        standard error.
    """
    stream = stream or sys.stdout
    for_person = settings.format == "console" or (settings.format == "auto" and stream.isatty())
    every: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    last: list[Processor] = (
        [structlog.dev.ConsoleRenderer(colors=stream.isatty())]
        if for_person
        else [
            structlog.processors.dict_tracebacks,
            structlog.processors.EventRenamer("message"),
            structlog.processors.JSONRenderer(ensure_ascii=False, default=str),
        ]
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
            foreign_pre_chain=[*every, structlog.stdlib.ExtraAdder()],
        )
    )
    root = logging.getLogger()
    for other in root.handlers[:]:
        root.removeHandler(other)
    root.addHandler(handler)
    root.setLevel(settings.level.upper())
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            *every,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )

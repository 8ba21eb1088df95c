"""One stage in a process of its own, as the pipeline starts it."""

from __future__ import annotations

import os
import signal
import threading
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any

STOP_DEADLINE_S = 10.0
"""A stage that has not left after so long is not going to; its next start goes on from its last snapshot."""


def main(name: str, settings_fields: dict[str, Any], parent: Connection) -> None:
    """Run the stage until SIGTERM, or until the parent is gone; exit code 1 when it failed."""
    import structlog

    from streams import logging
    from streams.serve import Endpoint, Health
    from streams.service.stages import run_stage
    from streams.settings import ServeSettings, Settings

    settings = Settings(**settings_fields)
    logging.configure(settings.log)
    structlog.contextvars.bind_contextvars(stage=name)
    stop = threading.Event()
    # Ctrl-C reaches the whole process group; the parent decides, and tells us by SIGTERM.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    threading.Thread(target=_stop_with_parent, args=(parent, stop), daemon=True).start()
    health = Health()
    endpoint = Endpoint(ServeSettings(port=0), health.is_alive, lambda: health.waiting_for)
    with suppress(OSError):  # it is gone already: then we stop, and there is nobody to tell
        parent.send(endpoint.port)
    code = run_stage(name, settings, health, stop)
    # Not sys.exit: a library's thread that does not end must not keep a failed stage alive.
    os._exit(code)


def _stop_with_parent(parent: Connection, stop: threading.Event) -> None:
    """Wait for the pipe to break, which is how the parent's death shows, whatever it died of."""
    try:
        parent.recv()
    except (EOFError, OSError):
        stop.set()
        threading.Event().wait(STOP_DEADLINE_S)
        os._exit(1)

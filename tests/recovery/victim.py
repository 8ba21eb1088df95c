"""A stage in a process that kills itself at a given step: `victim.py SETTINGS.json STAGE [STEP NTH]`.

SIGKILL: nothing is flushed, closed or committed, as in a power cut.
"""

import json
import os
import signal
import sys
import threading
from collections import Counter
from multiprocessing.connection import Connection
from pathlib import Path

from streams.serve import Health
from streams.settings import Settings


class Announced(Health):
    """Sends a byte when it is first ready."""

    def __init__(self, up: Connection | None) -> None:
        super().__init__()
        self._up = up

    def ready(self) -> None:
        super().ready()
        if self._up is not None:
            self._up.send_bytes(b"!")
            self._up = None


def run(
    settings_json: str,
    stage: str,
    step: str = "",
    nth: int = 0,
    up: Connection | None = None,
    counted: str = "",
) -> None:
    """Run a stage until SIGTERM, or until it has reached `step` for the nth time.

    With `counted`, until it reaches `step` after that other one was reached `nth` times.
    """
    settings = Settings(**json.loads(settings_json))
    seen: Counter[str] = Counter()

    def reached(here: str) -> None:
        seen[here] += 1
        if nth and here.startswith(step) and seen[counted or here] >= nth:
            os.kill(os.getpid(), signal.SIGKILL)

    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    health = Announced(up)
    if stage == "detect":
        from streams.stages.detect import DetectStage

        # Small batches, so that a crash falls between them; a snapshot takes several.
        DetectStage(settings, health, reached=reached, batch=20).run(stop)
    elif stage == "route":
        from streams.stages.route import RouteStage

        RouteStage(settings, health, reached=reached, batch=100).run(stop)
    else:
        from streams.stages.correlate import CorrelateStage

        CorrelateStage(settings, health, reached=reached, checkpoint_records=5).run(stop)


if __name__ == "__main__":
    run(Path(sys.argv[1]).read_text(), sys.argv[2], *sys.argv[3:4], *map(int, sys.argv[4:5]))

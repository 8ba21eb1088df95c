"""A stage in a process that kills itself at a given step: `victim.py SETTINGS.json STAGE [STEP NTH]`.

SIGKILL: nothing is flushed, closed or committed, as in a power cut.
"""

import json
import os
import signal
import sys
import threading
from collections import Counter
from pathlib import Path

from streams.serve import Health
from streams.settings import Settings


class Announced(Health):
    """Writes a byte to `UP_FD` when it is first ready."""

    def ready(self) -> None:
        first = not self.ready_event.is_set()
        super().ready()
        if first and (up := int(os.environ["UP_FD"])) >= 0:
            os.write(up, b"!")
            os.environ["UP_FD"] = "-1"


def main() -> None:
    settings = Settings(**json.loads(Path(sys.argv[1]).read_text()))
    step, nth = (sys.argv[3], int(sys.argv[4])) if len(sys.argv) > 3 else ("", 0)
    seen: Counter[str] = Counter()

    def reached(here: str) -> None:
        seen[here] += 1
        if here.startswith(step) and seen[here] == nth:
            os.kill(os.getpid(), signal.SIGKILL)

    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    if sys.argv[2] == "detect":
        from streams.stages.detect import DetectStage

        # Small batches, so that a crash falls between them.
        DetectStage(settings, Announced(), reached=reached, batch=100).run(stop)
    elif sys.argv[2] == "route":
        from streams.stages.route import RouteStage

        RouteStage(settings, Announced(), reached=reached, batch=100).run(stop)
    else:
        from streams.stages.correlate import CorrelateStage

        CorrelateStage(settings, Announced(), reached=reached, checkpoint_records=5).run(stop)


if __name__ == "__main__":
    main()

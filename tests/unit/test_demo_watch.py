"""How long the demo waits for the pipeline."""

import pytest

from streams.demo.watch import Watcher
from streams.settings import Settings

MINUTE = 60_000


class Scripted:
    """Stands for the condition that the reader notifies: each wait brings what is next in the script."""

    def __init__(self, watch, watermarks):
        self._watch = watch
        self._coming = list(watermarks)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def wait_for(self, come, _timeout_s):
        if self._coming:
            self._watch.seen.watermark_ms = self._coming.pop(0)
        return come()


@pytest.mark.parametrize(
    ("watermarks", "reached"),
    [
        (range(MINUTE, 200 * MINUTE, MINUTE), True),
        ([MINUTE, 2 * MINUTE, 2 * MINUTE, 200 * MINUTE], False),
        ([], False),
    ],
    ids=["slow but moving", "stuck on the way", "dead"],
)
def test_a_slow_pipeline_is_waited_for_and_a_stuck_one_is_not(watermarks, reached):
    watch = Watcher(Settings())
    watch._moved = Scripted(watch, watermarks)
    assert watch.wait_until(150 * MINUTE, 45.0) is reached

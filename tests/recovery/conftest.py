"""Killing a stage at a step, and letting another go on."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess

import pytest

from streams.settings import Settings
from tests.recovery import victim

PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(
    ["streams.stages.correlate", "streams.stages.detect", "streams.stages.route"]
)
"""Victims are forked from a process that has imported the stages and started nothing: importing them takes
two seconds of processor time, and there are some thirty victims."""


class Crashes:
    """Runs stages in processes of their own."""

    def _start(
        self,
        settings: Settings,
        stage: str,
        step: str = "",
        nth: int = 0,
        up: Connection | None = None,
        counted: str = "",
    ) -> ForkServerProcess:
        process = PROCESSES.Process(
            target=victim.run, args=(settings.model_dump_json(), stage, step, nth, up, counted), daemon=True
        )
        process.start()
        return process

    def kill_at(self, settings: Settings, stage: str, step: str, nth: int, counted: str = "") -> None:
        """Run a stage until it has reached a step for the nth time, and not an instruction further.

        With `counted`, the first time after that other step was reached n times.
        """
        process = self._start(settings, stage, step, nth, counted=counted)
        try:
            process.join(90)
            assert process.exitcode == -signal.SIGKILL, f"it never came to step {step!r} {nth} times"
        finally:
            process.kill()
            process.join()

    @contextmanager
    def running(self, settings: Settings, stage: str) -> Iterator[None]:
        """Run a stage inside the block, and stop it in order once it has come up.

        What the block waits for may have been said before the crash, and so be there before the stage is.
        """
        told, up = PROCESSES.Pipe(duplex=False)
        healthy = self._start(settings, stage, up=up)
        up.close()
        try:
            yield
            assert told.poll(60), "it does not come up"
            assert _has_come(told), "it ended before it was ready"
            assert healthy.is_alive(), "it ended by itself"
        finally:
            told.close()
            healthy.terminate()
            healthy.join(30)
            assert healthy.exitcode == 0


def _has_come(told: Connection) -> bool:
    try:
        return bool(told.recv_bytes())
    except EOFError:
        return False


@pytest.fixture
def crashes() -> Crashes:
    return Crashes()

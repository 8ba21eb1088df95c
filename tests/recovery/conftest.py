"""Killing a stage at a step, and letting another go on."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from streams.settings import Settings

VICTIM = Path(__file__).parent / "victim.py"


class Crashes:
    """Runs stages in processes of their own."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._count = 0

    def _start(self, settings: Settings, stage: str, *how: str, up: int = -1) -> subprocess.Popen[bytes]:
        self._count += 1
        file = self._directory / f"settings-{self._count}.json"
        file.write_text(settings.model_dump_json())
        command = [sys.executable, str(VICTIM), str(file), stage, *how]
        return subprocess.Popen(
            command, pass_fds=(up,) if up >= 0 else (), env={**os.environ, "UP_FD": str(up)}
        )

    def kill_at(self, settings: Settings, stage: str, step: str, nth: int) -> None:
        """Run a stage until it has reached a step for the nth time, and not an instruction further."""
        victim = self._start(settings, stage, step, str(nth))
        try:
            assert victim.wait(90) == -9, f"it never came to step {step!r} {nth} times"
        finally:
            victim.kill()
            victim.wait()

    @contextmanager
    def running(self, settings: Settings, stage: str) -> Iterator[None]:
        """Run a stage inside the block, and stop it in order once it has come up.

        What the block waits for may have been said before the crash, and so be there before the stage is.
        """
        told, up = os.pipe()
        healthy = self._start(settings, stage, up=up)
        os.close(up)
        try:
            yield
            assert os.read(told, 1), "it ended before it was ready"
            assert healthy.poll() is None, "it ended by itself"
        finally:
            os.close(told)
            healthy.terminate()
            assert healthy.wait(30) == 0


@pytest.fixture
def crashes(tmp_path: Path) -> Crashes:
    return Crashes(tmp_path)

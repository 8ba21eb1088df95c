"""Killing a stage at a step, and letting another go on."""

from __future__ import annotations

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

    def _start(self, settings: Settings, stage: str, *how: str) -> subprocess.Popen[bytes]:
        self._count += 1
        file = self._directory / f"settings-{self._count}.json"
        file.write_text(settings.model_dump_json())
        return subprocess.Popen([sys.executable, str(VICTIM), str(file), stage, *how])

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
        """Run a stage inside the block, and stop it in order."""
        healthy = self._start(settings, stage)
        try:
            yield
            assert healthy.poll() is None, "it ended by itself"
        finally:
            healthy.terminate()
            assert healthy.wait(30) == 0


@pytest.fixture
def crashes(tmp_path: Path) -> Crashes:
    return Crashes(tmp_path)

"""The running service as the demo starts it: `headwater run` in a process of its own, as a user would."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Self

from streams.broker.keeper import Keeper
from streams.errors import FatalError
from streams.settings import environment_without_settings

READY_TIMEOUT_S = 180.0
"""Ten times what it takes; on two cores that five others kept busy it took 44 s. A stage that dies is noticed
at once."""
STOP_TIMEOUT_S = 15.0
POLL_S = 0.1


class Service:
    """`headwater run` with a configuration file; up inside the block, gone after it, also if we are killed.

    Parameters
    ----------
    config
        The YAML file that it reads; its folder goes with us.
    log
        Where its own log goes.
    port
        Where it answers `/readyz`.
    """

    def __init__(self, config: Path, log: Path, port: int) -> None:
        self._config = config
        self._log = log
        self._ready = f"http://127.0.0.1:{port}/readyz"
        self._process: subprocess.Popen[bytes] | None = None
        self._keeper: Keeper | None = None

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "streams.cli", "run", "--config", str(self._config)]
        with self._log.open("wb") as log:
            # Its own session: a Ctrl-C at the terminal reaches the demo, which stops it in order.
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and our own arguments
                command,
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                env=environment_without_settings(),
                start_new_session=True,
            )
        self._keeper = Keeper(self._process.pid, self._config.parent, grace_s=STOP_TIMEOUT_S)
        try:
            self._wait()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def check(self) -> None:
        """Raise when it has died, with the last thing that it said."""
        if self._process is not None and self._process.poll() is not None:
            raise FatalError(f"a stage stopped (exit code {self._process.returncode}): {self._last_words()}")

    def _wait(self) -> None:
        deadline = time.monotonic() + READY_TIMEOUT_S
        while time.monotonic() < deadline:
            self.check()
            try:
                with urllib.request.urlopen(self._ready, timeout=2):  # noqa: S310 - loopback, our own port
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(POLL_S)
        raise FatalError(f"the stages are not ready after {READY_TIMEOUT_S:.0f} s: {self._last_words()}")

    def _end(self) -> None:
        process = self._process
        if process is None:
            return
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        self._process = None
        if self._keeper is not None:
            self._keeper.release()

    def _last_words(self) -> str:
        lines = self._log.read_text(errors="replace").strip().splitlines()
        last = lines[-1] if lines else "it said nothing"
        try:
            return str(json.loads(last).get("message", last))
        except (ValueError, AttributeError):
            return last

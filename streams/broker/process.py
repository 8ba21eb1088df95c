"""A server in a process group of its own, which does not outlive us."""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

from streams.broker.keeper import Keeper
from streams.errors import BrokerUnavailable


def free_port(host: str = "127.0.0.1") -> int:
    """Return a port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def is_taken(port: int, host: str = "127.0.0.1") -> bool:
    """Whether something listens on the port."""
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex((host, port)) == 0


class ServerProcess:
    """A child that listens on a port; `stop_grace_s` lies between SIGTERM and SIGKILL.

    It runs in a session of its own, so that a terminal's Ctrl-C reaches us only and we end it in order;
    the whole group is killed, so that no grandchild stays. Should we be killed, a keeper does it, and removes
    the folder of the log.
    """

    def __init__(
        self, command: list[str], port: int, log: Path, *, cwd: Path | None = None, stop_grace_s: float
    ) -> None:
        self.port = port
        self._stop_grace_s = stop_grace_s
        self.log = log
        with log.open("wb") as sink:
            self._child = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=sink, stderr=sink, cwd=cwd, start_new_session=True
            )
        self._keeper = Keeper(self._child.pid, log.parent, grace_s=stop_grace_s)
        atexit.register(self.stop)

    @property
    def pid(self) -> int:
        """Process id, which is also that of its group."""
        return self._child.pid

    def wait_until_listening(self, timeout_s: float) -> None:
        """Return when the port accepts connections.

        Raises
        ------
        BrokerUnavailable
            The process ended, or the time is up; with the last lines that it wrote.
        """
        deadline = time.monotonic() + timeout_s
        while not is_taken(self.port):
            if self._child.poll() is not None:
                raise BrokerUnavailable(f"the broker ended at start: {self._last_lines()}")
            if time.monotonic() > deadline:
                raise BrokerUnavailable(
                    f"the broker did not listen on port {self.port} within {timeout_s:.0f} s: "
                    f"{self._last_lines()}"
                )
            time.sleep(0.05)

    def stop(self) -> None:
        """End the group: politely, then not."""
        atexit.unregister(self.stop)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._child.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._child.wait(self._stop_grace_s)
        self.kill()

    def kill(self) -> None:
        """End the group without a goodbye, as a power cut would."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._child.pid, signal.SIGKILL)
        self._child.wait()
        self._keeper.release()

    def _last_lines(self) -> str:
        lines = self.log.read_text(errors="replace").strip().splitlines()[-3:]
        return " / ".join(lines) or "it wrote nothing"

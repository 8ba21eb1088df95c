"""Ends what a killed process would leave behind; run as a script, it is the process that does so.

A process that is killed cannot clean up. So each server that we start gets a keeper, a small process that
waits for our end of a pipe to close, which it does whatever we died of. This file imports nothing of
headwater: the keeper starts in milliseconds.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

GONE_TIMEOUT_S = 2.0
POLL_S = 0.05


class Keeper:
    """Watches over one process group until `release`.

    Parameters
    ----------
    group
        The group to end when we are gone: SIGTERM, and SIGKILL `grace_s` later.
    folder
        Removed after it.
    """

    def __init__(self, group: int, folder: Path, *, grace_s: float) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", __file__, str(group), str(grace_s), str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def release(self) -> None:
        """Say that we have ended the group ourselves; calling it again does nothing."""
        if self._process.returncode is None:
            self._process.communicate(b"released")


def keep(group: int, grace_s: float, folder: str) -> None:
    """Wait until the pipe closes, and clean up unless something was said before."""
    if sys.stdin.buffer.read():
        return
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGTERM)
        _wait_until_gone(group, grace_s)
        os.killpg(group, signal.SIGKILL)
        _wait_until_gone(group, GONE_TIMEOUT_S)
    shutil.rmtree(folder, ignore_errors=True)


def _wait_until_gone(group: int, timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        os.killpg(group, 0)
        time.sleep(POLL_S)


if __name__ == "__main__":
    keep(int(sys.argv[1]), float(sys.argv[2]), sys.argv[3])

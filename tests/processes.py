"""Other processes, as tests see them: who started whom, and when they are gone."""

from __future__ import annotations

import os
import select
from contextlib import suppress
from pathlib import Path


def children_of(process: int) -> list[int]:
    """Process ids of those that a process started from its first thread."""
    return [int(each) for each in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def wait_for_the_end_of(process: int, timeout_s: float) -> None:
    """Wait until a process has ended, whoever started it; looking again and again would cost a core."""
    with suppress(ProcessLookupError):
        handle = os.pidfd_open(process)
        try:
            assert select.select([handle], [], [], timeout_s)[0], f"process {process} stays"
        finally:
            os.close(handle)

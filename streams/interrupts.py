"""What a Ctrl-C may not tear in two, and where it must not be an exception."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing import resource_tracker

INTERRUPTED = 130
"""Exit code of a command that was interrupted: 128 and the number of the signal, as shells have it."""
SHOW_CURSOR = "\r\x1b[2K\x1b[?25h"
"""Progress bars hide it, and are not asked to tidy up."""


@contextmanager
def held() -> Iterator[Callable[[], bool]]:
    """Hold a Ctrl-C back, and answer it as before afterwards; yields whether one is waiting.

    The signal is noted, not blocked: a mask of one thread leaves it to the others, which libraries start.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    noted: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: noted.append(number))
    try:
        yield lambda: bool(noted)
    finally:
        signal.signal(signal.SIGINT, before)
    if noted and callable(before):
        before(signal.SIGINT, None)


@contextmanager
def children_leave_interrupts() -> Iterator[None]:
    """A terminal's Ctrl-C reaches the whole group, but only the first process may answer it.

    Processes started in here inherit that it is blocked, from their first instruction on. Here it waits
    until the block ends; ignoring it instead would lose one that comes while they are being started.
    """
    with held():
        # The tracker that comes with the first child ends its own start by unblocking: that must be over.
        resource_tracker.ensure_running()
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            yield
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def at_once(farewell: Callable[[], str]) -> Iterator[None]:
    """Let a Ctrl-C end the process there and then: one line on stderr, exit code 130.

    An exception would be raised wherever the interpreter stands. While libraries are imported or functions
    compiled, some swallow it, and others print that they could not tidy up.

    Parameters
    ----------
    farewell
        Removes what is half done, as no `finally` is run, and says what happened.
    """
    aside = threading.current_thread() is not threading.main_thread()
    if aside or signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        yield
        return

    def end(*_: object) -> None:
        said = f"headwater: {farewell()}\n"
        with suppress(Exception):
            sys.stdout.flush()
        os.write(2, ((SHOW_CURSOR if os.isatty(2) else "") + said).encode())
        os._exit(INTERRUPTED)

    before = signal.signal(signal.SIGINT, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)

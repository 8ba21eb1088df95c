"""The same work on many things, several at a time, each in a process of its own."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from typing import TypeVar

from streams.errors import FatalError
from streams.interrupts import children_leave_interrupts

Thing = TypeVar("Thing")
Found = TypeVar("Found")


def each_in_a_process(
    work: Callable[[Thing], Found],
    things: Sequence[Thing],
    jobs: int,
    *,
    size: Callable[[Thing], float] = lambda _: 0.0,
    on_done: Callable[[int], None] | None = None,
) -> Iterator[Found]:
    """Yield the results in the order of the things, as soon as they and all before them are there.

    Parameters
    ----------
    work
        A function of a module, or a `partial` of one: it travels to the other processes by name.
    jobs
        Things worked on at the same time; neither results nor their order depend on it.
    size
        The largest are begun first, so that none of them is left to run alone at the end.
    on_done
        Called with the number of a thing that is done; in another thread.

    Raises
    ------
    FatalError
        A process was killed.
    """
    # Spawned, not forked: a fork of a process that has used Arrow's or numba's threads may hang.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(jobs, len(things)), context) as pool:
        try:
            with children_leave_interrupts():
                order = sorted(range(len(things)), key=lambda number: -size(things[number]))
                started = {number: pool.submit(work, things[number]) for number in order}
            futures = [started[number] for number in range(len(things))]
            for number, future in enumerate(futures):
                if on_done:
                    future.add_done_callback(partial(_finished, on_done, number))
            for future in futures:
                yield future.result()
        except BrokenProcessPool:
            raise FatalError(
                "a worker process was killed, perhaps for want of memory; try fewer --jobs"
            ) from None
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for child in multiprocessing.active_children():
                child.terminate()
                # What it leaves half done may be removed as soon as it is gone.
                child.join()
            raise


def _finished(on_done: Callable[[int], None], number: int, _: Future[object]) -> None:
    on_done(number)

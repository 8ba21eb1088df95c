"""Progress of work on many things."""

from __future__ import annotations

import sys
from collections.abc import Sequence


class Bar:
    """One line of progress on a terminal, nothing elsewhere."""

    def __init__(self, doing: str, names: Sequence[str]) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        self._names = names
        self._done = [0.0] * len(names)
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:3.0f} %"),
            TimeElapsedColumn(),
            console=Console(stderr=True),
            disable=not sys.stderr.isatty(),
            transient=True,
        )
        self._task = self._progress.add_task(doing, total=float(len(names)))

    def __enter__(self) -> Bar:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def advance(self, number: int, share: float = 1.0) -> None:
        """Say which share of a thing is done."""
        self._done[number] = share
        self._progress.update(self._task, completed=sum(self._done), description=self._names[number])

"""Lines that a service's other lines imply and that do not come: a path of its code is not walked to its end.

While a service does its work, its templates keep their proportions whatever the load (program invariants,
Lou et al., USENIX ATC 2010). An exception that nobody logs, or an early return, shows as a line that stays
away while its siblings go on. Less demand shows in all of them at once, and is no news here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

WINDOW_MS = 30_000
"""Lines are compared in windows of a minute: in a tick of 15 s chance rules."""
STALE_MS = 180_000
"""A window that lasted longer had a hole in it, and is thrown away."""
LEAST = 2.0
"""Usual lines a window from which a template takes part: fewer are chance."""
SHRINK = 1.0
"""Lines that are taken as said, so that few expected ones prove little."""
MEMORY = 60.0
"""Windows after which what was usual is forgotten to a third."""
BUSY = 0.75
"""Quantile of the templates' ratios that tells the load: paths break off, they do not begin in the middle."""


@dataclass(slots=True)
class Missing:
    """One service's usual proportions between its ordinary templates."""

    begun_ms: int | None = None
    now: dict[int, int] = field(default_factory=dict)
    lines: dict[int, float] = field(default_factory=dict)
    """Lines per template, forgotten exponentially."""
    load: float = 0.0
    """The windows that they stand for, each weighed by its load."""

    def take(
        self, counts: Mapping[int, int], ordinary: Iterable[int], end_ms: int
    ) -> Iterator[tuple[int, float]]:
        """Add a tick's lines; at the end of a window yield (template, % of its expected lines missing).

        Negative where more lines came than expected. `ordinary` are the templates that may be compared.
        """
        if self.begun_ms is None or end_ms - self.begun_ms > STALE_MS:
            self.begun_ms, self.now = end_ms, {}
            return
        for number in ordinary:
            self.now[number] = self.now.get(number, 0) + counts.get(number, 0)
        if end_ms - self.begun_ms < WINDOW_MS:
            return
        found, self.now, self.begun_ms = self.now, {}, end_ms
        usual = {n: x / self.load for n, x in self.lines.items() if n in found} if self.load > 0 else {}
        ratios = sorted(found[n] / x for n, x in usual.items() if x >= LEAST)
        load = _quantile(ratios, BUSY) if ratios else float(any(found.values()))
        for number, x in usual.items():
            expected = x * load
            if x >= LEAST and expected >= LEAST and len(ratios) > 1:
                yield number, 100.0 * (expected - found[number]) / (expected + SHRINK)
        if load > 0:
            keep = 1.0 - 1.0 / MEMORY
            self.load = keep * self.load + load
            for number, count in found.items():
                # One seen for the first time was as frequent before, as far as anybody knows.
                before = self.lines.get(number)
                self.lines[number] = count / load * self.load if before is None else keep * before + count

    def dump(self) -> list[Any]:
        """Return the state, JSON-able."""
        return [self.begun_ms, list(self.now.items()), list(self.lines.items()), self.load]

    @classmethod
    def restore(cls, state: list[Any] | None) -> Missing:
        """Rebuild from `dump`; None is a state from before there was any."""
        if state is None:
            return cls()
        begun_ms, now, lines, load = state
        return cls(begun_ms, dict(map(tuple, now)), dict(map(tuple, lines)), load)


def _quantile(ascending: list[float], share: float) -> float:
    place = share * (len(ascending) - 1)
    low = int(place)
    high = min(low + 1, len(ascending) - 1)
    return ascending[low] + (ascending[high] - ascending[low]) * (place - low)

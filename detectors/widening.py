"""A service that was just changed is given more room: its scale is wider for minutes, and nothing is muted.

New processes compile, fill caches and open connections. The baseline stays what it was, to compare with; only
the yardstick is longer, and the less so the longer the change is over. It acts on what is said of a row and
not on the row: what is learned is the same with and without the change, so a change that is announced late
can neither spoil a baseline nor make a replay learn something else.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from detectors.compiled import compiled
from detectors.rows import Rows
from detectors.tail import rarity
from detectors.telemetry import Series

WIDEST = 2.0
LASTS_MS = 240_000
MOST_SERVICES = 10_000
"""Services of which changes or versions are remembered: the one longest without news goes first."""
MOST_VERSIONS = 8
MOST_CHANGES = 16
"""Of one service, within `LASTS_MS` or still to come."""


class Widening:
    """Knows which services were changed when, and how much wider their scales are for it.

    Examples
    --------
    >>> widening = Widening()
    >>> widening.changed("cart", 60_000)
    >>> widening.factor("cart", 70_000, 60_000), widening.factor("cart", 70_000, 180_000)
    (2.0, 1.5)
    >>> widening.factor("cart", 50_000, 70_000), widening.factor("shop", 70_000, 70_000)
    (1.0, 1.0)
    """

    def __init__(self) -> None:
        self._changes: dict[str, list[int]] = {}
        self._versions: dict[str, list[str]] = {}

    def changed(self, service: str, ts_ms: int) -> None:
        """Note that a service is being changed; O(1), and said twice it is one change."""
        times = self._changes.pop(service, [])
        if ts_ms not in times:
            times = sorted([*times, ts_ms])[-MOST_CHANGES:]
        self._changes[service] = times
        _bound(self._changes)

    def met(self, newcomers: Iterable[Series], ts_ms: int) -> None:
        """Look at series that are seen for the first time: another version of a known service is a change."""
        seen = sorted({(each.service, each.version) for each in newcomers if each.version is not None})
        fresh: set[str] = set()
        for service, version in seen:
            known = self._versions.pop(service, [])
            if known and version not in known:
                fresh.add(service)
            self._versions[service] = [*(each for each in known if each != version), version][-MOST_VERSIONS:]
            _bound(self._versions)
        for service in sorted(fresh):
            self.changed(service, ts_ms)

    def forget(self, now_ms: int) -> None:
        """Drop changes that no longer widen anything."""
        self._changes = {
            service: left
            for service, times in self._changes.items()
            if (left := [each for each in times if each > now_ms - LASTS_MS])
        }

    def factor(self, service: str, first_ms: int, now_ms: int) -> float:
        """Return how many times wider the service's scales are for an episode that began at `first_ms`.

        What began before the change was not brought by it, and what is open is not talked down.
        """
        since = [now_ms - each for each in self._changes.get(service, ()) if each <= first_ms]
        age = min(since, default=LASTS_MS)
        return 1.0 + (WIDEST - 1.0) * max(1.0 - age / LASTS_MS, 0.0)

    def dump(self) -> list[Any]:
        """Return the state, JSON-able."""
        return [list(self._changes.items()), list(self._versions.items())]

    def restore(self, state: list[Any]) -> None:
        """Take back what `dump` returned."""
        self._changes = {service: list(times) for service, times in state[0]}
        self._versions = {service: list(versions) for service, versions in state[1]}


def _bound(memory: dict[str, list[Any]]) -> None:
    if len(memory) > MOST_SERVICES:
        del memory[next(iter(memory))]


@compiled
def surplus(
    rows: Rows, number: int, a: float, factor: float, pool_u: float, pool_b: float, now: int, slot_ms: int
) -> float:
    """Return how much rarer a deviation looks than it does by a scale so many times wider."""
    row = rows[number]
    narrow = rarity(row, a, pool_u, pool_b, now, slot_ms)
    return float(narrow - rarity(row, a / factor, pool_u, pool_b, now, slot_ms))

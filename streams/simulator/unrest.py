"""Trouble that nobody caused: a system that was planned too tightly fails by itself.

Retries keep a chance failure alive, a queue fills a small process's memory. Large systems have such minutes,
as real ones do. No label speaks of them, so what is found in them is neither right nor false: they are listed
in `ignore.jsonl`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from streams.simulator.graph import System
from streams.simulator.state import KINDS, State

FAILS = 0.1
"""Share of a service's requests that fails, from which it is in trouble."""
JOINED_S = 300.0
"""Closer together it is one trouble; so long after it somebody may still notice it."""


def failing(state: State) -> int | None:
    """The service of which most requests fail, by index; None where all do their work."""
    service = state.service
    asked = (service["kind"] == KINDS.index("service")) & (service["rate"] > 1.0)
    shares = np.where(asked, service["error_rate"], 0.0)
    worst = int(shares.argmax())
    return worst if shares[worst] > FAILS else None


@dataclass
class Unrest:
    """The stretches, in seconds, in which services failed and no fault lasted."""

    system: System
    stretches: list[tuple[float, float, int]] = field(default_factory=list)
    """(start, end, index of the service that failed first), in order."""

    def see(self, start_s: float, end_s: float, worst: int) -> None:
        """Add an interval in which the service failed."""
        if self.stretches and start_s - self.stretches[-1][1] <= JOINED_S:
            since_s, _, first = self.stretches[-1]
            self.stretches[-1] = since_s, end_s, first
        else:
            self.stretches.append((start_s, end_s, worst))

    def lasting_s(self, now_s: float) -> float:
        """For how long services have failed by now."""
        if not self.stretches or self.stretches[-1][1] < now_s:
            return 0.0
        return now_s - self.stretches[-1][0]

    def lines(self) -> list[dict[str, object]]:
        """As `ignore.jsonl` lists them."""
        return [
            {
                "start_ms": round(since_s * 1000),
                "end_ms": round((until_s + JOINED_S) * 1000),
                "why": f"{self.system.services[first].name} failed by itself",
            }
            for since_s, until_s, first in self.stretches
        ]

"""What users want: request rates with the day, the week, slow wandering and bursts."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from streams.simulator.graph import System

DAY_S = 86_400
CROWD_LASTS_S = 20.0
"""How long a crowd of sessions is felt."""
MONDAY_S = 4 * DAY_S
"""1970-01-01 was a Thursday: so many seconds to the first Monday, 00:00 UTC."""


@dataclass(frozen=True, slots=True)
class Surge:
    """Extra load for a while: a campaign, a crawler, a partner's batch."""

    request_type: str
    start_s: float
    end_s: float
    factor: float
    ramp_s: float = 300.0

    def at(self, t_s: NDArray[np.floating]) -> NDArray[np.floating]:
        """Factor on the rate at each time."""
        rising = np.clip((t_s - self.start_s) / self.ramp_s, 0.0, 1.0)
        falling = np.clip((self.end_s - t_s) / self.ramp_s, 0.0, 1.0)
        return np.asarray(1.0 + (self.factor - 1.0) * np.minimum(rising, falling))


@dataclass(frozen=True, slots=True)
class Entry:
    """Requests of one type that enter at one service."""

    service: str
    request_type: str
    peak_rps: float
    peak_hour: float = 19.0
    night: float = 0.3
    """Rate of the quietest hour, as a share of the peak."""
    weekend: float = 1.0
    """Factor on Saturdays and Sundays."""
    wander: float = 0.04
    """Standard deviation of the slow drift, in logarithms."""
    burst: float = 0.05
    """Standard deviation from step to step."""


@dataclass
class Load:
    """Entry rates of a system, drawn step by step in chunks; the same seed gives the same rates."""

    system: System
    entries: tuple[Entry, ...]
    rng: np.random.Generator
    surges: list[Surge] = field(default_factory=list)
    together: float = 0.045
    """Standard deviation of what all entries share from moment to moment: users come in sessions."""
    _drift: NDArray[np.float64] = field(init=False)
    _shared: float = 0.0

    def __post_init__(self) -> None:
        self._drift = self.rng.normal(0.0, 1.0, len(self.entries))

    def _crowd(self, steps: int, dt_s: float) -> NDArray[np.float64]:
        keep = float(np.exp(-dt_s / CROWD_LASTS_S))
        white = self.rng.normal(0.0, np.sqrt(1.0 - keep**2), steps)
        out = np.empty(steps)
        for step in range(steps):
            self._shared = keep * self._shared + white[step]
            out[step] = self._shared
        return out

    def draw(self, start_s: float, steps: int, dt_s: float) -> NDArray[np.float64]:
        """Rates as [step, entry], requests per second. Steps follow each other over calls."""
        t = start_s + dt_s * np.arange(steps)
        hour = (t % DAY_S) / 3600.0
        weekend = ((t - MONDAY_S) // DAY_S) % 7 >= 5
        keep = np.exp(-dt_s / 900.0)
        rates = np.empty((steps, len(self.entries)))
        shocks = self.rng.normal(0.0, np.sqrt(1.0 - keep**2), (steps, len(self.entries)))
        bursts = self.rng.normal(0.0, 1.0, (steps, len(self.entries)))
        shared = self.together * self._crowd(steps, dt_s)
        for step in range(steps):
            self._drift = keep * self._drift + shocks[step]
            rates[step] = self._drift
        for column, entry in enumerate(self.entries):
            phase = 2.0 * np.pi * (hour - entry.peak_hour) / 24.0
            shape = 0.5 + 0.5 * (0.85 * np.cos(phase) + 0.15 * np.cos(2.0 * phase))
            base = entry.night + (1.0 - entry.night) * np.clip(shape, 0.0, 1.0)
            base = np.where(weekend, base * entry.weekend, base)
            noise = entry.wander * rates[:, column] + entry.burst * bursts[:, column] + shared
            rate = entry.peak_rps * base * np.exp(noise)
            for surge in self.surges:
                if surge.request_type == entry.request_type:
                    rate = rate * surge.at(t)
            rates[:, column] = rate
        return rates

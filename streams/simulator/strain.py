"""A disturbance in time: which numbers of the plant it moves, how far, and how it sets in and fades."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from streams.simulator.state import Strain

Where = Literal["service", "instance", "edge", "machine", "load"]


@dataclass(frozen=True, slots=True)
class Press:
    """Moves one field of some rows of the plant between `start_s` and `end_s`.

    At full strength the field is multiplied by `factor` and then raised by `add`; while it sets in or
    fades, in proportion. With `period_s` it comes and goes: on for `duty` of each period.
    """

    where: Where
    rows: tuple[int, ...]
    field: str
    start_s: float
    end_s: float
    factor: float = 1.0
    add: float = 0.0
    ramp_s: float = 0.0
    fall_s: float = 0.0
    curve: float = 1.0
    """Exponent of the onset: above 1 it creeps first and then runs away."""
    period_s: float = 0.0
    duty: float = 1.0

    def strength(self, now_s: float) -> float:
        """Between 0 (not there) and 1 (full)."""
        if not self.start_s <= now_s < self.end_s + self.fall_s:
            return 0.0
        if self.period_s > 0.0 and (now_s - self.start_s) % self.period_s >= self.duty * self.period_s:
            return 0.0
        if now_s >= self.end_s:
            return 1.0 - (now_s - self.end_s) / self.fall_s
        if self.ramp_s <= 0.0:
            return 1.0
        return float(min(1.0, (now_s - self.start_s) / self.ramp_s) ** self.curve)

    def apply(self, strain: Strain, now_s: float) -> None:
        """Add this disturbance to `strain`; disturbances of one field compound."""
        strength = self.strength(now_s)
        if strength == 0.0:
            return
        if self.where == "load":
            for row in self.rows:
                strain.load[row] *= 1.0 + (self.factor - 1.0) * strength
            return
        column = getattr(strain, self.where)[self.field]
        for row in self.rows:
            column[row] = column[row] * (1.0 + (self.factor - 1.0) * strength) + self.add * strength

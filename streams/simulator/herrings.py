"""What makes the innocent look guilty: changes at the same minute, loud bystanders, load of its own.

Everything here stays within what the system was built for: some requests wait a little longer, none fails.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from streams.simulator.changes import Change, ChangeLog
from streams.simulator.rates import entry_rate, service_rates
from streams.simulator.state import State
from streams.simulator.strain import Press
from streams.simulator.truth import Fault, rows_of
from streams.simulator.world import World

LOAD_LASTS_S = 1500.0
RELOAD_S = 30.0
"""In which a bystander loads, or drops, what it keeps in memory."""


@dataclass
class RedHerrings:
    """Draws innocent disturbances and collects the changes and presses that they consist of."""

    world: World
    log: ChangeLog
    rng: np.random.Generator
    state: State
    changes: list[Change] = field(default_factory=list)
    presses: list[Press] = field(default_factory=list)
    _peak: dict[str, float] = field(init=False)

    def __post_init__(self) -> None:
        entries = [(entry, entry.peak_rps) for entry in self.world.entries]
        self._peak = service_rates(self.world.system, entries)

    def around(self, fault: Fault) -> None:
        """What makes the innocent look guilty, around the minute of a fault."""
        rng, start = self.rng, fault.start_s
        # Not the root's own: nobody could tell such a change from the one that broke it.
        suspects = [*self.world.system.callers(fault.root_service), *self._some(2, fault.root_service)]
        if rng.random() < 0.75:
            self._innocent_change("deploy", str(rng.choice(suspects)), start + rng.uniform(-100, 75))
        if rng.random() < 0.6:
            kind = "config" if rng.random() < 0.5 else "flag"
            self._innocent_change(kind, str(rng.choice(suspects)), start + rng.uniform(-30, 80))
        for _ in range(int(rng.choice([0, 1, 2], p=[0.2, 0.5, 0.3]))):
            self._bystander(start + rng.uniform(-60, 75), spared=fault.root_service)
        if rng.random() < 0.3:
            self._correlated_load(start + rng.uniform(-300, 60))

    def alone(self, at_s: float) -> None:
        """The same, with no fault near: none of it may be learnt as a sign."""
        kind = int(self.rng.integers(3))
        if kind == 0:
            self._bystander(at_s)
        elif kind == 1:
            self._correlated_load(at_s)
        else:
            for name in self._some(2):
                self._innocent_change("deploy", name, at_s + self.rng.uniform(0, 60))

    def _innocent_change(self, kind: str, service: str, at_s: float) -> None:
        spec = self.world.system.service(service)
        if spec.kind != "service":
            kind = "config"
        if spec.kind == "external":
            return
        self.changes.append(getattr(self.log, kind)(service, at_s))

    def _bystander(self, at_s: float, spared: str = "") -> None:
        """A service that does something big on the side, louder than many a fault; no request fails."""
        kind = self.rng.random()
        if kind < 0.25:
            self._crawler(at_s)
            return
        # Whoever has much room uses it: a report, a re-index, a reload are put where they matter least.
        name = max(self._some(3, spared), key=self._room)
        service = self.world.system.service(name)
        rows = rows_of(self.world.system, self.state, name)
        end_s = at_s + float(self.rng.uniform(240, 900))
        if kind < 0.65:
            # A third of what is left must do for the requests, or they would wait.
            left = 1.0 - 3.0 * (1.0 - self._room(name))
            extra = max(min(float(self.rng.uniform(0.35, 0.6)), left), 0.15) * service.cores
            self.presses.append(Press("instance", rows, "bg_cores", at_s, end_s, add=extra, ramp_s=15.0))
            return
        room = float(self.rng.uniform(0.3, 0.6)) * (service.limit_mb - service.memory_mb) * 1e6
        for start_s, sign in ((at_s, 1.0), (end_s, -1.0)):
            slope = sign * room / RELOAD_S
            self.presses.append(Press("instance", rows, "leak", start_s, start_s + RELOAD_S, add=slope))

    def _room(self, name: str) -> float:
        """Share of a service's CPU that is free at its peak."""
        service = self.world.system.service(name)
        return 1.0 - self._peak[name] * service.cpu_ms / 1e3 / (service.instances * service.cores)

    def _crawler(self, at_s: float) -> None:
        """Somebody asks one thing over and over for some minutes, within what the system was built for."""
        row = int(self.rng.integers(len(self.world.entries)))
        factor = self._bearable((row,), float(self.rng.uniform(1.8, 3.5)), at_s)
        end_s = at_s + float(self.rng.uniform(180, 600))
        self.presses.append(Press("load", (row,), "", at_s, end_s, factor=factor, ramp_s=20.0, fall_s=20.0))

    def _bearable(self, rows: tuple[int, ...], factor: float, at_s: float) -> float:
        """At most so much more load that no entry exceeds what the system was built for, all in all."""
        room = [factor]
        for row in rows:
            entry = self.world.entries[row]
            others = [p.factor for p in self.presses if row in p.rows and self._meets(p, at_s)]
            room.append(1.1 * entry.peak_rps / entry_rate(entry, at_s) / math.prod(others))
        return max(min(room), 1.0)

    @staticmethod
    def _meets(press: Press, at_s: float) -> bool:
        within = press.start_s < at_s + LOAD_LASTS_S and at_s < press.end_s + press.fall_s
        return press.where == "load" and within

    def _correlated_load(self, at_s: float) -> None:
        rows = tuple(int(i) for i in np.nonzero(self.rng.random(len(self.world.entries)) < 0.5)[0])
        factor = self._bearable(rows, float(self.rng.uniform(1.15, 1.4)), at_s)
        self.presses.append(
            Press("load", rows, "", at_s, at_s + LOAD_LASTS_S, factor=factor, ramp_s=240.0, fall_s=240.0)
        )

    def _some(self, count: int, spared: str = "") -> list[str]:
        able = [s.name for s in self.world.system.services if s.kind == "service" and s.name != spared]
        return [str(name) for name in self.rng.permutation(able)[:count]]

"""Random recordings: a random world, weeks of innocent changes, faults with quiet time between, decoys."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from streams.simulator.changes import Change, ChangeLog
from streams.simulator.faults import MECHANISMS, Site
from streams.simulator.plan import Plan
from streams.simulator.queueing import run_step
from streams.simulator.rates import entry_rate, service_rates
from streams.simulator.simulation import simulate
from streams.simulator.state import State, Wiring, build
from streams.simulator.strain import Press
from streams.simulator.truth import Fault
from streams.simulator.world import World, random_world

EPOCH_S = 1_788_220_800.0
"""2026-09-01 00:00 UTC; recordings begin in the ten weeks after it."""
DAY_S = 86_400.0
CHANGES_BEFORE_S = 14 * DAY_S
COLD_S = 3600.0
FAULT_FREE_EVERY = 6
"""Every sixth recording holds no fault: silence must be learnt too."""
TOGETHER = 0.12
"""Share of faults that another one joins before it ends."""


@dataclass(frozen=True)
class CampaignOptions:
    """What a caller may choose about random recordings."""

    seed: int = 1
    faults: int = 4
    """Per recording; two at once count as one."""
    hours: float = 3.0
    """Healthy operation before the first fault."""
    interval_s: float = 15.0
    services: int | None = None
    """Services of each world; None draws 8 to 200."""
    kinds: tuple[str, ...] = ()
    """Only these mechanisms; all if empty."""


def campaign_plan(number: int, options: CampaignOptions) -> Plan:
    """The plan of one random recording; the same seed and number give the same plan."""
    return _Campaign(number, options).plan()


def run_campaign(
    number: int, out: Path, options: CampaignOptions, progress: Callable[[float], None] | None = None
) -> Path:
    """Write one random recording into a folder of its own below `out` and return that folder."""
    plan = campaign_plan(number, options)
    return simulate(plan, out / plan.name, options.seed * 100_003 + number, progress)


def usual(world: World, at_s: float) -> tuple[dict[str, float], State, Wiring]:
    """Rates and the plant as they usually are at a time of the week."""
    entries = [(entry, entry_rate(entry, at_s)) for entry in world.entries]
    state, strain, wiring = build(world.system)
    types = {name: k for k, name in enumerate(world.system.request_types)}
    flow = np.zeros((len(types), len(world.system.services)))
    for step in range(120):
        flow[:] = 0.0
        for entry, rate in entries:
            flow[types[entry.request_type], world.system.index(entry.service)] += rate
        run_step(5.0, state, strain, wiring, flow)
        if step == 0:
            state.service["cache_mem"] = state.service["stored"] * state.service["key_ttl_s"]
    return service_rates(world.system, entries), state, wiring


class _Campaign:
    def __init__(self, number: int, options: CampaignOptions) -> None:
        self.number = number
        self.options = options
        self.rng = np.random.default_rng([options.seed, number, 5])
        self.world: World = random_world(self.rng, options.services)
        self.log = ChangeLog(self.world.system, self.rng)
        self.start_s = EPOCH_S + round(self.rng.uniform(0, 70 * 24)) * 3600.0
        self.changes: list[Change] = []
        self.presses: list[Press] = []
        self.faults: list[Fault] = []
        self.state, _, self.wiring = build(self.world.system)

    def plan(self) -> Plan:
        options, rng = self.options, self.rng
        wanted = 0 if self.number % FAULT_FREE_EVERY == FAULT_FREE_EVERY - 1 else options.faults
        at = self.start_s + options.hours * 3600.0
        for _ in range(wanted):
            end = at + rng.uniform(8.0, 25.0) * 60.0
            self._strike(at, end)
            at = end + rng.uniform(35.0, 75.0) * 60.0
        end_s = math.ceil((at + 900.0) / 3600.0) * 3600.0
        self.changes += self.log.innocent(self.start_s - CHANGES_BEFORE_S, end_s)
        for _ in range(round(1.5 * max(wanted, 2))):
            self._decoy(rng.uniform(self.start_s + 0.4 * 3600.0, end_s - 1200.0))
        self._jobs(end_s)
        self._scaling(end_s)
        self._maintenance(end_s)
        self._schedule_slow_drift(end_s)
        return Plan(
            name=f"world-{self.number:04d}",
            system=self.world.system,
            entries=self.world.entries,
            start_s=self.start_s,
            end_s=end_s,
            interval_s=options.interval_s,
            changes=tuple(self.changes),
            faults=tuple(self.faults),
            presses=tuple(self.presses),
            cold_until_s=self.start_s + min(COLD_S, 0.5 * options.hours * 3600.0),
        )

    def _strike(self, start_s: float, end_s: float) -> None:
        first = self._fault(start_s, end_s, frozenset())
        if first is None:
            return
        if self.rng.random() < TOGETHER:
            later = start_s + self.rng.uniform(0.0, 0.4) * (end_s - start_s)
            self._fault(later, end_s, frozenset({first.root_service}))
        self._red_herrings(first)

    def _fault(self, start_s: float, end_s: float, spared: frozenset[str]) -> Fault | None:
        rates, state, wiring = usual(self.world, start_s)
        kinds = self.options.kinds or tuple(MECHANISMS)
        for kind in self.rng.permutation(kinds):
            site = Site(
                self.world.system, state, wiring, self.log, self.rng, rates,
                f"f{len(self.faults) + 1:02d}", start_s, end_s, self.world.entries, None, spared,
            )  # fmt: skip
            fault = MECHANISMS[str(kind)](site)
            if fault is not None:
                self.faults.append(fault)
                self.changes += site.changes
                return fault
        return None

    def _red_herrings(self, fault: Fault) -> None:
        """What makes the innocent look guilty, around the minute of a fault."""
        rng, start = self.rng, fault.start_s
        suspects = [*self.world.system.callers(fault.root_service), *self._some(2)]
        if rng.random() < 0.75:
            self._innocent_change("deploy", str(rng.choice(suspects)), start + rng.uniform(-100, 75))
        if rng.random() < 0.6:
            kind = "config" if rng.random() < 0.5 else "flag"
            self._innocent_change(kind, str(rng.choice(suspects)), start + rng.uniform(-30, 80))
        for _ in range(int(rng.choice([0, 1, 2], p=[0.3, 0.45, 0.25]))):
            self._busy_bystander(start + rng.uniform(-120, 40))
        if rng.random() < 0.3:
            self._correlated_load(start + rng.uniform(-300, 60))

    def _decoy(self, at_s: float) -> None:
        """The same, with no fault near: none of it may be learnt as a sign."""
        kind = int(self.rng.integers(3))
        if kind == 0:
            self._busy_bystander(at_s)
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

    def _busy_bystander(self, at_s: float) -> None:
        """A service that does something expensive on the side, to nobody's harm."""
        name = self._some(1)[0]
        service = self.world.system.service(name)
        first = int(self.state.service["first"][self.world.system.index(name)])
        rows = tuple(range(first, first + service.instances))
        lasts = self.rng.uniform(180, 900)
        extra = float(self.rng.uniform(0.3, 0.55)) * service.cores
        self.presses.append(Press("instance", rows, "bg_cores", at_s, at_s + lasts, add=extra, ramp_s=20.0))

    def _correlated_load(self, at_s: float) -> None:
        rows = tuple(int(i) for i in np.nonzero(self.rng.random(len(self.world.entries)) < 0.5)[0])
        factor = float(self.rng.uniform(1.15, 1.4))
        self.presses.append(
            Press("load", rows, "", at_s, at_s + 1500.0, factor=factor, ramp_s=240.0, fall_s=240.0)
        )

    def _jobs(self, end_s: float) -> None:
        """Nightly and weekly jobs on the databases, with their usual, harmless appetite."""
        for service in self.world.system.services:
            if service.kind != "database" or self.rng.random() < 0.5:
                continue
            weekly = self.rng.random() < 0.25
            every = 7 * DAY_S if weekly else DAY_S
            hour = float(self.rng.integers(0, 24)) * 3600.0
            minutes = float(self.rng.uniform(4, 35))
            name = f"{service.name}-{self.rng.choice(['backup', 'vacuum', 'rollup', 'report'])}"
            index = self.world.system.index(service.name)
            appetite = float(self.rng.uniform(0.08, 0.3))
            night = math.floor((self.start_s - CHANGES_BEFORE_S) / DAY_S) * DAY_S + hour
            while night < end_s:
                lasts = 60.0 * minutes * float(np.exp(self.rng.normal(0, 0.1)))
                finished = night + lasts < end_s
                attributes = {"job": name} | ({"duration_s": str(round(lasts))} if finished else {})
                press = Press("service", (index,), "bg_io", night, night + lasts, add=appetite, ramp_s=30.0)
                self.changes.append(
                    Change(self.log.next_id(), night, "job", service.name, f"{name} ran",
                           end_s=night + lasts if finished else None, attributes=attributes,
                           presses=(press,) if night + lasts > self.start_s else ())
                )  # fmt: skip
                night += every + float(self.rng.normal(0, 10))

    def _scaling(self, end_s: float) -> None:
        for service in self.world.system.services:
            if service.kind == "service" and service.instances >= 3 and self.rng.random() < 0.25:
                away = self.start_s + self.rng.uniform(0.2, 0.6) * (end_s - self.start_s)
                back = away + self.rng.uniform(1200, 7200)
                self.changes.append(self.log.scale(service, away, -1))
                if back < end_s:
                    self.changes.append(self.log.scale(service, back, +1))

    def _maintenance(self, end_s: float) -> None:
        """Announced windows in which pods are moved to other machines, one after the other."""
        for service in self.world.system.services:
            if service.kind == "service" and service.instances >= 2 and self.rng.random() < 0.05:
                at = self.start_s + self.rng.uniform(0.1, 0.9) * (end_s - self.start_s)
                self.changes.append(
                    Change(
                        self.log.next_id(), at, "other", service.name, f"maintenance: {service.name} drained",
                        end_s=min(at + 1800.0, end_s), attributes={"window": "30m"}, rollout=True,
                    )
                )  # fmt: skip

    def _schedule_slow_drift(self, end_s: float) -> None:
        """Some services leak a little all the time, as some always do; no fault comes of it here."""
        for index, service in enumerate(self.world.system.services):
            if service.kind == "service" and self.rng.random() < 0.1:
                first = int(self.state.service["first"][index])
                room = 0.25 * (service.limit_mb - service.memory_mb) * 1e6 / (end_s - self.start_s)
                rows = tuple(range(first, first + service.instances))
                self.presses.append(Press("instance", rows, "leak", self.start_s, end_s, add=room))

    def _some(self, count: int) -> list[str]:
        able = [s.name for s in self.world.system.services if s.kind == "service"]
        return [str(name) for name in self.rng.permutation(able)[:count]]

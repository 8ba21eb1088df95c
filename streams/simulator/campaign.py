"""Random recordings: a random world, weeks of innocent changes, faults with quiet time between, decoys."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from streams.processes import each_in_a_process
from streams.simulator.changes import Change, ChangeLog
from streams.simulator.failovers import with_second_provider
from streams.simulator.faults import MECHANISMS, Site
from streams.simulator.graph import Service
from streams.simulator.herrings import RedHerrings
from streams.simulator.plan import Plan
from streams.simulator.queueing import run_step
from streams.simulator.rates import entry_rate, service_rates
from streams.simulator.simulation import simulate, unfinished
from streams.simulator.state import State, Wiring, build
from streams.simulator.strain import Press
from streams.simulator.truth import Fault
from streams.simulator.world import World, random_world

EPOCH_S = 1_788_220_800.0
"""2026-09-01 00:00 UTC; recordings begin in the ten weeks after it."""
DAY_S = 86_400.0
CHANGES_BEFORE_S = 14 * DAY_S
COLD_S = 3600.0
FOLLOWED_S = 2 * DAY_S
"""Recordings longer than this show that autoscalers follow the day."""
FAULT_FREE_EVERY = 6
"""Every sixth recording holds no fault: silence must be learnt too."""
BADLY_CHOSEN = 0.15
"""Share of the alerts' thresholds that fire on nothing."""
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


def world_name(number: int) -> str:
    """The name of a random recording, and of its folder."""
    return f"world-{number:04d}"


def run_campaign(
    number: int, out: Path, options: CampaignOptions, progress: Callable[[float], None] | None = None
) -> Path:
    """Write one random recording into a folder of its own below `out` and return that folder."""
    plan = campaign_plan(number, options)
    return simulate(plan, out / plan.name, options.seed * 100_003 + number, progress)


def run_campaigns(
    count: int,
    out: Path,
    options: CampaignOptions,
    jobs: int = 1,
    progress: Callable[[int, float], None] | None = None,
) -> Generator[Path, None, None]:
    """Write the first `count` random recordings, `jobs` at a time, and yield their folders in order.

    Each depends on the seed and its number only, so the bytes are the same however many are written at once.

    Parameters
    ----------
    progress
        Called with the number of a recording and the share of it that is written.
    """
    if jobs <= 1 or count <= 1:
        for number in range(count):
            yield run_campaign(number, out, options, partial(progress, number) if progress else None)
        return
    write = partial(run_campaign, out=out, options=options)
    done = (lambda number: progress(number, 1.0)) if progress else None
    try:
        yield from each_in_a_process(write, range(count), jobs, on_done=done)
    finally:
        for number in range(count):
            shutil.rmtree(unfinished(out / world_name(number)), ignore_errors=True)


def usual(
    world: World, at_s: float, standing: Sequence[Press] = ()
) -> tuple[dict[str, float], State, Wiring]:
    """Rates and the plant as they usually are at a time, under what stands then anyway."""
    entries = [(entry, entry_rate(entry, at_s)) for entry in world.entries]
    state, strain, wiring = build(world.system)
    types = {name: k for k, name in enumerate(world.system.request_types)}
    flow = np.zeros((len(types), len(world.system.services)))
    for press in standing:
        press.apply(strain, at_s)
    for step in range(120):
        flow[:] = 0.0
        for entry, rate in entries:
            flow[types[entry.request_type], world.system.index(entry.service)] += rate
        run_step(5.0, state, strain, wiring, flow)
        if step == 0:
            state.service["cache_mem"] = state.service["stored"] * state.service["key_ttl_s"]
    rates = service_rates(world.system, entries)
    for index, service in enumerate(world.system.services):
        if state.service["rate"][index] == 0.0:
            rates[service.name] = 0.0
    return rates, state, wiring


class _Campaign:
    def __init__(self, number: int, options: CampaignOptions) -> None:
        self.number = number
        self.options = options
        self.rng = np.random.default_rng([options.seed, number, 5])
        self.start_s = EPOCH_S + round(self.rng.uniform(0, 70 * 24)) * 3600.0
        world = random_world(self.rng, options.services)
        self.world, self.standing = with_second_provider(world, self.rng, self.start_s)
        self.log = ChangeLog(self.world.system, self.rng)
        self.changes: list[Change] = []
        self.presses: list[Press] = []
        self.faults: list[Fault] = []
        self.state, _, self.wiring = build(self.world.system)
        self.herrings = RedHerrings(self.world, self.log, self.rng, self.state)

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
            self.herrings.alone(rng.uniform(self.start_s + 0.4 * 3600.0, end_s - 1200.0))
        self._jobs(end_s)
        self._scaling(end_s)
        self._maintenance(end_s)
        self._schedule_slow_drift(end_s)
        changes = self.log.numbered([*self.changes, *self.herrings.changes])
        by_id = {change.id: change for change in changes}
        faults = (replace(f, change=by_id[f.change.id] if f.change else None) for f in self.faults)
        return Plan(
            name=world_name(self.number),
            system=self.world.system,
            entries=self.world.entries,
            start_s=self.start_s,
            end_s=end_s,
            interval_s=options.interval_s,
            changes=tuple(changes),
            faults=tuple(faults),
            presses=(*self.standing, *self.presses, *self.herrings.presses),
            badly_chosen_alerts=BADLY_CHOSEN,
            cold_until_s=self.start_s + min(COLD_S, 0.5 * options.hours * 3600.0),
        )

    def _strike(self, start_s: float, end_s: float) -> None:
        first = self._fault(start_s, end_s, frozenset())
        if first is None:
            return
        if self.rng.random() < TOGETHER:
            later = start_s + self.rng.uniform(0.0, 0.4) * (end_s - start_s)
            self._fault(later, end_s, frozenset({first.root_service}))
        self.herrings.around(first)

    def _fault(self, start_s: float, end_s: float, spared: frozenset[str]) -> Fault | None:
        rates, state, wiring = usual(self.world, start_s, self.standing)
        kinds = self.options.kinds or tuple(MECHANISMS)
        for kind in self.rng.permutation(kinds):
            site = Site(
                self.world.system, state, wiring, self.log, self.rng, rates,
                f"f{len(self.faults) + 1:02d}", start_s, end_s, self.world.entries, None, spared,
                since_s=self.start_s, before=self.faults,
            )  # fmt: skip
            mechanism = MECHANISMS[str(kind)]
            fault = mechanism(site)
            if fault is not None:
                if not fault.trigger and fault.change is None:
                    fault = replace(fault, trigger=(mechanism.__doc__ or "").splitlines()[0])
                self.faults.append(fault)
                self.changes += site.changes
                return fault
        return None

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
        """Autoscalers: in a recording of hours each acts once, over days they follow the load."""
        for service in self.world.system.services:
            if service.kind == "service" and service.instances >= 3 and self.rng.random() < 0.25:
                if end_s - self.start_s > FOLLOWED_S:
                    self._follow_load(service, end_s)
                    continue
                away = self.start_s + self.rng.uniform(0.2, 0.6) * (end_s - self.start_s)
                back = away + self.rng.uniform(1200, 7200)
                self.changes.append(self.log.scale(service, away, -1))
                if back < end_s:
                    self.changes.append(self.log.scale(service, back, +1))

    def _follow_load(self, service: Service, end_s: float) -> None:
        """Take one instance away while the load is below half of its weekly peak, as every night."""
        hours_s = np.arange(self.start_s + 3600.0, end_s - 3600.0, 3600.0)
        load = np.array([sum(entry_rate(e, t) for e in self.world.entries) for t in hours_s.tolist()])
        low = np.concatenate([[False], load < 0.5 * load.max()])
        for hour_s, step in zip(hours_s.tolist(), np.diff(low.astype(int)).tolist(), strict=True):
            if step:
                at_s = hour_s + float(self.rng.uniform(0.0, 900.0))
                self.changes.append(self.log.scale(service, at_s, -step))

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

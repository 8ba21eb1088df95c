"""Runs a world and writes its recording: load in, plant forward, instruments out, truth beside."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streams.errors import UserError
from streams.simulator.alerts import AlertRules
from streams.simulator.chunk import Chunk, snapshot_buffers
from streams.simulator.documents import SOURCE, write_documents
from streams.simulator.instances import Roster
from streams.simulator.instruments import Instruments
from streams.simulator.load import Load
from streams.simulator.logs import Logger
from streams.simulator.plan import Plan
from streams.simulator.queueing import run_step
from streams.simulator.state import State, Strain, Wiring, build
from streams.simulator.strain import Press
from streams.simulator.telemetry import EdgeSensor, Sensor
from streams.simulator.truth import Fault, Shadow
from streams.simulator.unrest import Unrest, failing
from streams.simulator.weather import Weather
from streams.simulator.writer import (
    ARRIVALS,
    EDGES,
    LOGS,
    METRICS,
    Names,
    SortedTable,
)

CHUNK_STEPS = 240
ROLLOUT_GAP_S = 20.0
"""Between the replacement of one pod and the next."""
WARM_UP_S = 1800.0
"""Run before the recording begins, so that queues, caches and averages are in their usual state."""


def simulate(plan: Plan, out: Path, seed: int, progress: Callable[[float], None] | None = None) -> Path:
    """Write the recording of `plan` into `out` and return it; the same plan and seed give the same bytes.

    A simulated recording that is there already is replaced, and only such a one. Memory does not grow with
    the length of the recording.

    Raises
    ------
    UserError
        Something else is there, or the folder cannot be written.
    """
    if out.exists() and not _is_simulated(out):
        raise UserError(f"{out} exists and is no simulated recording: it is not overwritten")
    part = unfinished(out)
    try:
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        Run(plan, seed).write(part, progress)
        shutil.rmtree(out, ignore_errors=True)
        part.rename(out)
    except OSError as error:
        raise UserError(f"{out} cannot be written: {error.strerror or error}") from None
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return out


def unfinished(out: Path) -> Path:
    """Where a recording stands until it is complete; what a killed process leaves is there."""
    return out.with_name(out.name + ".part")


def _is_simulated(folder: Path) -> bool:
    try:
        manifest = json.loads((folder / "recording.json").read_text())
    except (OSError, ValueError):
        return False
    return isinstance(manifest, dict) and manifest.get("source") == SOURCE


class Run:
    """One run of a plan."""

    def __init__(self, plan: Plan, seed: int) -> None:
        self.plan = plan
        streams = [np.random.default_rng(child) for child in np.random.SeedSequence(seed).spawn(7)]
        load_rng, name_rng, metric_rng, edge_rng, log_rng, alert_rng, weather_rng = streams
        self.state: State
        self.strain: Strain
        self.wiring: Wiring
        self.state, self.strain, self.wiring = build(plan.system)
        self.strain.load = np.ones(len(plan.entries))
        self.names = Names()
        self.roster = Roster(plan.system, self.state, self.names, name_rng)
        self.load = Load(plan.system, plan.entries, load_rng, list(plan.surges))
        self.weather = Weather(self.state.instance["machine"].copy(), plan.interval_s, weather_rng)
        self.sensor = Sensor(plan.system, self.names, Instruments(metric_rng, plan.interval_s))
        blur = Instruments(edge_rng, plan.interval_s)
        self.edge_sensor = EdgeSensor(plan.system, self.wiring, self.names, blur)
        self.logger = Logger(plan.system, self.wiring, self.names, log_rng)
        self.alerts = AlertRules(plan.system, alert_rng, plan.badly_chosen_alerts)
        self.shadows: list[Shadow] = []
        self.unrest = Unrest(plan.system)
        types = {name: k for k, name in enumerate(plan.system.request_types)}
        self._entry_type = np.array([types[e.request_type] for e in plan.entries])
        self._entry_service = np.array([plan.system.index(e.service) for e in plan.entries])
        self._observed = np.array([plan.system.edges[e].observed for e in self.wiring.edges])
        self._flow = np.zeros((len(types), len(plan.system.services)))
        standing = [*plan.presses, *(press for change in plan.changes for press in change.presses)]
        self._presses: list[tuple[Press, Fault | None]] = [(press, None) for press in standing]
        self._presses += [(press, fault) for fault in plan.faults for press in fault.presses]
        self._near = self._presses
        self._todo = self._deeds()
        self._waiting = sorted(plan.faults, key=lambda fault: fault.start_s)

    def write(self, out: Path, progress: Callable[[float], None] | None) -> None:
        """Run from warm-up to end and write every file."""
        plan = self.plan
        self._settle()
        tables = {
            "metrics": SortedTable(out / "metrics.parquet", METRICS, self.names),
            "arrivals": SortedTable(out / "arrivals.parquet", ARRIVALS, self.names),
            "edges": SortedTable(out / "edges.parquet", EDGES, self.names),
            "logs": SortedTable(out / "logs.parquet", LOGS, self.names),
        }
        total = round((plan.end_s - plan.start_s) / plan.interval_s)
        for first in range(0, total, CHUNK_STEPS):
            chunk = self._chunk(plan.start_s + first * plan.interval_s, min(CHUNK_STEPS, total - first))
            horizon = round((chunk.end_s[-1] - plan.interval_s) * 1000)
            samples, arrivals = self.sensor.samples(chunk)
            tables["metrics"].write(samples, horizon)
            tables["arrivals"].write(arrivals, horizon)
            tables["edges"].write(self.edge_sensor.calls(chunk), horizon)
            tables["logs"].write(self.logger.lines(chunk), horizon)
            self.alerts.watch(chunk)
            if progress:
                progress(min(1.0, (first + CHUNK_STEPS) / total))
        for table in tables.values():
            table.close()
        last_ms = max([round(plan.end_s * 1000), *(table.last_ms for table in tables.values())])
        write_documents(out, plan, last_ms, self.shadows, self.alerts.lines, self.unrest.lines())

    def _settle(self) -> None:
        steps = round(WARM_UP_S / self.plan.interval_s)
        first_s = self.plan.start_s - steps * self.plan.interval_s
        rates = self._rates(first_s, steps)
        self._look_ahead(first_s, self.plan.start_s)
        for step in range(steps):
            self._step(first_s + step * self.plan.interval_s, rates[step], record=False)
            if step == 0:
                service = self.state.service
                service["cache_mem"] = service["stored"] * service["key_ttl_s"]

    def _chunk(self, start_s: float, steps: int) -> Chunk:
        buffers = snapshot_buffers(self.state, steps)
        # As bytes: structured arrays are copied field by field, ten times as slowly.
        copies = [(rows.view(np.uint8).reshape(steps, -1), getattr(self.state, name).view(np.uint8))
                  for name, rows in buffers.items() if rows.size]  # fmt: skip
        names = np.zeros((steps, len(self.state.instance)), np.int32)
        rates = self._rates(start_s, steps)
        stalls = self.weather.draw(steps)
        self._look_ahead(start_s, start_s + steps * self.plan.interval_s)
        since_s = self._since(start_s + self.plan.interval_s * np.arange(steps))
        for step in range(steps):
            self.state.instance["stall"] = stalls[step]
            self._step(start_s + step * self.plan.interval_s, rates[step], record=True)
            for row, now in copies:
                row[step] = now
            names[step] = self.roster.current
        ends = start_s + self.plan.interval_s * (1.0 + np.arange(steps))
        everyone = np.arange(names.shape[1])
        return Chunk(ends, since_s, self.plan.interval_s, names=names, slots=everyone, **buffers)

    def _since(self, begin_s: NDArray[np.floating]) -> NDArray[np.floating]:
        """Begin of each interval, or the last moment in it at which a disturbance or a change set in."""
        since_s = begin_s.copy()
        onsets = [press.start_s for press, _ in self._near] + [when for when, *_ in self._todo]
        for onset_s in onsets:
            step = int((onset_s - begin_s[0]) // self.plan.interval_s)
            if 0 <= step < len(begin_s):
                since_s[step] = max(since_s[step], onset_s)
        return since_s

    def _rates(self, start_s: float, steps: int) -> NDArray[np.float64]:
        """Entry rates as [interval, substep, entry]."""
        substeps = self.plan.substeps
        drawn = self.load.draw(start_s, steps * substeps, self.plan.interval_s / substeps)
        return drawn.reshape(steps, substeps, -1)

    def _step(self, now_s: float, rates: NDArray[np.float64], *, record: bool) -> None:
        interval = self.plan.interval_s
        dt = interval / self.plan.substeps
        self._act(now_s)
        followed = [shadow for shadow in self.shadows if _followed(shadow.fault, now_s)]
        if self._smoulders(now_s):
            for state in (self.state, *(shadow.state for shadow in followed)):
                state.drain()
        for shadow in followed:
            shadow.state.instance["stall"] = self.state.instance["stall"]
        for substep in range(self.plan.substeps):
            t = now_s + substep * dt
            self._advance(self.state, self._active(t, None), t, dt, rates[substep])
            for shadow in followed:
                self._advance(shadow.state, self._active(t, shadow.fault), t, dt, rates[substep])
        if record:
            for shadow in followed:
                shadow.compare(self.state, now_s + interval, interval)
            worst = None if followed else failing(self.state)
            if worst is not None:
                self.unrest.see(now_s, now_s + interval, worst)

    def _smoulders(self, now_s: float) -> bool:
        faults = [shadow.fault for shadow in self.shadows]
        if not faults and self.unrest.lasting_s(now_s) < MENDED_S:
            return False
        if faults and now_s < max(fault.end_s for fault in faults) + MENDED_S:
            return False
        return failing(self.state) is not None

    def _advance(
        self, state: State, presses: Iterable[Press], t: float, dt: float, rates: NDArray[np.float64]
    ) -> None:
        self.strain.relax()
        for press in presses:
            press.apply(self.strain, t)
        self._flow[:] = 0.0
        np.add.at(self._flow, (self._entry_type, self._entry_service), rates * self.strain.load)
        run_step(dt, state, self.strain, self.wiring, self._flow)

    def _look_ahead(self, start_s: float, end_s: float) -> None:
        """Keep only the disturbances of the next while in view; a recording of weeks holds thousands."""
        self._near = [
            (press, fault)
            for press, fault in self._presses
            if press.start_s < end_s and press.end_s + press.fall_s > start_s
        ]

    def _active(self, t: float, without: Fault | None) -> list[Press]:
        return [
            press
            for press, fault in self._near
            if press.start_s <= t < press.end_s + press.fall_s and (fault is None or fault is not without)
        ]

    def _act(self, now_s: float) -> None:
        while self._waiting and self._waiting[0].start_s < now_s + self.plan.interval_s:
            fault = self._waiting.pop(0)
            self.shadows.append(Shadow(self.plan.system, fault, self.state.fork(), self._observed))
        while self._todo and self._todo[0][0] < now_s + self.plan.interval_s:
            _, _, service, ordinal, deed = self._todo.pop(0)
            slot = int(self.state.service["first"][service]) + ordinal
            self._do(deed, service, slot)
            for shadow in self.shadows:
                if _followed(shadow.fault, now_s):
                    shadow.state.instance[slot] = self.state.instance[slot]

    def _do(self, deed: str, service: int, slot: int) -> None:
        row: Any = self.state.instance[slot]
        if deed == "remove":
            row["weight"] = row["up"] = 0.0
        elif row["weight"] > 0.0 or deed == "add":
            row["weight"] = 1.0
            self.roster.replace(self.state, service, slot, fresh_version=deed == "first of version")

    def _deeds(self) -> list[tuple[float, int, int, int, str]]:
        """What changes do to instances, in order: (when, change, service, ordinal, deed)."""
        todo = []
        for number, change in enumerate(sorted(self.plan.changes, key=lambda c: (c.ts_s, c.id))):
            if change.ts_s < self.plan.start_s - WARM_UP_S:
                continue
            service = self.plan.system.index(change.service)
            count = self.plan.system.services[service].instances
            if change.rollout:
                for ordinal in range(1 if change.canary else count):
                    deed = "next of version" if ordinal else "first of version"
                    todo.append((change.ts_s + ordinal * ROLLOUT_GAP_S, number, service, ordinal, deed))
            for nth in range(abs(change.instances)):
                deed = "add" if change.instances > 0 else "remove"
                todo.append((change.ts_s, number, service, count - 1 - nth, deed))
        return sorted(todo)


MENDED_S = 240.0
"""So long after its fault's end, or by itself, an incident may smoulder on; then somebody empties the queues.

Without, retries kept the failures of one fault in forty alive for hours, for which no label spoke.
"""
AFTERMATH_S = 600.0
"""A fault is followed so long after its end: queues drain, caches warm."""


def _followed(fault: Fault, t: float) -> bool:
    return t < fault.end_s + AFTERMATH_S

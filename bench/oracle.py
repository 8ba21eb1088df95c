"""An oracle that says where a fault struck, knowing nearly everything but that.

It knows the system, the load, the start of the fault, its mechanism, and what else is broken at that time;
neither victim nor force, nor the innocent changes and bystanders around it. It puts the mechanism at every
service that it could strike, with several forces, works out what the plant would emit, and takes the victim
whose prediction lies nearest to the recording in minutes two to seven: latency, failures and calls of edges;
CPU, memory, latency and failures of services.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from streams.simulator.campaign import usual
from streams.simulator.changes import ChangeLog
from streams.simulator.faults import MECHANISMS, Site
from streams.simulator.plan import Plan
from streams.simulator.queueing import CACHE, run_step
from streams.simulator.simulation import CHUNK_STEPS, WARM_UP_S, Run
from streams.simulator.state import State, build
from streams.simulator.strain import Press
from streams.simulator.truth import Fault
from streams.simulator.world import World

BEFORE_S, FROM_S, TO_S = 1500.0, 60.0, 420.0
"""The recording is compared between a stretch before the fault and minutes two to seven of it."""
STEP_S, SETTLE_S = 5.0, 600.0
FORCES = 6
CLOSE, MORE_FORCES = 4, 16
"""So many victims that fit best are tried again, with so many more forces."""
FAR = 3.0
"""Deviations from which a single series counts with their logarithm only: the oracle must not hang on one."""
INEXACT = 0.1
"""Share of a predicted change by which the prediction may be off."""

Vector = dict[tuple[str, ...], float]
Guess = tuple[float, str | None]
"""How badly it explains what was seen, and whom it names."""


def observed(path: Path, start_s: float) -> tuple[Vector, Vector]:
    """How each series of the recording changed, and how much it changes by chance."""
    change: Vector = {}
    chance: Vector = {}
    for key, ts, values in series(path, start_s):
        ts, values = ts[np.isfinite(values)], values[np.isfinite(values)]
        before = values[(ts < start_s) & (ts >= start_s - BEFORE_S)]
        after = values[(ts >= start_s + FROM_S) & (ts < start_s + TO_S)]
        if len(before) < 20 or len(after) < 3:
            continue
        change[key] = float(after.mean() - before.mean())
        chance[key] = float(max(before.std() * np.sqrt(3.0 / len(after)), FLOOR[key[0]]))
    return change, chance


FLOOR = {"latency": 0.08, "failing": 0.01, "calls": 0.08, "cpu": 0.08, "memory": 0.01}
"""Least deviation of each kind of series: the plant itself is not known better."""
METRICS = {
    "cpu": ("k8s.pod.cpu.usage", "container_cpu_usage_seconds_total"),
    "memory": ("k8s.pod.memory.working_set", "container_memory_working_set_bytes"),
    "latency": ("http.server.request.duration.p95", "http_request_duration_seconds_p95"),
    "errors": ("http.server.error.count", "http_requests_failed_total"),
    "requests": ("http.server.request.count", "http_requests_total"),
}
Seen = tuple[tuple[str, ...], NDArray[np.float64], NDArray[np.float64]]


def series(path: Path, start_s: float) -> Iterator[Seen]:
    """(key, seconds, values) around the fault: logarithms of latencies, calls, CPU; shares of failures."""
    low, high = round(1000 * (start_s - BEFORE_S)), round(1000 * (start_s + TO_S))
    window = [("ts_ms", ">=", low), ("ts_ms", "<", high)]
    edges = pq.read_table(path / "edges.parquet", filters=window)
    pairs = set(zip(edges["caller"].to_pylist(), edges["callee"].to_pylist(), strict=True))
    for caller, callee in sorted(pairs):
        mine = edges.filter(pc.and_(pc.equal(edges["caller"], caller), pc.equal(edges["callee"], callee)))
        ts = mine["ts_ms"].to_numpy() / 1000.0
        calls = np.maximum(mine["calls"].to_numpy(), 1.0)
        yield ("latency", caller, callee), ts, np.log(mine["client_p95_s"].to_numpy())
        yield ("failing", caller, callee), ts, mine["errors"].to_numpy() / calls
        yield ("calls", caller, callee), ts, np.log(calls)
    yield from _of_services(path, window)


def _of_services(path: Path, window: list[tuple[str, str, int]]) -> Iterator[Seen]:
    wanted = [name for names in METRICS.values() for name in names]
    table = pq.read_table(path / "metrics.parquet", filters=[*window, ("metric", "in", wanted)])
    found: dict[tuple[str, str], dict[int, list[float]]] = {}
    pods: dict[tuple[str, str, str], tuple[int, float]] = {}
    columns = ("ts_ms", "service", "instance", "metric", "kind", "value")
    for ts, service, pod, metric, kind, value in zip(*(table[c].to_pylist() for c in columns), strict=True):
        what = next(key for key, names in METRICS.items() if metric in names)
        if kind == "counter":
            last_ts, last = pods.get((service, pod, what), (ts, np.nan))
            pods[service, pod, what] = (ts, value)
            value = (value - last) / (ts - last_ts) * 15_000.0 if ts > last_ts and value >= last else np.nan
        if np.isfinite(value):
            found.setdefault((what, service), {}).setdefault(round(ts / 15_000), []).append(value)
    for (what, service), by_interval in sorted(found.items()):
        at = np.array(sorted(by_interval))
        values = np.array([np.mean(by_interval[t]) for t in at])
        if what == "errors":
            asked = found.get(("requests", service), {})
            total = np.array([np.mean(asked.get(t, [np.nan])) for t in at])
            yield ("failing", service), at * 15.0, np.minimum(values / np.maximum(total, 1.0), 1.0)
        elif what != "requests":
            yield (what, service), at * 15.0, np.log(np.maximum(values, 1e-6))


class Plant:
    """The system at the time of a fault, under the load that really came and what else is known to go on."""

    def __init__(self, plan: Plan, fault: Fault, rates: NDArray[np.float64]) -> None:
        self.world = World(plan.system, plan.entries)
        self.start_s = fault.start_s
        self.rates = rates
        """Requests per second as [step of `STEP_S` since `SETTLE_S` before the fault, entry]."""
        known = [p for p in plan.presses if p.where == "load" or p.field == "calls"]
        self.known = known + [p for other in plan.faults if other is not fault for p in other.presses]
        standing = [p for p in known if p.field == "calls" and p.strength(fault.start_s) > 0.0]
        self.usual = usual(self.world, fault.start_s, standing)
        types = {name: k for k, name in enumerate(plan.system.request_types)}
        self._kinds = np.array([types[entry.request_type] for entry in plan.entries])
        self._services = np.array([plan.system.index(entry.service) for entry in plan.entries])
        self._flow = np.zeros((len(types), len(plan.system.services)))
        names = [service.name for service in plan.system.services]
        edges = [plan.system.edges[e] for e in self.usual[2].edges]
        self.keys = [(kind, e.caller, e.callee) for kind in ("latency", "failing", "calls") for e in edges]
        self.keys += [(kind, name) for kind in ("latency", "failing", "cpu", "memory") for name in names]
        self._calm = self.usual[1].fork()
        self._before = self._run(self._calm, (), 0, round(SETTLE_S / STEP_S), round(0.5 * SETTLE_S / STEP_S))

    def changed_by(self, fault: Fault) -> Vector:
        """How each series would change, free of noise, if this fault struck."""
        first = round(SETTLE_S / STEP_S)
        state = self._calm.fork()
        after = self._run(
            state, fault.presses, first, first + round(TO_S / STEP_S), first + round(FROM_S / STEP_S)
        )
        return dict(zip(self.keys, (after - self._before).tolist(), strict=True))

    def _run(
        self, state: State, presses: Sequence[Press], first: int, last: int, seen_from: int
    ) -> NDArray[np.float64]:
        _, strain, wiring = build(self.world.system)
        strain.load = np.ones(len(self.world.entries))
        at_all = [*self.known, *presses]
        since_s, until_s = self.start_s - SETTLE_S, self.start_s + TO_S
        lasting = [p for p in at_all if p.start_s < until_s and p.end_s + p.fall_s > since_s]
        seen = []
        for step in range(first, last):
            now_s = since_s + STEP_S * step
            strain.relax()
            for press in lasting:
                press.apply(strain, now_s)
            self._flow[:] = 0.0
            np.add.at(self._flow, (self._kinds, self._services), self.rates[step] * strain.load)
            run_step(STEP_S, state, strain, wiring, self._flow)
            if step >= seen_from and step % 3 == 0:
                seen.append(emitted(state))
        return np.asarray(np.mean(seen, axis=0))


def emitted(state: State) -> NDArray[np.float64]:
    """What instruments would read of a state, in the order of a plant's keys: logarithms, and shares."""
    edge, service, instance = state.edge, state.service, state.instance
    count = len(service)
    up = instance["up"] > 0
    owner, attempts = instance["service"][up], edge["attempts"]
    running = np.maximum(np.bincount(owner, minlength=count), 1)

    def mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(np.bincount(owner, values[up], count) / running)

    high_water = np.where(service["alloc"] > 0.0, 0.3 * service["memory"], 0.0)
    memory = mean(instance["memory"]) + high_water + service["cache_mem"] * (service["kind"] == CACHE)
    return np.concatenate(
        [
            np.log(np.maximum(edge["p95_s"], 1e-6)),
            edge["fail"] * edge["calls"] / np.maximum(attempts, 1e-9),
            np.log(np.maximum(15.0 * attempts, 1.0)),
            np.log(np.maximum(mean(instance["p95_s"]), 1e-6)),
            service["error_rate"],
            mean(np.log(np.maximum(instance["cpu"], 1e-3))),
            np.log(np.maximum(memory, 1.0)),
        ]
    )


def load_of(plan: Plan, seed: int, start_s: float) -> NDArray[np.float64]:
    """The rates that came, from `SETTLE_S` before a time to the end of what is compared, every `STEP_S`."""
    run = Run(plan, seed)
    steps = round(WARM_UP_S / plan.interval_s)
    at_s = plan.start_s - steps * plan.interval_s
    parts = [run._rates(at_s, steps)]
    total = round((plan.end_s - plan.start_s) / plan.interval_s)
    for first in range(0, total, CHUNK_STEPS):
        parts.append(run._rates(plan.start_s + first * plan.interval_s, min(CHUNK_STEPS, total - first)))
    rates = np.concatenate(parts).reshape(-1, len(plan.entries))
    begin = round((start_s - SETTLE_S - at_s) / STEP_S)
    return rates[begin : begin + round((SETTLE_S + TO_S) / STEP_S)]


def suspect(plan: Plan, fault: Fault, path: Path, seed: int) -> str | None:
    """The service at which the mechanism explains the recording best."""
    plant = Plant(plan, fault, load_of(plan, seed, fault.start_s))
    rates, state, wiring = plant.usual
    change, chance = observed(path, fault.start_s)
    rng = np.random.default_rng(1)

    def misfit(victim: str) -> Guess:
        """How badly one guess of the mechanism's force at this victim explains what changed, and its root."""
        site = Site(
            plan.system, state, wiring, ChangeLog(plan.system, rng), rng, rates,
            fault.fault_id, fault.start_s, fault.end_s, plan.entries, victim, since_s=plan.start_s,
        )  # fmt: skip
        guess = MECHANISMS[fault.kind](site)
        if guess is None:
            return np.inf, None
        would = plant.changed_by(guess)
        off = 0.0
        for key, seen in change.items():
            if key in would:
                unsure = np.hypot(chance[key], INEXACT * would[key])
                off += float(np.log1p(((seen - would[key]) / (FAR * unsure)) ** 2))
        return off, guess.root_service

    names = [service.name for service in plan.system.services]
    best = {name: min((misfit(name) for _ in range(FORCES)), key=_off) for name in names}
    # The force is a number drawn from a range: a near miss of it must not cost the right victim its place.
    for name in sorted(names, key=lambda name: best[name][0])[:CLOSE]:
        best[name] = min((best[name], *(misfit(name) for _ in range(MORE_FORCES))), key=_off)
    return min(best.values(), key=_off)[1]


def _off(guess: Guess) -> float:
    return guess[0]

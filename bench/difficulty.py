"""Ask an oracle that knows the mechanism whether the random worlds' faults can be told from what is emitted.

python bench/difficulty.py [--worlds N] [--faults M] [--seed S] [--services K] [--json]

The oracle knows the system, the start of a fault and its mechanism, but neither victim nor force. It puts the
mechanism at every service that it could strike, with several forces, works out what the plant would emit,
and takes the victim whose prediction lies nearest to the recording in minutes two to seven: latency, failures
and calls of edges; CPU, memory, latency and failures of services. The bar is .9 on faults marked tellable.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from streams.simulator import CampaignOptions, simulate
from streams.simulator.campaign import campaign_plan, usual
from streams.simulator.changes import ChangeLog
from streams.simulator.faults import MECHANISMS, Site
from streams.simulator.plan import Plan
from streams.simulator.queueing import run_step
from streams.simulator.rates import entry_rate
from streams.simulator.state import State, Wiring, build
from streams.simulator.strain import Press
from streams.simulator.truth import Fault
from streams.simulator.world import World

BEFORE_S, FROM_S, TO_S = 1500.0, 60.0, 420.0
"""The recording is compared between a stretch before the fault and minutes two to seven of it."""
FORCES = 4
FAR = 5.0
"""A single series counts at most so many deviations: the oracle must not hang on one."""

Vector = dict[tuple[str, ...], float]


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


def emitted(world: World, state: State, wiring: Wiring) -> Vector:
    """The same series, noise-free, of a state of the plant."""
    found: Vector = {}
    names = [service.name for service in world.system.services]
    for row in range(len(state.edge)):
        edge = state.edge[row]
        pair = (names[edge["caller"]], names[edge["callee"]])
        found["latency", *pair] = float(np.log(max(edge["p95_s"], 1e-6)))
        found["failing", *pair] = float(edge["fail"] * edge["calls"] / max(edge["attempts"], 1e-9))
        found["calls", *pair] = float(np.log(max(edge["attempts"] * 15.0, 1.0)))
    for index, name in enumerate(names):
        mine = state.instance[state.instance["service"] == index]
        up = mine["up"] > 0
        service = state.service[index]
        found["latency", name] = float(np.log(max(mine["p95_s"][up].mean(), 1e-6))) if up.any() else 0.0
        found["failing", name] = float(service["error_rate"])
        found["cpu", name] = float(np.log(np.maximum(mine["cpu"][up], 1e-3)).mean()) if up.any() else 0.0
        live = mine["memory"][up].mean() if up.any() else 1.0
        high_water = 0.3 * service["memory"] if service["alloc"] > 0.0 else 0.0
        found["memory", name] = float(
            np.log(live + high_water + service["cache_mem"] * (service["kind"] == 2))
        )
    return found


def predicted(world: World, state: State, wiring: Wiring, fault: Fault, standing: Sequence[Press]) -> Vector:
    """How each series would change if this fault struck the usual plant."""
    _, strain, _ = build(world.system)
    strain.load = np.ones(len(world.entries))
    plant, rates = state.fork(), [entry_rate(entry, fault.start_s) for entry in world.entries]
    before, sums, count = emitted(world, state, wiring), {}, 0
    types = {name: k for k, name in enumerate(world.system.request_types)}
    kinds = np.array([types[entry.request_type] for entry in world.entries])
    services = np.array([world.system.index(entry.service) for entry in world.entries])
    for step in range(int(TO_S / 5.0)):
        now = fault.start_s + 5.0 * step
        strain.relax()
        for press in (*standing, *fault.presses):
            press.apply(strain, now)
        flow = np.zeros((len(types), len(world.system.services)))
        np.add.at(flow, (kinds, services), np.array(rates) * strain.load)
        run_step(5.0, plant, strain, wiring, flow)
        if 5.0 * step >= FROM_S and step % 3 == 0:
            count += 1
            for key, value in emitted(world, plant, wiring).items():
                sums[key] = sums.get(key, 0.0) + value
    return {key: total / count - before[key] for key, total in sums.items()}


def suspect(plan: Plan, fault: Fault, path: Path) -> str | None:
    """The service at which the mechanism explains the recording best."""
    world = World(plan.system, plan.entries)
    # Who is called at this hour of the week is known; what else goes on is not.
    standing = [p for p in plan.presses if p.field == "calls" and p.strength(fault.start_s) > 0.0]
    rates, state, wiring = usual(world, fault.start_s, standing)
    change, chance = observed(path, fault.start_s)
    best: tuple[float, str | None] = (np.inf, None)
    rng = np.random.default_rng(1)
    for service in plan.system.services:
        for _ in range(FORCES):
            site = Site(
                world.system, state, wiring, ChangeLog(world.system, rng), rng, rates,
                fault.fault_id, fault.start_s, fault.end_s, world.entries, service.name,
            )  # fmt: skip
            guess = MECHANISMS[fault.kind](site)
            if guess is None:
                break
            would = predicted(world, state, wiring, guess, standing)
            misfit = sum(min(((change[k] - would[k]) / chance[k]) ** 2, FAR**2) for k in change if k in would)
            best = min(best, (misfit, guess.root_service), key=lambda pair: pair[0])
    return best[1]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--worlds", type=int, default=8)
    parser.add_argument("--faults", type=int, default=5)
    parser.add_argument("--seed", type=int, default=17)
    parser.add_argument("--services", type=int, default=30)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    options = CampaignOptions(seed=arguments.seed, faults=arguments.faults, services=arguments.services)
    cases = []
    with tempfile.TemporaryDirectory() as scratch:
        for number in range(arguments.worlds):
            plan = campaign_plan(number, options)
            if not plan.faults:
                continue
            path = simulate(plan, Path(scratch) / plan.name, options.seed * 100_003 + number)
            truths = [json.loads(line) for line in (path / "truth.jsonl").read_text().splitlines()]
            tellable = {t["fault_id"] for t in truths if t["tellable"]}
            for fault in plan.faults:
                if fault.fault_id in tellable:
                    named = suspect(plan, fault, path)
                    cases.append((plan.name, fault.fault_id, fault.kind, fault.root_service, named))
                    if not arguments.json and named != fault.root_service:
                        print(
                            f"{plan.name} {fault.fault_id} {fault.kind}: {fault.root_service}, named {named}"
                        )
    right = sum(root == named for *_, root, named in cases)
    if arguments.json:
        print(json.dumps({"tellable": len(cases), "right": right, "ac1": right / max(len(cases), 1)}))
    else:
        print(f"oracle: {right} of {len(cases)} tellable faults, AC@1 {right / max(len(cases), 1):.3f}")


if __name__ == "__main__":
    main()

"""Capacity as a careful owner plans it: for the peak, with reserve, and tried out before it goes live."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from streams.simulator.graph import Edge, Service, System
from streams.simulator.load import Entry
from streams.simulator.queueing import run_step
from streams.simulator.rates import service_rates
from streams.simulator.state import State, build

DISK_AT_PEAK = 0.35
LOCK_AT_PEAK = 0.15
TRIAL_STEPS = 60
TRIAL_LOAD = 1.25
"""The trial runs above the planned peak, as a load test does."""
TRIALS = 15


def sized(system: System, entries: Sequence[Entry], rng: np.random.Generator) -> System:
    """Give every service the instances, cores, threads and memory that the peak needs."""
    peak = service_rates(system, [(entry, entry.peak_rps) for entry in entries])
    services = tuple(_sized(service, peak[service.name], rng) for service in system.services)
    total = sum(s.cores * s.instances for s in services if s.kind != "external")
    machine_cores = float(rng.choice([8, 16, 32]))
    machines = max(2, math.ceil(1.1 * total / machine_cores))
    return replace(system, services=services, machines=machines, machine_cores=machine_cores)


def _sized(service: Service, peak_rps: float, rng: np.random.Generator) -> Service:
    busy_cores = peak_rps * service.cpu_ms / 1e3 / rng.uniform(0.2, 0.55)
    cores, instances = max(service.cores, busy_cores), 1
    if service.kind == "service":
        cores = float(rng.choice([0.5, 1.0, 1.0, 2.0]))
        instances = int(np.clip(math.ceil(busy_cores / cores), 1 if rng.random() < 0.25 else 2, 8))
        cores = max(cores, busy_cores / instances)
    limit_mb = service.memory_mb * rng.uniform(1.6, 3.0)
    cache_mb = service.cache_limit_mb
    if service.kind == "cache":
        stored_mb = peak_rps * 2.0 * service.key_ttl_s / 1e3
        cache_mb = max(32.0, stored_mb * rng.uniform(1.2, 2.2))
        limit_mb = max(limit_mb, service.memory_mb + 1.3 * cache_mb)
    # Little's law with a generous guess of half a second a request.
    threads = int(np.clip(2 ** math.ceil(math.log2(0.5 * peak_rps / instances + 8)), 16, 512))
    return replace(
        service,
        instances=instances,
        cores=cores,
        io_ms=min(service.io_ms, DISK_AT_PEAK * 1e3 / max(peak_rps, 1e-6)),
        lock_ms=min(service.lock_ms, LOCK_AT_PEAK * 1e3 / max(peak_rps, 1e-6)),
        limit_mb=limit_mb,
        cache_limit_mb=cache_mb,
        threads=threads if service.kind == "service" else service.threads,
    )


def proven(system: System, entries: Sequence[Entry]) -> System:
    """Load-test the system above its peak and widen what was too tight, until nothing times out."""
    for _ in range(TRIALS):
        state, rows = _trial(system, entries)
        edges = {
            system_row: _widened(system.edges[system_row], state.edge[row])
            for row, system_row in enumerate(rows)
        }
        services = tuple(
            _strengthened(service, state, index) for index, service in enumerate(system.services)
        )
        better = replace(system, services=services, edges=tuple(edges[i] for i in range(len(system.edges))))
        if better == system:
            break
        system = better
    return system


def _trial(system: System, entries: Sequence[Entry]) -> tuple[State, tuple[int, ...]]:
    state, strain, wiring = build(system)
    types = {name: k for k, name in enumerate(system.request_types)}
    flow = np.zeros((len(types), len(system.services)))
    worst = state.edge.copy()
    for step in range(TRIAL_STEPS):
        flow[:] = 0.0
        for entry in entries:
            flow[types[entry.request_type], system.index(entry.service)] += TRIAL_LOAD * entry.peak_rps
        run_step(5.0, state, strain, wiring, flow)
        if step >= TRIAL_STEPS // 3:
            for name in ("used", "timeouts"):
                np.maximum(worst[name], state.edge[name], out=worst[name])
    worst["size"] = state.edge["size"]
    state.edge = worst
    return state, wiring.edges


def _widened(edge: Edge, seen: np.void) -> Edge:
    timeout_s, pool = edge.timeout_s, edge.pool
    if seen["timeouts"] > 5e-4:
        timeout_s = min(60.0, 2.0 * timeout_s)
    if pool and seen["used"] > 0.5 * seen["size"]:
        pool = 4 * pool if seen["used"] > 0.95 * seen["size"] else 2 * pool
    return replace(edge, timeout_s=timeout_s, pool=pool)


def _strengthened(service: Service, state: State, index: int) -> Service:
    mine = state.instance[state.instance["service"] == index]
    changes: dict[str, float] = {}
    if (mine["inflight"] > 0.5 * service.threads).any():
        changes["threads"] = 2 * service.threads
    if (mine["cpu"] > 0.75 * service.cores).any():
        changes["cores"] = 1.5 * service.cores
    if (mine["memory"] > 0.8 * service.limit_mb * 1e6).any():
        changes["limit_mb"] = 1.5 * service.limit_mb
    if service.max_connections and state.service[index]["connections"] > 0.5 * service.max_connections:
        changes["max_connections"] = 2 * service.max_connections
    row = state.service[index]
    if service.kind == "cache" and row["stored"] * row["key_ttl_s"] > 0.9 * row["cache_limit"]:
        changes["cache_limit_mb"] = 1.3 * row["stored"] * row["key_ttl_s"] / 1e6
    return replace(service, **changes) if changes else service  # type: ignore[arg-type]

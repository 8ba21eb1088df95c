"""What a peak looks like on a bad day: capacity that a load test proves may still be too tight for it.

A load test is smooth. At a real peak load is irregular, processes stall, pods are new and cold, and an
autoscaler may have taken one away. With two hundred services something of that is happening all the time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from streams.simulator.graph import Edge, Service, System
from streams.simulator.load import Entry, Load
from streams.simulator.queueing import run_step
from streams.simulator.state import State, build
from streams.simulator.unrest import failing
from streams.simulator.weather import Weather

INTERVALS = 160
WARM_INTERVALS = 16
SUBSTEPS = 3
DT_S = 5.0
ROUNDS = 14
"""Widening one part lets more through to the next; a system that is still too tight then stays so."""
STALLED = 8.0
"""So many times as often as usual processes stall: forty minutes stand for the peak hours of some days."""
STALLS_OF_EACH = 2
"""Intervals in which one instance of a service stalls as long as anybody waits for it."""
STALL = 1e3
"""Factor on the tail: beyond every time-out, so that the callers' patience is what bounds it."""
PHASES = 5
"""One service in so many is being deployed, or has lost an instance, at any moment."""
SEED = 3
"""Of its own, so that planning draws nothing from the world's numbers."""
FAILS = 0.06
"""Share of requests that may fail at the worst moment, before something is widened."""
LONGEST_S = 20.0


@dataclass
class Worst:
    """The worst that each part saw."""

    rows: tuple[int, ...]
    """Row of an edge to its position in the system."""
    used: NDArray[np.float64]
    """Of a pool, as a share; above 1 somebody was turned away."""
    late: NDArray[np.float64]
    harm: NDArray[np.float64]
    """Share of the caller's requests that this edge made fail."""
    threads: NDArray[np.float64]
    cpu: NDArray[np.float64]
    requests_mb: NDArray[np.float64]
    """Memory of what is in flight or waits, of the fullest instance."""
    connections: NDArray[np.float64]
    failed: bool = False
    """Whether any service was in trouble."""


def rehearsed(system: System, entries: Sequence[Entry]) -> System:
    """Widen what is too tight at a peak on a bad day, until nobody fails; who bears it stays as it is."""
    for _ in range(ROUNDS):
        worst = _bad_day(system, entries)
        if not worst.failed:
            break
        longest_s: dict[str, float] = {}
        for edge in system.edges:
            longest_s[edge.callee] = max(edge.timeout_s, longest_s.get(edge.callee, 0.0))
        by_edge = {edge: row for row, edge in enumerate(worst.rows)}
        better = replace(
            system,
            services=tuple(_stronger(s, worst, i) for i, s in enumerate(system.services)),
            edges=tuple(
                _wider(e, worst, by_edge[i], longest_s[e.callee]) for i, e in enumerate(system.edges)
            ),
        )
        if better == system:
            break
        system = better
    return system


def _bad_day(system: System, entries: Sequence[Entry]) -> Worst:
    state, strain, wiring = build(system)
    rng = np.random.default_rng(SEED)
    # The busiest day of the week, at its busiest hour, all day long.
    at_peak = tuple(
        replace(e, peak_rps=e.peak_rps * max(1.0, e.weekend), weekend=1.0, night=1.0) for e in entries
    )
    rates = Load(system, at_peak, rng).draw(0.0, INTERVALS * SUBSTEPS, DT_S)
    weather = Weather(state.instance["machine"].copy(), SUBSTEPS * DT_S, rng, STALLED)
    stalls = weather.draw(INTERVALS)
    types = {name: k for k, name in enumerate(system.request_types)}
    row_type = np.array([types[e.request_type] for e in entries])
    row_service = np.array([system.index(e.service) for e in entries])
    flow = np.zeros((len(types), len(system.services)))
    edges, services = np.zeros(len(state.edge)), np.zeros(len(state.service))
    worst = Worst(
        wiring.edges,
        used=edges.copy(),
        late=edges.copy(),
        harm=edges.copy(),
        threads=services.copy(),
        cpu=services.copy(),
        requests_mb=services.copy(),
        connections=services.copy(),
    )
    phase = rng.integers(0, PHASES, len(state.service))
    for _ in range(STALLS_OF_EACH):
        when = rng.integers(WARM_INTERVALS, INTERVALS, len(state.service))
        which = state.service["first"] + (rng.random(len(state.service)) * state.service["count"]).astype(int)
        stalls[when, which] = STALL
    for interval in range(INTERVALS):
        state.instance["stall"] = stalls[interval]
        if interval >= WARM_INTERVALS and interval % ((INTERVALS - WARM_INTERVALS) // PHASES) == 0:
            _shift(state, phase == interval * PHASES // INTERVALS)
        for substep in range(SUBSTEPS):
            flow[:] = 0.0
            np.add.at(flow, (row_type, row_service), rates[interval * SUBSTEPS + substep])
            run_step(DT_S, state, strain, wiring, flow)
            if interval == 0 and substep == 0:
                state.service["cache_mem"] = state.service["stored"] * state.service["key_ttl_s"]
        if interval >= WARM_INTERVALS:
            _note(worst, state)
            worst.failed = worst.failed or failing(state) is not None
    return worst


def _shift(state: State, deployed: NDArray[np.bool_]) -> None:
    """Deploy some services, and take one instance from those of them that have three."""
    instance, service = state.instance, state.service
    instance["up"] = instance["weight"] = 1.0
    instance["age_s"][deployed[instance["service"]]] = 0.0
    for first, count in zip(service["first"][deployed], service["count"][deployed], strict=True):
        if count >= 3:
            instance["up"][first] = instance["weight"][first] = 0.0


def _note(worst: Worst, state: State) -> None:
    edge, instance, service = state.edge, state.instance, state.service
    used = np.where(edge["pool_refused"] > 0.0, 2.0, edge["used"] / np.maximum(edge["size"], 1e-9))
    np.maximum(worst.used, np.where(edge["size"] > 0.0, used, 0.0), out=worst.used)
    np.maximum(worst.late, edge["timeouts"], out=worst.late)
    per_request = edge["calls"] / np.maximum(service["rate"][edge["caller"]], 1e-9)
    harm = np.where(edge["blocking"] > 0, edge["fail"] * edge["critical"] * per_request, 0.0)
    np.maximum(worst.harm, harm, out=worst.harm)
    mine = instance["service"]
    holding = instance["inflight"] + instance["backlog"]
    np.maximum.at(worst.threads, mine, holding / service["threads"][mine])
    np.maximum.at(worst.cpu, mine, instance["cpu"] / service["cores"][mine])
    np.maximum.at(worst.requests_mb, mine, holding * service["request_mem"][mine] / 1e6)
    np.maximum(worst.connections, service["connections"], out=worst.connections)


def _wider(edge: Edge, worst: Worst, row: int, longest_s: float) -> Edge:
    timeout_s, pool, retries = edge.timeout_s, edge.pool, edge.retries
    if pool and worst.used[row] > 0.9:
        pool = 2 * pool
    if worst.harm[row] > FAILS and worst.late[row] > 0.02:
        if timeout_s < longest_s or worst.late[row] > 0.1:
            timeout_s = min(LONGEST_S, 2.0 * timeout_s)
        elif not retries:
            retries = 1
    return replace(edge, timeout_s=timeout_s, pool=pool, retries=retries)


def _stronger(service: Service, worst: Worst, index: int) -> Service:
    changes: dict[str, float] = {}
    if worst.threads[index] > 0.9:
        changes["threads"] = 2 * service.threads
    if worst.cpu[index] > 0.9 and service.kind != "external":
        changes["cores"] = 1.25 * service.cores
    room_mb = service.limit_mb - service.memory_mb
    if service.kind == "service" and worst.requests_mb[index] > 0.3 * room_mb:
        changes["limit_mb"] = service.memory_mb + worst.requests_mb[index] / 0.25
    if service.max_connections and worst.connections[index] > 0.8 * service.max_connections:
        changes["max_connections"] = 2 * service.max_connections
    return replace(service, **changes) if changes else service  # type: ignore[arg-type]

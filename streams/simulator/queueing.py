"""One step of the plant: demand flows from callers to callees, waiting and failure flow back.

Open queueing network, solved once a step in call order: Sakasegawa's approximation of the M/G/c wait below
saturation, a fluid backlog above it; log-logistic response times, so that quantiles and the share beyond a
timeout have closed forms. Threads and pooled connections are held while callees are waited for: that is how
back-pressure climbs. All compiled code stands in this one file, because numba's cache does not notice
changes in other files. Source of the approximation: Sakasegawa, Ann. Inst. Stat. Math. 29 (1977).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

CACHE, EXTERNAL = 2, 4
LN19 = math.log(19.0)
PAUSE_S_PER_BYTE = 1e-9
"""CPU seconds of a full collection per byte that survives it: one a gigabyte."""
FULL = 0.97
"""Beyond this utilisation the stationary wait diverges; the fluid backlog takes over."""


@njit(cache=True)  # type: ignore[untyped-decorator]
def crowding(utilisation: float, servers: float) -> float:
    """Mean wait in units of the mean service time, in a queue with `servers` servers."""
    rho = min(max(utilisation, 0.0), FULL)
    c = max(servers, 1.0)
    return float(rho ** (math.sqrt(2.0 * (c + 1.0)) - 1.0) / (c * (1.0 - rho)))


@njit(cache=True)  # type: ignore[untyped-decorator]
def beyond(limit_s: float, p50_s: float, p95_s: float) -> float:
    """Share of log-logistic durations longer than `limit_s`."""
    if p50_s <= 0.0:
        return 0.0
    shape = LN19 / math.log(max(p95_s / p50_s, 1.05))
    return float(1.0 / (1.0 + (max(limit_s, 1e-6) / p50_s) ** min(shape, 60.0)))


@njit(cache=True)  # type: ignore[untyped-decorator]
def _within_reason(xs: Any, xi: Any, xe: Any) -> None:
    """Disturbances compound; shares stay shares, and nothing shrinks to nothing."""
    for s in range(len(xs)):
        xs[s].error, xs[s].loss = min(xs[s].error, 1.0), min(xs[s].loss, 1.0)
        xs[s].connection_error, xs[s].bg_io = min(xs[s].connection_error, 1.0), min(xs[s].bg_io, FULL)
        xs[s].demand, xs[s].threads = max(xs[s].demand, 1e-3), max(xs[s].threads, 1e-3)
    for i in range(len(xi)):
        xi[i].error, xi[i].loss = min(xi[i].error, 1.0), min(xi[i].loss, 1.0)
        xi[i].demand, xi[i].cores = max(xi[i].demand, 1e-3), max(xi[i].cores, 1e-3)
    for e in range(len(xe)):
        xe[e].error, xe[e].loss = min(xe[e].error, 1.0), min(xe[e].loss, 1.0)
        xe[e].pool, xe[e].timeout = max(xe[e].pool, 1e-4), max(xe[e].timeout, 1e-4)


@njit(cache=True)  # type: ignore[untyped-decorator]
def _consume(dt: float, svc: Any, topic: Any, flow: Any) -> None:
    for t in range(len(topic)):
        broker, consumer = topic[t].broker, topic[t].consumer
        available = topic[t].depth / dt + topic[t].inflow
        able = 0.95 * svc[consumer].capacity * (1.0 - svc[broker].error_rate) * svc[broker].up_share
        taken = min(available, able if svc[consumer].up_share > 0.0 else 0.0)
        topic[t].depth = max(0.0, topic[t].depth + (topic[t].inflow - taken) * dt)
        topic[t].consumed, topic[t].inflow = taken, 0.0
        flow[topic[t].request_type, consumer] += taken


@njit(cache=True)  # type: ignore[untyped-decorator]
def _demand(
    svc: Any, edge: Any, topic: Any, xe: Any, flow: Any, fan: Any, order: Any, out_first: Any
) -> None:
    types = flow.shape[0]
    for s in order:
        total = 0.0
        for k in range(types):
            total += flow[k, s]
        svc[s].rate = total
        for e in range(out_first[s], out_first[s + 1]):
            through = svc[s].served * xe[e].calls
            if edge[e].behind >= 0:
                cache = edge[e].behind
                through *= 1.0 - svc[cache].hit_now * (1.0 - svc[cache].error_rate)
            amplified = edge[e].amplification * (0.05 if edge[e].open_s > 0.0 else 1.0)
            calls = 0.0
            for k in range(types):
                part = flow[k, s] * fan[e, k] * through
                calls += part
                flow[k, edge[e].callee] += part * amplified
            edge[e].calls, edge[e].attempts = calls, calls * amplified
            if edge[e].topic >= 0:
                topic[edge[e].topic].inflow += calls * (1.0 - edge[e].fail_before)


@njit(cache=True)  # type: ignore[untyped-decorator]
def _call(dt: float, e: int, up: float, svc: Any, edge: Any, xe: Any) -> None:
    """Work out what the caller sees on edge `e`: duration, failures, its connection pool."""
    s, c = edge[e].caller, edge[e].callee
    edge[e].server_p50_s, edge[e].server_p95_s = svc[c].p50_s, svc[c].p95_s
    net = edge[e].rtt_s + xe[e].delay_s + svc[s].net_s + svc[c].net_s
    loss = 1.0 - (1.0 - xe[e].loss) * (1.0 - svc[s].loss) * (1.0 - svc[c].loss)
    # A call is some six packets; a lost one costs the minimal retransmission time-out of Linux, 200 ms.
    delayed = 1.0 - (1.0 - loss) ** 6
    a50 = svc[c].p50_s + net + (0.2 if delayed > 0.5 else 0.0)
    a95 = svc[c].p95_s + net + 0.2 * min(1.0, delayed / 0.05) + (0.4 if delayed > 0.6 else 0.0)
    limit = edge[e].timeout_s * xe[e].timeout
    late = beyond(limit, a50, a95)
    refused = 1.0 - (1.0 - xe[e].error) * (1.0 - svc[c].connection_error) * (1.0 - delayed**4)
    p = min(1.0 - (1.0 - late) * (1.0 - svc[c].error_rate) * (1.0 - refused), 0.999)
    tries = edge[e].retries + xe[e].retries + 1.0
    fail = p**tries
    amplification = (1.0 - fail) / (1.0 - p)
    d50, d95 = min(a50, limit) * amplification, min(a95, limit) * amplification
    if late > 0.05:
        d95 = max(d95, limit * min(tries, 1.0 + late * tries))
    if edge[e].open_s > 0.0:
        edge[e].open_s -= dt
        d50, d95, fail, amplification, late = 0.001, 0.002, 0.95 + 0.05 * fail, 1.0, 0.0
    elif edge[e].breaker and fail > 0.5:
        edge[e].open_s = 30.0
    hold = 0.75 * d50 + 0.25 * d95
    pool = edge[e].pool * xe[e].pool * max(up, 1.0)
    wait, turned_away, used = 0.0, 0.0, edge[e].calls * hold
    if edge[e].pool > 0.0:
        able = pool / max(hold, 1e-5)
        waiting = edge[e].pending + (edge[e].calls - able) * dt
        room = able * edge[e].pool_timeout_s
        if waiting > room and edge[e].calls > 0.0:
            turned_away = min(1.0, (waiting - room) / (edge[e].calls * dt))
        edge[e].pending = min(max(waiting, 0.0), room)
        wait = edge[e].pending / able + hold * crowding(used / pool, pool)
        used = pool if edge[e].pending > 0.0 else min(used, pool)
    edge[e].used, edge[e].size, edge[e].wait_s = used, pool, wait
    edge[e].timeouts, edge[e].pool_refused = late, turned_away
    edge[e].fail = 1.0 - (1.0 - fail) * (1.0 - turned_away)
    edge[e].p50_s, edge[e].p95_s = d50 + wait, d95 + 1.4 * wait
    # Half-way relaxation: retries of this step meet the failures of the last, and must not oscillate.
    edge[e].amplification = 0.5 * edge[e].amplification + 0.5 * amplification
    edge[e].fail_before = edge[e].fail
    svc[c].connections_next += used


@njit(cache=True)  # type: ignore[untyped-decorator]
def _serve(
    dt: float, i: int, s: int, rate: float, n_up: float, down_s: float, tail2: float, down_error: float,
    svc: Any, inst: Any, machine: Any, xs: Any, xi: Any,
) -> None:  # fmt: skip
    """One instance: its CPU, disk, locks, threads, queue and memory under `rate` requests a second."""
    warming = svc[s].cold * math.exp(-inst[i].age_s / 40.0)
    demand = svc[s].cpu_s * xs[s].demand * xi[i].demand * (1.0 + warming)
    cores = svc[s].cores * xi[i].cores * (1.0 - machine[inst[i].machine].steal)
    background = svc[s].idle + xi[i].bg_cores + inst[i].gc
    spare = max(cores - background, 0.05 * cores)
    rho = rate * demand / spare
    cpu_s = demand / min(1.0, spare) * (1.0 + crowding(rho, spare))
    io = svc[s].io_s * xs[s].io * xi[i].io
    inst[i].io_util = min(1.0, rate * io + xs[s].bg_io)
    io_s = io / (1.0 - min(inst[i].io_util, FULL))
    own = cpu_s + io_s + svc[s].lock_wait_s + svc[s].wait_s + xs[s].wait_s + xi[i].wait_s
    spread = (19.0 ** (1.0 / svc[s].tail) - 1.0) * 0.9 * own * inst[i].stall
    inst[i].hold_s = min(0.4 * inst[i].hold_s + 0.6 * (own + down_s), svc[s].deadline_s)
    threads = svc[s].threads * xs[s].threads
    able = min(0.98 * spare / demand, threads / max(inst[i].hold_s, 1e-5))
    if io > 0.0:
        able = min(able, max(1.0 - xs[s].bg_io, 0.03) / io)
    lock = svc[s].lock_s * xs[s].lock + xs[s].lock_s
    if lock > 0.0:
        able = min(able, 1.0 / (lock * n_up))
    before = inst[i].backlog
    waiting = max(0.0, before + (rate - able) * dt)
    room = min(svc[s].queue_limit, able * svc[s].patience_s)
    lost = max(0.0, waiting - room)
    rejected = min(1.0, lost / (rate * dt)) if rate > 0.0 else 0.0
    inst[i].backlog = min(waiting, room)
    done = max(0.0, rate * (1.0 - rejected) - (inst[i].backlog - before) / dt)
    inst[i].able, inst[i].done = able, done
    queued_s = inst[i].backlog / able
    inst[i].own_s = own + queued_s
    p50 = 0.9 * own + down_s + queued_s
    # Whoever asked has cancelled by then, and the cancellation reaches us.
    inst[i].p50_s = min(p50, svc[s].deadline_s)
    inst[i].p95_s = min(p50 + math.sqrt(spread * spread + tail2) + 0.3 * queued_s, 1.05 * svc[s].deadline_s)
    own_error = 1.0 - (1.0 - svc[s].error) * (1.0 - xs[s].error) * (1.0 - xi[i].error)
    inst[i].error_rate = 1.0 - (1.0 - own_error) * (1.0 - down_error) * (1.0 - rejected)
    inst[i].rate = rate
    inst[i].cpu = min(background + (done + 0.3 * lost / dt) * demand, cores)
    inst[i].throttled = min(1.0, max(0.0, (background + rate * demand) / cores - 0.75) * 2.0)
    inst[i].inflight = min(done * inst[i].hold_s, threads)
    inst[i].leak = max(0.0, inst[i].leak + xi[i].leak * dt)
    live = svc[s].memory + inst[i].leak + (inst[i].inflight + inst[i].backlog) * svc[s].request_mem
    free = max(svc[s].limit - live, 0.02 * svc[s].limit)
    if svc[s].alloc > 0.0:
        # A collection comes whenever the free part is full; it costs CPU in proportion to what survives.
        collecting = rate * svc[s].alloc * xs[s].alloc / free * PAUSE_S_PER_BYTE * live
        inst[i].gc = 0.5 * inst[i].gc + 0.5 * min(collecting, cores)
    inst[i].memory = live
    if live > svc[s].limit or xi[i].kill > 0.0:
        inst[i].up, inst[i].down_s, inst[i].restarts = 0.0, 25.0, inst[i].restarts + 1
        inst[i].leak, inst[i].backlog, inst[i].cpu, inst[i].inflight = 0.0, 0.0, 0.0, 0.0


@njit(cache=True)  # type: ignore[untyped-decorator]
def _respond(dt: float, s: int, svc: Any, inst: Any, edge: Any, machine: Any, xs: Any, xi: Any, xe: Any,
             out_first: Any) -> None:  # fmt: skip
    first, last = svc[s].first, svc[s].first + svc[s].count
    n_up, weights = 0.0, 0.0
    for i in range(first, last):
        inst[i].age_s += dt
        if inst[i].up == 0.0:
            inst[i].down_s -= dt
            if inst[i].down_s <= 0.0 and xi[i].kill == 0.0 and inst[i].weight > 0.0:
                inst[i].up, inst[i].age_s = 1.0, 0.0
        if inst[i].up > 0.0:
            n_up += 1.0
            weights += inst[i].weight * xi[i].weight
    down_s, tail2, fine = 0.0, 0.0, 1.0
    flow = max(svc[s].rate * svc[s].served, 1e-9)
    for e in range(out_first[s], out_first[s + 1]):
        _call(dt, e, n_up, svc, edge, xe)
        per_request = edge[e].calls / flow
        if edge[e].blocking:
            down_s += per_request * edge[e].p50_s
            tail2 += per_request * (edge[e].p95_s - edge[e].p50_s) ** 2
            failing = min(edge[e].critical * xe[e].critical, 1.0) * edge[e].fail
            fine *= (1.0 - failing) ** per_request if per_request > 1.0 else 1.0 - failing * per_request
    svc[s].up_share = n_up / max(svc[s].count, 1)
    if n_up == 0.0 or weights <= 0.0:
        svc[s].p50_s, svc[s].p95_s, svc[s].error_rate, svc[s].capacity = 0.001, 0.002, 1.0, 0.0
        svc[s].served = 0.0
        for i in range(first, last):
            inst[i].rate, inst[i].cpu, inst[i].inflight, inst[i].memory = 0.0, 0.0, 0.0, 0.0
        return
    lock = svc[s].lock_s * xs[s].lock + xs[s].lock_s
    svc[s].lock_wait_s = lock / (1.0 - min(svc[s].rate * lock, FULL)) if lock > 0.0 else 0.0
    log50, power95, errors, capacity, done, io_util = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for i in range(first, last):
        if inst[i].up == 0.0:
            inst[i].rate, inst[i].cpu, inst[i].inflight, inst[i].memory = 0.0, 0.0, 0.0, 0.0
            continue
        share = inst[i].weight * xi[i].weight / weights
        _serve(dt, i, s, svc[s].rate * share, n_up, down_s, tail2, 1.0 - fine, svc, inst, machine, xs, xi)
        log50 += share * math.log(max(inst[i].p50_s, 1e-6))
        power95 += share * inst[i].p95_s ** 8
        errors += share * inst[i].error_rate
        capacity += inst[i].able
        done += inst[i].done
        io_util = max(io_util, inst[i].io_util)
    svc[s].p50_s, svc[s].error_rate, svc[s].io_util = math.exp(log50), errors, io_util
    svc[s].p95_s = max(power95 ** (1.0 / 8.0), 1.05 * svc[s].p50_s)
    svc[s].capacity = capacity
    served = min(1.5, done / svc[s].rate) if svc[s].rate > 0.0 else 1.0
    svc[s].served = 0.5 * svc[s].served + 0.5 * served


@njit(cache=True)  # type: ignore[untyped-decorator]
def _remember(dt: float, s: int, svc: Any, xs: Any, flow: Any, key_bytes: Any) -> None:
    """A cache's memory: keys come with calls and go with their time to live, or by eviction."""
    stored = 0.0
    for k in range(flow.shape[0]):
        stored += flow[k, s] * key_bytes[s, k]
    svc[s].stored = stored
    wanted = svc[s].cache_mem + (stored - svc[s].cache_mem / svc[s].key_ttl_s) * dt
    limit = svc[s].cache_limit * xs[s].limit
    target = min(svc[s].hit * xs[s].hit, 1.0)
    svc[s].evicted = 0.0
    if limit > 0.0 and wanted > limit:
        excess = wanted - limit
        if svc[s].evicts > 0:
            svc[s].evicted = excess / dt
            target *= (limit / max(stored * svc[s].key_ttl_s, limit)) ** 0.7
        else:
            # `noeviction`: what does not fit is refused, so that share of the writes fails.
            refused = svc[s].write_share * min(1.0, excess / max(stored * dt, 1.0))
            svc[s].error_rate = 1.0 - (1.0 - svc[s].error_rate) * (1.0 - refused)
        wanted = limit
    svc[s].cache_mem = wanted
    # Losing keys is sudden, warming up takes minutes.
    svc[s].hit_now = (
        target if target < svc[s].hit_now else svc[s].hit_now + (target - svc[s].hit_now) * dt / 180
    )


@njit(cache=True)  # type: ignore[untyped-decorator]
def advance(
    dt: float, svc: Any, inst: Any, edge: Any, topic: Any, machine: Any,
    xs: Any, xi: Any, xe: Any, xm: Any, flow: Any, fan: Any, key_bytes: Any, order: Any, out_first: Any,
) -> None:  # fmt: skip
    """Advance the plant by `dt` seconds under the entry rates in `flow` (overwritten with all rates).

    Parameters
    ----------
    flow
        [request type, service] requests per second that enter from outside.
    """
    _within_reason(xs, xi, xe)
    _consume(dt, svc, topic, flow)
    for s in range(len(svc)):
        svc[s].connections_next = 0.0
        svc[s].net_s, svc[s].loss = xs[s].net_s, xs[s].loss
        for i in range(svc[s].first, svc[s].first + svc[s].count):
            svc[s].net_s += xi[i].net_s / svc[s].count
            svc[s].loss += xi[i].loss / svc[s].count
        svc[s].loss = min(svc[s].loss, 1.0)
    _demand(svc, edge, topic, xe, flow, fan, order, out_first)
    for position in range(len(order) - 1, -1, -1):
        s = order[position]
        _respond(dt, s, svc, inst, edge, machine, xs, xi, xe, out_first)
        if svc[s].kind == CACHE:
            _remember(dt, s, svc, xs, flow, key_bytes)
    for s in range(len(svc)):
        svc[s].connections = svc[s].connections_next
        limit = svc[s].max_connections * xs[s].max_connections
        over = 1.0 - limit / svc[s].connections if limit > 0.0 and svc[s].connections > limit else 0.0
        svc[s].connection_error = 1.0 - (1.0 - over) * (1.0 - xs[s].connection_error)
    for m in range(len(machine)):
        machine[m].busy = xm[m].busy
    for i in range(len(inst)):
        machine[inst[i].machine].busy += inst[i].cpu
    for m in range(len(machine)):
        share = machine[m].busy / machine[m].cores
        machine[m].steal = min(0.9, max(0.0, 1.0 - 0.9 / share)) if share > 0.9 else 0.0


def run_step(dt: float, state: Any, strain: Any, wiring: Any, flow: NDArray[np.float64]) -> None:
    """Advance `state` in place; `flow` is overwritten."""
    advance(
        dt, state.service, state.instance, state.edge, state.topic, state.machine,
        strain.service, strain.instance, strain.edge, strain.machine,
        flow, wiring.fan, wiring.key_bytes, wiring.order, wiring.out_first,
    )  # fmt: skip

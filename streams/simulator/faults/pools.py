"""Limited resources set too small: threads, pooled connections, the database's own limit, time."""

from __future__ import annotations

from streams.simulator.faults.site import Site
from streams.simulator.truth import Fault


def thread_exhaustion(site: Site) -> Fault | None:
    """Too few worker threads for the work in flight."""
    victim = site.pick("service", where=lambda s: _in_flight(site, s.name) > 0.4)
    if victim is None:
        return None
    change = site.blame("config", victim.name, f"{victim.name}: worker threads lowered", share=0.6,
                        key="worker.threads")  # fmt: skip
    per_instance = _in_flight(site, victim.name) / float(site.rng.uniform(1.2, 2.5))
    press = site.on_service(victim.name, "threads", factor=max(per_instance, 0.05) / victim.threads)
    return site.fault("thread_exhaustion", victim.name, [press], change=change)


def pool_too_small(site: Site) -> Fault | None:
    """A connection pool is cut below what the calls in flight need; the callee is well."""
    victim = site.pick("service", where=lambda s: bool(_pooled(site, s.name)))
    if victim is None:
        return None
    row = int(site.rng.choice(_pooled(site, victim.name)))
    change = site.blame("config", victim.name, f"{victim.name}: connection pool resized", share=0.8,
                        key="pool.size")  # fmt: skip
    edge = site.edge(row)
    needed = site.edge_rate(row) * float(site.state.edge["p50_s"][row]) / victim.instances
    factor = needed / float(site.rng.uniform(1.2, 2.5)) / edge.pool
    press = site.press("edge", (row,), "pool", factor=max(factor, 1e-4))
    return site.fault("pool_too_small", victim.name, [press], change=change)


def too_many_connections(site: Site) -> Fault | None:
    """The database refuses connections: its limit was lowered, or a failover came up with defaults."""
    victim = site.pick("database")
    if victim is None:
        return None
    change = site.blame("config", victim.name, f"{victim.name}: parameter group replaced", share=0.6,
                        key="parameter.group")  # fmt: skip
    used = float(site.state.service["connections"][site.system.index(victim.name)])
    factor = max(used, 0.02) / float(site.rng.uniform(1.3, 3.0)) / victim.max_connections
    press = site.on_service(victim.name, "max_connections", factor=factor)
    return site.fault("too_many_connections", victim.name, [press], change=change)


def timeout_too_short(site: Site) -> Fault | None:
    """A client's timeout is set below the callee's usual duration: calls fail, and are repeated."""
    victim = site.pick("service", where=lambda s: bool(_calls(site, s.name)))
    if victim is None:
        return None
    row = int(site.rng.choice(_calls(site, victim.name)))
    change = site.blame("config", victim.name, f"{victim.name}: client timeouts tuned", share=0.9,
                        key="client.timeout_ms")  # fmt: skip
    usual = float(site.state.edge["p50_s"][row])
    factor = usual * float(site.rng.uniform(0.7, 1.3)) / site.edge(row).timeout_s
    press = site.press("edge", (row,), "timeout", factor=factor)
    return site.fault("timeout_too_short", victim.name, [press], change=change)


def _in_flight(site: Site, service: str) -> float:
    rows = list(site.instances(service))
    return float(site.state.instance["inflight"][rows].mean())


def _pooled(site: Site, caller: str) -> tuple[int, ...]:
    return tuple(r for r in site.edges(caller=caller, where=lambda e: e.pool > 0) if site.edge_rate(r) > 1.0)


def _calls(site: Site, caller: str) -> tuple[int, ...]:
    rows = site.edges(caller=caller, where=lambda e: e.blocking and e.critical > 0.5)
    return tuple(r for r in rows if site.edge_rate(r) > 1.0)


MECHANISMS = (thread_exhaustion, pool_too_small, too_many_connections, timeout_too_short)

"""Datastores: slow plans, locks, disks, failovers, and jobs that run beside the users."""

from __future__ import annotations

from dataclasses import replace

from streams.simulator.changes import Change
from streams.simulator.faults.site import Site
from streams.simulator.graph import Service
from streams.simulator.truth import Fault

DAY_S = 86_400.0


def slow_query(site: Site) -> Fault | None:
    """A query plan flips or an index is gone: every statement costs CPU and disk."""
    victim = site.pick("database")
    if victim is None:
        return None
    change = site.blame("config", victim.name, f"{victim.name}: migration of table statistics", share=0.4,
                        key="statistics")  # fmt: skip
    presses = [
        site.on_service(
            victim.name, "demand", factor=site.overload(victim, 0.9, 1.4), ramp_s=site.ramp(0, 120)
        ),
        site.on_service(victim.name, "io", factor=float(site.rng.uniform(1.5, 3.0))),
    ]
    return site.fault("slow_query", victim.name, presses, change=change)


def lock_contention(site: Site) -> Fault | None:
    """A long transaction holds rows that everyone wants."""
    victim = site.pick("database")
    if victim is None:
        return None
    number = int(site.rng.integers(10, 99))
    change = site.blame("other", victim.name, f"{victim.name}: schema migration 00{number}", share=0.5,
                        migration=f"00{number}")  # fmt: skip
    section_s = float(site.rng.uniform(0.95, 1.5)) / site.rates[victim.name]
    press = site.on_service(victim.name, "lock_s", add=section_s, ramp_s=site.ramp(10, 180))
    return site.fault("lock_contention", victim.name, [press], change=change)


def disk_degraded(site: Site) -> Fault | None:
    """The disk under a store becomes slow."""
    victim = site.pick("database", "broker", where=lambda s: _disk(site, s) > 0.01)
    if victim is None:
        return None
    factor = float(site.rng.uniform(0.95, 1.6)) / _disk(site, victim)
    press = site.on_service(victim.name, "io", factor=factor, ramp_s=site.ramp(0, 180))
    return site.fault("disk_degraded", victim.name, [press])


def disk_full(site: Site) -> Fault | None:
    """Nothing can be written any more; reads go on."""
    victim = site.pick("database", "broker")
    if victim is None:
        return None
    press = site.on_service(
        victim.name, "error", add=float(site.rng.uniform(0.25, 0.7)), ramp_s=site.ramp(0, 60)
    )
    slow = site.on_service(victim.name, "bg_io", add=float(site.rng.uniform(0.3, 0.6)))
    return site.fault("disk_full", victim.name, [press, slow])


def failover(site: Site) -> Fault | None:
    """The primary is gone for a while, and its successor starts with a cold buffer."""
    victim = site.pick("database")
    if victim is None:
        return None
    rows = site.instances(victim.name)
    gone = replace(site.press("instance", rows, "kill", add=1.0), end_s=site.start_s + 75.0)
    cold = site.on_service(victim.name, "io", factor=min(0.8 / max(_disk(site, victim), 0.02), 25.0))
    return site.fault("failover", victim.name, [gone, cold])


def replication_lag(site: Site) -> Fault | None:
    """The replica cannot replay what the primary writes; whoever must read what was written waits for it."""
    victim = site.pick("database")
    if victim is None:
        return None
    ramp_s = site.ramp(60, 240)
    presses = [
        site.on_service(victim.name, "bg_io", add=float(site.rng.uniform(0.85, 0.95)), ramp_s=ramp_s),
        site.on_service(victim.name, "wait_s", add=float(site.rng.uniform(0.1, 0.6)), ramp_s=ramp_s),
    ]
    return site.fault("replication_lag", victim.name, presses)


def batch_job(site: Site) -> Fault | None:
    """A job that has grown for weeks takes the disk and the locks that users need."""
    victim = site.pick("database")
    if victim is None:
        return None
    name = f"{victim.name}-{site.rng.choice(['export', 'rollup', 'settlement', 'cleanup', 'reindex'])}"
    minutes = float(site.rng.uniform(8, 20))
    for night in range(14, 0, -1):
        began = site.start_s - night * DAY_S + float(site.rng.normal(0, 15))
        lasted = 60.0 * minutes * 1.04 ** (14 - night)
        site.changes.append(_job(site, victim, name, began, began + lasted))
    tonight = _job(site, victim, name, site.start_s, site.end_s)
    site.changes.append(tonight)
    hold_s = float(site.rng.uniform(0.6, 1.1)) / site.rates[victim.name]
    presses = [
        site.on_service(
            victim.name, "bg_io", add=float(site.rng.uniform(0.9, 0.96)), ramp_s=site.ramp(30, 240)
        ),
        site.on_service(victim.name, "lock_s", add=hold_s, ramp_s=site.ramp(60, 300)),
    ]
    return site.fault("batch_job", victim.name, presses, change=tonight)


def _job(site: Site, victim: Service, name: str, start_s: float, end_s: float) -> Change:
    return Change(
        site.log.next_id(), start_s, "job", victim.name, f"{name} ran", end_s=end_s,
        attributes={"job": name, "duration_s": str(round(end_s - start_s))},
    )  # fmt: skip


def _disk(site: Site, service: Service) -> float:
    return site.rates[service.name] * service.io_ms / 1e3


MECHANISMS = (slow_query, lock_contention, disk_degraded, disk_full, failover, replication_lag, batch_job)

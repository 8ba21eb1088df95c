"""Conjunctions: parts that are harmless alone, and retries that turn a stumble into a fall."""

from __future__ import annotations

from dataclasses import replace

from streams.simulator.changes import Change
from streams.simulator.faults.site import Site
from streams.simulator.truth import Fault

DAY_S = 86_400.0
QUIET_S = 1800.0
"""So long before a fault none lasts. Retries raised earlier would keep the stumbles of others from ending."""
LEAST_USED = 0.2
"""Threads in use on average. Where fewer are, no peak fills what a limit leaves."""
SPARE = 4.0
"""Threads that the lowered limit leaves, for each that is used on an ordinary day."""


def old_config_new_load(site: Site) -> Fault | None:
    """A limit was lowered days ago; a slow leak of threads and today's peak make it bite."""
    victim = site.pick(
        "service", where=lambda s: _in_flight(site, s.name) > LEAST_USED and not site.lowered(s.name)
    )
    if victim is None:
        return None
    at = site.start_s - float(site.rng.uniform(1.0, 7.0)) * DAY_S
    change = Change(site.log.next_id(), at, "config", victim.name, f"{victim.name}: concurrency limit set",
                    attributes={"key": "limits.concurrency"})  # fmt: skip
    site.changes.append(change)
    # Days have busier hours than this one, and until today the limit bit in none of them.
    busier = site.busiest_yet(victim.name)
    used = busier * _in_flight(site, victim.name)
    limit = replace(
        site.on_service(victim.name, "threads", factor=min(SPARE * used / victim.threads, 1.0)), start_s=at
    )
    # The limit leaves four times what is used, limit and leak a fifth more; the peak needs three fifths more.
    leak = site.on_service(
        victim.name,
        "threads",
        factor=1.2 / SPARE,
        ramp_s=0.5 * (site.end_s - site.start_s),
        curve=0.5,
    )
    peak = site.press("load", range(len(site.entries)), "", factor=1.6 * busier, ramp_s=300.0, fall_s=300.0)
    return site.fault(
        "old_config_new_load", victim.name, [limit, leak, peak], change=change,
        trigger="today's peak", contributing=("a slow leak of threads", "load"),
    )  # fmt: skip


def _in_flight(site: Site, service: str) -> float:
    return float(site.state.instance["inflight"][list(site.instances(service))].mean())


def retry_storm(site: Site) -> Fault | None:
    """Callers were told to try again more often; a short stumble of the callee never ends."""
    victim = site.pick("service", where=lambda s: len(site.edges(callee=s.name)) > 0)
    if victim is None:
        return None
    rows = site.edges(callee=victim.name)
    change = site.blame("config", victim.name, f"retry policy for {victim.name} raised", share=0.7,
                        lag_s=(600.0, QUIET_S), key="retry.attempts")  # fmt: skip
    retries = replace(site.press("edge", rows, "retries", add=float(site.rng.integers(3, 6))), start_s=0.0)
    retries = replace(retries, start_s=change.ts_s if change else site.start_s)
    stumble = site.on_service(victim.name, "error", add=float(site.rng.uniform(0.3, 0.6)))
    strain = site.on_service(victim.name, "demand", factor=site.overload(victim, 0.6, 0.9))
    return site.fault(
        "retry_storm",
        victim.name,
        [retries, stumble, strain],
        change=change,
        trigger="a stumble of the callee",
    )


MECHANISMS = (old_config_new_load, retry_storm)

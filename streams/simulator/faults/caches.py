"""Caches: emptied at once, or too small for what is put into them."""

from __future__ import annotations

from dataclasses import replace

from streams.simulator.faults.site import Site
from streams.simulator.graph import Service
from streams.simulator.truth import Fault


def cache_stampede(site: Site) -> Fault | None:
    """The cache is flushed and everything goes to the store behind it."""
    victim = site.pick("cache", where=lambda s: any(e.behind == s.name for e in site.system.edges))
    if victim is None:
        return None
    change = site.blame(
        "config", victim.name, f"{victim.name}: key prefix changed", share=0.6, key="key.prefix"
    )
    index = site.system.index(victim.name)
    miss = site.press("service", (index,), "hit", factor=float(site.rng.uniform(0.0, 0.25)))
    behind = {e.callee for e in site.system.edges if e.behind == victim.name}
    # The misses are the expensive ones: nobody has tuned the queries that the cache used to hide.
    dear = [
        site.on_service(store, "demand", factor=float(site.rng.uniform(1.5, 3.0))) for store in sorted(behind)
    ]
    return site.fault("cache_stampede", victim.name, [miss, *dear], change=change)


def cache_full(site: Site) -> Fault | None:
    """A cache that refuses writes reaches its memory limit."""
    victim = site.pick("cache", where=lambda s: not s.evicts and _critical(site, s))
    if victim is None:
        return None
    change = site.blame(
        "config",
        victim.name,
        f"{victim.name}: maxmemory aligned with the template",
        share=0.4,
        key="maxmemory",
    )
    used = float(site.state.service["cache_mem"][site.system.index(victim.name)])
    factor = used / (victim.cache_limit_mb * 1e6) * float(site.rng.uniform(0.5, 0.9))
    press = replace(site.on_service(victim.name, "limit", factor=factor), ramp_s=site.ramp(0, 120))
    return site.fault("cache_full", victim.name, [press], change=change)


def _critical(site: Site, service: Service) -> bool:
    return any(e.callee == service.name and e.critical > 0.5 for e in site.system.edges)


MECHANISMS = (cache_stampede, cache_full)

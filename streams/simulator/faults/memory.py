"""Memory: leaks, and heaps too small for their garbage."""

from __future__ import annotations

from streams.simulator.faults.site import Site
from streams.simulator.queueing import PAUSE_S_PER_BYTE
from streams.simulator.strain import Press
from streams.simulator.truth import Fault


def memory_leak(site: Site) -> Fault | None:
    """Memory grows until the kernel kills the pods, one after the other; then it begins again."""
    victim = site.pick("service")
    if victim is None:
        return None
    change = site.blame("deploy", victim.name, "", share=0.6)
    room = (victim.limit_mb - victim.memory_mb) * 1e6
    lifetime = float(site.rng.uniform(0.25, 0.6)) * (site.end_s - site.start_s)
    presses = [
        site.press("instance", (row,), "leak", add=room / lifetime * float(site.rng.uniform(0.85, 1.15)))
        for row in site.instances(victim.name)
    ]
    # Whoever ends the incident restarts the pods.
    restart = Press(
        "instance", site.instances(victim.name), "leak", site.end_s, site.end_s + 30.0, add=-room / 20.0
    )
    return site.fault("memory_leak", victim.name, [*presses, restart], change=change)


def gc_thrash(site: Site) -> Fault | None:
    """Every request leaves many times the garbage: collections eat the CPU, memory looks well."""
    victim = site.pick("service", where=lambda s: s.alloc_kb > 0)
    if victim is None:
        return None
    change = site.blame("deploy", victim.name, "", share=0.6, lag_s=(0.0, 20.0))
    free = (victim.limit_mb - victim.memory_mb) * 1e6
    made = site.rates[victim.name] / victim.instances * victim.alloc_kb * 1e3
    collecting = made / free * PAUSE_S_PER_BYTE * victim.memory_mb * 1e6
    spare = victim.cores * (1.0 - site.utilisation(victim))
    factor = float(site.rng.uniform(0.95, 1.3)) * spare / max(collecting, 1e-9)
    press = site.on_service(victim.name, "alloc", factor=factor, ramp_s=site.ramp(10, 120))
    return site.fault("gc_thrash", victim.name, [press], change=change)


MECHANISMS = (memory_leak, gc_thrash)

"""Instances that die: all of them again and again, or one that never becomes ready."""

from __future__ import annotations

from streams.simulator.faults.site import Site
from streams.simulator.truth import Fault


def crash_loop(site: Site) -> Fault | None:
    """Every instance dies soon after it starts; now and then one serves for a moment."""
    victim = site.pick("service")
    if victim is None:
        return None
    change = site.blame("config", victim.name, f"{victim.name}: environment updated", share=0.6, key="env")
    presses = [
        site.press("instance", (row,), "kill", add=1.0, period_s=float(site.rng.uniform(70, 110)),
                   duty=float(site.rng.uniform(0.4, 0.7)))
        for row in site.instances(victim.name)
    ]  # fmt: skip
    return site.fault("crash_loop", victim.name, presses, change=change)


def lost_capacity(site: Site) -> Fault | None:
    """Half of the instances are evicted and cannot be placed; the rest must do."""
    victim = site.pick("service", where=lambda s: s.instances >= 2)
    if victim is None:
        return None
    rows = site.instances(victim.name)
    gone = rows[: max(1, len(rows) // 2)]
    rest = len(rows) - len(gone)
    scarce = site.utilisation(victim) * len(rows) / rest
    presses = [site.press("instance", gone, "kill", add=1.0)]
    if scarce < 0.9:
        presses.append(
            site.on_service(victim.name, "demand", factor=float(site.rng.uniform(1.0, 1.3)) / scarce)
        )
    return site.fault("lost_capacity", victim.name, presses)


MECHANISMS = (crash_loop, lost_capacity)

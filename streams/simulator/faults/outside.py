"""From outside: third parties, and more users than were planned for."""

from __future__ import annotations

from streams.simulator.faults.site import Site
from streams.simulator.truth import Fault


def third_party_down(site: Site) -> Fault | None:
    """An external provider answers with errors."""
    victim = site.pick("external")
    if victim is None:
        return None
    press = site.on_service(
        victim.name, "error", add=float(site.rng.uniform(0.4, 1.0)), ramp_s=site.ramp(0, 60)
    )
    return site.fault("third_party_down", victim.name, [press])


def third_party_slow(site: Site) -> Fault | None:
    """An external provider takes seconds."""
    victim = site.pick("external")
    if victim is None:
        return None
    press = site.on_service(
        victim.name, "wait_s", add=float(site.rng.uniform(0.8, 6.0)), ramp_s=site.ramp(0, 120)
    )
    return site.fault("third_party_slow", victim.name, [press])


def traffic_surge(site: Site) -> Fault | None:
    """A crawler or a campaign multiplies one entrance's requests until something gives."""
    entrances = {s.name for s in site.system.services} - {e.callee for e in site.system.edges}
    victim = site.pick("service", where=lambda s: s.name in entrances)
    if victim is None:
        return None
    rows = tuple(i for i, entry in enumerate(site.entries) if entry.service == victim.name)
    press = site.press("load", rows, "", factor=float(site.rng.uniform(3.5, 7.0)), ramp_s=site.ramp(30, 240))
    return site.fault("traffic_surge", victim.name, [press], trigger="demand")


MECHANISMS = (third_party_down, third_party_slow, traffic_surge)

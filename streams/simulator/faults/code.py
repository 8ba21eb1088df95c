"""Code: new versions and new conditions under which it errs, waits or calls too much."""

from __future__ import annotations

from streams.simulator.faults.site import Site
from streams.simulator.truth import Fault


def bad_deploy(site: Site) -> Fault | None:
    """A new version fails a share of its requests on every instance."""
    victim = site.pick("service")
    if victim is None:
        return None
    change = site.blame("deploy", victim.name, "", lag_s=(0.0, 20.0))
    ramp = 20.0 * victim.instances
    press = site.on_service(victim.name, "error", add=float(site.rng.uniform(0.08, 0.6)), ramp_s=ramp)
    return site.fault("bad_deploy", victim.name, [press], change=change)


def slow_deploy(site: Site) -> Fault | None:
    """A new version waits longer in every request, without using more CPU."""
    victim = site.pick("service")
    if victim is None:
        return None
    change = site.blame("deploy", victim.name, "", lag_s=(0.0, 20.0))
    wait = float(site.rng.uniform(0.08, 0.8))
    press = site.on_service(victim.name, "wait_s", add=wait, ramp_s=20.0 * victim.instances)
    return site.fault("slow_deploy", victim.name, [press], change=change)


def bad_canary(site: Site) -> Fault | None:
    """The new version runs on one instance only, and errs there."""
    victim = site.pick("service", where=lambda s: s.instances >= 2)
    if victim is None:
        return None
    change = site.blame("deploy", victim.name, "", lag_s=(0.0, 5.0))
    row = site.instances(victim.name)[0]
    presses = [site.press("instance", (row,), "error", add=float(site.rng.uniform(0.4, 0.95)))]
    if site.rng.random() < 0.5:
        presses.append(site.press("instance", (row,), "wait_s", add=float(site.rng.uniform(0.05, 0.4))))
    return site.fault("bad_canary", victim.name, presses, change=change)


def exception(site: Site) -> Fault | None:
    """Data of a new shape arrives and a handler throws; nothing was changed."""
    victim = site.pick("service")
    if victim is None:
        return None
    press = site.on_service(
        victim.name, "error", add=float(site.rng.uniform(0.06, 0.4)), ramp_s=site.ramp(0, 90)
    )
    return site.fault("exception", victim.name, [press])


def n_plus_one(site: Site) -> Fault | None:
    """A flag makes one service call its store many times a request; the store looks guilty."""
    victim = site.pick("service", where=lambda s: bool(_store_edges(site, s.name)))
    if victim is None:
        return None
    row = int(site.rng.choice(_store_edges(site, victim.name)))
    store = site.system.service(site.edge(row).callee)
    change = site.blame(
        "flag",
        victim.name,
        f"flag eager-details: 100 % of users on {victim.name}",
        share=0.8,
        flag="eager-details",
    )
    spare = (1.0 / site.utilisation(store) - 1.0) * site.rates[store.name] / max(site.edge_rate(row), 0.1)
    factor = 1.0 + min(float(site.rng.uniform(0.9, 1.5)) * max(spare, 3.0), 60.0)
    press = site.press("edge", (row,), "calls", factor=factor, ramp_s=60.0)
    return site.fault("n_plus_one", victim.name, [press], change=change)


def _store_edges(site: Site, caller: str) -> tuple[int, ...]:
    return site.edges(caller=caller, where=lambda e: site.system.service(e.callee).kind == "database")


def busy_wait(site: Site) -> Fault | None:
    """A lock inside the service serialises its requests: idle CPU, long waits."""
    victim = site.pick("service")
    if victim is None:
        return None
    change = site.blame("deploy", victim.name, "", share=0.5)
    section_s = float(site.rng.uniform(0.95, 1.3)) / max(site.rates[victim.name], 0.1)
    press = site.on_service(victim.name, "lock_s", add=section_s, ramp_s=site.ramp(20, 200))
    return site.fault("busy_wait", victim.name, [press], change=change)


MECHANISMS = (bad_deploy, slow_deploy, bad_canary, exception, n_plus_one, busy_wait)

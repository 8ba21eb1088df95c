"""Faults that the emitted telemetry cannot tell apart from others: the right answer is to abstain."""

from __future__ import annotations

from streams.simulator.faults.site import Site
from streams.simulator.truth import Fault


def unseen_proxy(site: Site) -> Fault | None:
    """A component without telemetry, between two services, delays and drops what passes through it.

    From outside it is as likely the caller, the callee or anything between.
    """
    rows = site.edges(where=lambda e: not e.observed and e.critical > 0.5)
    able = [r for r in rows if site.edge_rate(r) > 1.0]
    if not able:
        return None
    row = int(site.rng.choice(able))
    presses = [
        site.press("edge", (row,), "delay_s", add=float(site.rng.uniform(0.1, 1.0))),
        site.press("edge", (row,), "error", add=float(site.rng.uniform(0.1, 0.5))),
    ]
    return site.fault("unseen_proxy", site.edge(row).callee, presses, blind=True)


def shared_fabric(site: Site) -> Fault | None:
    """Something below several unrelated services loses their packets; it has no name in any telemetry."""
    able = [s.name for s in site.system.services if s.kind == "service" and site.rates[s.name] > 1.0]
    if len(able) < 4:
        return None
    hit = site.rng.permutation(able)[: int(site.rng.integers(4, 7))]
    loss = float(site.rng.uniform(0.05, 0.2))
    presses = [site.on_service(str(name), "loss", add=loss, ramp_s=10.0) for name in hit]
    return site.fault("shared_fabric", "shared-fabric", presses, blind=True)


MECHANISMS = (unseen_proxy, shared_fabric)

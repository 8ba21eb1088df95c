"""Messages: consumers that fall behind, brokers that stumble."""

from __future__ import annotations

from streams.simulator.faults.site import Site
from streams.simulator.truth import Fault


def stuck_consumer(site: Site) -> Fault | None:
    """A consumer hangs on a poisoned message; if it does little else, the queue before it grows."""
    consumers = {t.consumer for t in site.system.topics}
    victim = site.pick("service", where=lambda s: s.name in consumers)
    if victim is None:
        return None
    change = site.blame("deploy", victim.name, "", share=0.5)
    rate = max(site.rates[victim.name], 0.1)
    hold_s = victim.threads * victim.instances / rate * float(site.rng.uniform(1.3, 4.0))
    return site.fault("stuck_consumer", victim.name, [site.on_service(victim.name, "wait_s", add=hold_s)],
                      change=change)  # fmt: skip


def broker_stumbles(site: Site) -> Fault | None:
    """The broker loses its leader again and again: publishing fails and waits."""
    victim = site.pick("broker")
    if victim is None:
        return None
    presses = [
        site.on_service(victim.name, "error", add=float(site.rng.uniform(0.3, 0.8))),
        site.on_service(victim.name, "wait_s", add=float(site.rng.uniform(0.2, 1.5))),
    ]
    return site.fault("broker_stumbles", victim.name, presses)


MECHANISMS = (stuck_consumer, broker_stumbles)

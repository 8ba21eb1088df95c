"""The network: delay, loss, a severed path, names that do not resolve, certificates that ran out."""

from __future__ import annotations

from streams.simulator.faults.site import Site
from streams.simulator.truth import Fault


def network_delay(site: Site) -> Fault | None:
    """Packets to and from one service take longer; its own work does not."""
    victim = site.pick("service", "database", "cache")
    if victim is None:
        return None
    press = site.on_service(
        victim.name, "net_s", add=float(site.rng.uniform(0.04, 0.5)), ramp_s=site.ramp(0, 20)
    )
    return site.fault("network_delay", victim.name, [press])


def packet_loss(site: Site) -> Fault | None:
    """Packets to and from one service are lost and sent again."""
    victim = site.pick("service", "database")
    if victim is None:
        return None
    press = site.on_service(
        victim.name, "loss", add=float(site.rng.uniform(0.03, 0.25)), ramp_s=site.ramp(0, 20)
    )
    return site.fault("packet_loss", victim.name, [press])


def severed_path(site: Site) -> Fault | None:
    """A network policy cuts one caller off from one of its callees; everyone else gets through."""
    victim = site.pick("service", where=lambda s: bool(_outgoing(site, s.name)))
    if victim is None:
        return None
    row = int(site.rng.choice(_outgoing(site, victim.name)))
    change = site.blame("config", victim.name, f"{victim.name}: egress policy tightened", share=0.8,
                        key="network.policy.egress")  # fmt: skip
    press = site.press("edge", (row,), "error", add=float(site.rng.uniform(0.5, 1.0)))
    return site.fault("severed_path", victim.name, [press], change=change)


def name_resolution(site: Site) -> Fault | None:
    """The name of one service stops resolving, on and off."""
    victim = site.pick("service", "database", "cache")
    if victim is None:
        return None
    press = site.on_service(
        victim.name, "connection_error", add=float(site.rng.uniform(0.4, 0.95)),
        period_s=float(site.rng.choice([0.0, 90.0, 120.0])), duty=0.6,
    )  # fmt: skip
    return site.fault("name_resolution", victim.name, [press])


def certificate_expired(site: Site) -> Fault | None:
    """From one second to the next nobody trusts a service's certificate."""
    victim = site.pick("service", "external")
    if victim is None:
        return None
    press = site.on_service(victim.name, "connection_error", add=float(site.rng.uniform(0.85, 1.0)))
    return site.fault("certificate_expired", victim.name, [press])


def sidecar_starved(site: Site) -> Fault | None:
    """The proxy beside one service's pods runs out of CPU: all that goes in or out waits, some is refused."""
    victim = site.pick("service", where=lambda s: s.sidecar)
    if victim is None:
        return None
    change = site.blame("config", victim.name, f"{victim.name}: proxy resources set", share=0.5,
                        key="proxy.resources")  # fmt: skip
    ramp_s = site.ramp(0, 120)
    presses = [
        site.on_service(victim.name, "net_s", add=float(site.rng.uniform(0.03, 0.4)), ramp_s=ramp_s),
        site.on_service(
            victim.name, "connection_error", add=float(site.rng.uniform(0.0, 0.15)), ramp_s=ramp_s
        ),
    ]
    return site.fault("sidecar_starved", victim.name, presses, change=change)


def _outgoing(site: Site, caller: str) -> tuple[int, ...]:
    rows = site.edges(caller=caller, where=lambda e: e.critical > 0.5 and e.topic is None)
    return tuple(r for r in rows if site.edge_rate(r) > 1.0)


MECHANISMS = (network_delay, packet_loss, severed_path, name_resolution, certificate_expired, sidecar_starved)

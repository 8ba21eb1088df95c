"""CPU: dearer requests, less of it granted, or a neighbour that takes it."""

from __future__ import annotations

from streams.simulator.faults.site import Site
from streams.simulator.truth import Fault


def cpu_saturation(site: Site) -> Fault | None:
    """Requests become dearer until the CPU cannot keep up: a backtracking pattern, a hot loop."""
    victim = site.pick("service")
    if victim is None:
        return None
    change = site.blame("config", victim.name, f"{victim.name}: validation rule updated", share=0.5,
                        key="validation.pattern")  # fmt: skip
    factor = site.overload(victim)
    ramp = site.ramp(30, 300)
    press = site.on_service(victim.name, "demand", factor=factor, ramp_s=ramp)
    return site.fault("cpu_saturation", victim.name, [press], change=change)


def cpu_throttling(site: Site) -> Fault | None:
    """A lowered CPU limit makes the scheduler withhold what the service needs."""
    victim = site.pick("service")
    if victim is None:
        return None
    change = site.blame("config", victim.name, f"{victim.name}: resources.limits.cpu lowered", share=0.8,
                        key="resources.limits.cpu")  # fmt: skip
    share = site.utilisation(victim) / float(site.rng.uniform(1.0, 1.4))
    press = site.press("instance", site.instances(victim.name), "cores", factor=share)
    return site.fault("cpu_throttling", victim.name, [press], change=change)


def noisy_neighbour(site: Site) -> Fault | None:
    """One service burns CPU of its own accord and starves the pods that share its machines."""
    hog = site.pick("service", where=lambda s: s.instances >= 2 and s.monitored)
    if hog is None:
        return None
    rows = site.instances(hog.name)
    cores = site.system.machine_cores
    machines = {int(site.state.instance["machine"][row]) for row in rows}
    change = site.blame("flag", hog.name, f"flag rebuild-index: on for {hog.name}", share=0.4,
                        flag="rebuild-index")  # fmt: skip
    presses = [
        site.press("instance", rows, "cores", factor=cores / hog.cores, ramp_s=20.0),
        site.press("instance", rows, "bg_cores", add=0.8 * cores, ramp_s=20.0),
        # Many runnable threads: the scheduler gives the neighbours only their share among them.
        site.press("machine", sorted(machines), "busy", add=float(site.rng.uniform(1.2, 2.5)) * cores),
    ]
    return site.fault("noisy_neighbour", hog.name, presses, change=change)


def slow_instance(site: Site) -> Fault | None:
    """One instance of several is slow: a grey failure that averages hide."""
    victim = site.pick("service", where=lambda s: s.instances >= 2)
    if victim is None:
        return None
    row = int(site.rng.choice(site.instances(victim.name)))
    share = site.utilisation(victim) / float(site.rng.uniform(1.0, 1.3))
    press = site.press("instance", (row,), "cores", factor=share, ramp_s=site.ramp(0, 60))
    return site.fault("slow_instance", victim.name, [press])


MECHANISMS = (cpu_saturation, cpu_throttling, noisy_neighbour, slow_instance)

"""What can break, by mechanism. Each module holds the mechanisms of one resource."""

from __future__ import annotations

from streams.simulator.faults import (
    blind,
    caches,
    code,
    conjunctions,
    cpu,
    crashes,
    memory,
    messaging,
    network,
    outside,
    pools,
    stores,
)
from streams.simulator.faults.site import Mechanism, Site

MECHANISMS: dict[str, Mechanism] = {
    mechanism.__name__: mechanism
    for module in (
        blind, caches, code, conjunctions, cpu, crashes, memory, messaging, network, outside, pools, stores,
    )
    for mechanism in module.MECHANISMS
}  # fmt: skip

__all__ = ["MECHANISMS", "Mechanism", "Site"]

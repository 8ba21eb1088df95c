"""What presses now: the evidence of the current tick, and how close each service is to waking somebody."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from correlator.evidence_window import Episode
from correlator.grouping import JOIN_AT
from correlator.inference import agreement, demand, time_between
from correlator.memory import Memory
from correlator.opening import (
    RECENT_CHANGE_MS,
    RESTARTS,
    WARM_UP_MS,
    Pressure,
    in_maintenance,
    pressure,
)
from correlator.service_evidence import ServiceEvidence, weigh


def weigh_now(memory: Memory, now_ms: int, episodes: Collection[Episode]) -> dict[str, ServiceEvidence]:
    """Sum up, per service, what episodes say in the tick that ends at `now_ms`, and of its neighbours.

    Reaches back one and a half of the longest sampling interval, so that each series has spoken.
    """
    longest = max((e.anomaly.interval_ms for e in memory.live.values()), default=0)
    from_ms = now_ms - longest * 3 // 2
    evidence = weigh(episodes, from_ms, now_ms, confirmed=True)
    time_between(evidence, from_ms, now_ms)
    agreement(evidence, memory.topology, now_ms)
    demand(evidence, memory.topology, from_ms, now_ms, now_ms)
    for mine in evidence.values():
        mine.settle()
    return evidence


def pressures(memory: Memory, evidence: Mapping[str, ServiceEvidence], now_ms: int) -> dict[str, Pressure]:
    """The pressure of every service with enough evidence to join an incident, maintenance left out."""
    found = {}
    for service in sorted(evidence):
        mine = evidence[service]
        if mine.excess < JOIN_AT:
            continue
        callers = [
            evidence[n.service] for n in memory.topology.callers(service, now_ms) if n.service in evidence
        ]
        changes = [c for c in memory.window.changes.get(service, {}).values() if c.ts_ms <= now_ms]
        if in_maintenance(changes, now_ms):
            continue
        changed = any(now_ms - RECENT_CHANGE_MS <= c.ts_ms for c in changes)
        warming = any(now_ms - WARM_UP_MS <= c.ts_ms and c.kind in RESTARTS for c in changes)
        leaking = mine.climbs and memory.topology.serves(service)
        found[service] = pressure(mine, callers, changed, warming, service in memory.window.felt, leaking)
    return found

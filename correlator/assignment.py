"""Which incident fresh evidence belongs to: an open one, a new one, or two that turn out to be one."""

from __future__ import annotations

from correlator.evidence_window import COARSE_MS
from correlator.grouping import JOIN_AT, OpenIncident, connected, surroundings
from correlator.incident import incident_id
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
from correlator.topology import Topology

YOUNG_MS = 3_600_000
"""Crowds, jobs and sessions come and go within an hour; a younger baseline has not met them."""
YOUNG_CAUTION = 0.7
"""A new domain needs 1.7 times the evidence. Tried .5, .7, 1, 1.2 on simulated shops, with a fault or none
in their first half hour: from .7 on no fault was lost and most false openings were gone."""


def assign(memory: Memory, now_ms: int, open_at: float) -> set[str]:
    """Give every service under pressure to an incident, opening what must be opened.

    Parameters
    ----------
    memory : Memory
        Changed in place.
    now_ms : int
        End of the tick.
    open_at : float
        V at which an incident opens in a domain that is not young.

    Returns
    -------
    set of str
        Ids of incidents that something joined.
    """
    evidence = _weigh_now(memory, now_ms)
    pressures = _pressures(memory, evidence, now_ms)
    touched: set[str] = set()
    topology = memory.topology
    waiting = sorted(pressures.values(), key=lambda p: (-p.value, p.service))
    threshold = open_at * _caution(memory, now_ms)
    for state in memory.in_order():
        grows = state.grows(now_ms)
        if not grows and not (state.burns(now_ms) and state.top):
            continue
        reached = connected(state.top, topology, now_ms) if state.top else set()
        near = surroundings(state.services, topology, now_ms) | reached if grows else reached
        for p in waiting:
            mine = evidence[p.service]
            if p.value < JOIN_AT or (len(topology) and p.service not in near):
                continue
            if p.value >= threshold and _stands_apart(p, mine, state, reached, topology, now_ms):
                continue
            _join(state, mine, now_ms, touched)
        taken = state.services
        waiting = [p for p in waiting if p.service not in taken]
    while waiting and waiting[0].value >= threshold:
        first = waiting[0]
        opened = _open(memory, evidence[first.service], now_ms)
        if opened is None:
            waiting = waiting[1:]
            continue
        near = surroundings([first.service], topology, now_ms)
        for p in waiting:
            if p.value >= JOIN_AT and (p.service in near or not len(topology)):
                _join(opened, evidence[p.service], now_ms, touched)
        waiting = [p for p in waiting if p.service not in opened.services]
    return touched


APART_MS = 60_000
"""How much later it must have begun to be a matter of its own: a cascade takes seconds a hop."""


def _stands_apart(
    p: Pressure,
    mine: ServiceEvidence,
    state: OpenIncident,
    reached: set[str],
    topology: Topology,
    now_ms: int,
) -> bool:
    """Whether a service near an open incident has a trouble of its own: two faults at once are two incidents.

    It is enough to open an incident, began clearly later, and neither calls what is thought to be the root
    there, over however many services (`reached`), nor is called by it.
    """
    began = mine.onset_ms
    if not p.corroborated or state.top is None or p.service in state.services or not len(topology):
        return False
    if state.interval_ms >= COARSE_MS:
        return False  # what samples of minutes say first is chance
    if began is None or began < state.onset_ms + max(APART_MS, 2 * state.interval_ms):
        return False
    return p.service not in reached and state.top not in connected(p.service, topology, now_ms)


def merge(memory: Memory, now_ms: int) -> list[OpenIncident]:
    """Join incidents of which one's root turns out to reach the other's; the older keeps its id.

    Returns
    -------
    list of OpenIncident
        Those that are no more, each with `merged_into` set.
    """
    growing = [s for s in memory.in_order() if s.grows(now_ms) and s.top]
    gone = []
    for position, older in enumerate(growing):
        for younger in growing[position + 1 :]:
            if older.merged_into or younger.merged_into or not older.top or not younger.top:
                continue
            bridged = older.services & younger.services or (
                younger.top in connected(older.top, memory.topology, now_ms)
                or older.top in connected(younger.top, memory.topology, now_ms)
            )
            if bridged:
                older.services |= younger.services
                older.evidence |= younger.evidence
                older.supersedes += (younger.id,)
                older.last_growth_ms = now_ms
                younger.merged_into = older.id
                gone.append(younger)
    return gone


def _weigh_now(memory: Memory, now_ms: int) -> dict[str, ServiceEvidence]:
    longest = max((e.anomaly.interval_ms for e in memory.live.values()), default=0)
    from_ms = now_ms - longest * 3 // 2
    evidence = weigh(memory.live.values(), from_ms, now_ms, confirmed=True)
    time_between(evidence, from_ms, now_ms)
    agreement(evidence, memory.topology, now_ms)
    demand(evidence, memory.topology, from_ms, now_ms, now_ms)
    for mine in evidence.values():
        mine.settle()
    return evidence


def _pressures(memory: Memory, evidence: dict[str, ServiceEvidence], now_ms: int) -> dict[str, Pressure]:
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
        found[service] = pressure(mine, callers, changed, warming, service in memory.window.felt)
    return found


def _caution(memory: Memory, now_ms: int) -> float:
    """How much more it takes to open while the domain is young: a baseline of minutes knows no tides."""
    age = (now_ms - (memory.born_ms or now_ms)) / YOUNG_MS
    return 1.0 + YOUNG_CAUTION * max(0.0, 1.0 - age)


def _open(memory: Memory, mine: ServiceEvidence, now_ms: int) -> OpenIncident | None:
    strong = [mine.groups[g].episode.anomaly for g in mine.strong_groups]
    earliest = min(strong, key=lambda a: (a.first_ms, a.id))
    name = incident_id(memory.domain, earliest.id)
    if name in memory.incidents:
        return None
    state = OpenIncident(
        id=name,
        opened_ms=now_ms,
        onset_ms=earliest.onset_ms,
        last_growth_ms=now_ms,
        interval_ms=max(a.interval_ms for a in strong),
    )
    memory.incidents[name] = state
    return state


def _join(state: OpenIncident, mine: ServiceEvidence, now_ms: int, touched: set[str]) -> None:
    found = {mine.groups[g].episode.anomaly.id for g in mine.strong_groups}
    if mine.service not in state.services or not found <= state.evidence:
        state.last_growth_ms = now_ms
    state.services.add(mine.service)
    state.evidence |= found
    touched.add(state.id)

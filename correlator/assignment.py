"""Which incident fresh evidence belongs to: an open one, a new one, or two that turn out to be one."""

from __future__ import annotations

from correlator.apart import APART_MS, beside
from correlator.grouping import JOIN_AT, OpenIncident, connected, surroundings
from correlator.incident import incident_id
from correlator.memory import Memory
from correlator.present import pressures, weigh_now
from correlator.service_evidence import ServiceEvidence

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
    evidence = weigh_now(memory, now_ms, memory.live.values())
    touched: set[str] = set()
    topology = memory.topology
    found = pressures(memory, evidence, now_ms)
    waiting = sorted(found.values(), key=lambda p: (-p.value, p.service))
    threshold = open_at * _caution(memory, now_ms)
    left: dict[str, list[OpenIncident]] = {}
    for state in memory.in_order():
        grows = state.grows(now_ms)
        if not grows and not (state.burns(now_ms) and state.top):
            continue
        reached = connected(state.top, topology, now_ms) if state.top else set()
        near = surroundings(state.services, topology, now_ms) | reached if grows else reached
        related = [p for p in waiting if p.value >= JOIN_AT and (p.service in near or not len(topology))]
        apart = beside(memory, state, related, threshold, now_ms)
        for p in related:
            if p.service in apart:
                left.setdefault(p.service, []).append(state)
            else:
                _join(state, evidence[p.service], now_ms, touched)
        taken = state.services - apart
        waiting = [p for p in waiting if p.service not in taken]
    while waiting and waiting[0].value >= threshold:
        first = waiting[0]
        opened = _open(memory, evidence[first.service], now_ms)
        if opened is None:
            waiting = waiting[1:]
            continue
        for state in left.get(first.service, ()):
            opened.apart_from += (state.id,)
            state.services.discard(first.service)
        near = surroundings([first.service], topology, now_ms)
        for p in waiting:
            if p.value >= JOIN_AT and (p.service in near or not len(topology)):
                _join(opened, evidence[p.service], now_ms, touched)
        waiting = [p for p in waiting if p.service not in opened.services]
    return touched


def merge(memory: Memory, now_ms: int) -> list[OpenIncident]:
    """Join incidents of which one's root turns out to reach the other's; the older keeps its id.

    Returns
    -------
    list of OpenIncident
        Those that are no more, each with `merged_into` set.
    """
    growing = [s for s in memory.in_order() if s.grows(now_ms) and s.top]
    reach = {s.id: connected(s.top, memory.topology, now_ms) for s in growing if s.top}
    gone = []
    for position, older in enumerate(growing):
        for younger in growing[position + 1 :]:
            if older.merged_into or younger.merged_into or older.id in younger.apart_from:
                continue
            bridged = younger.top in reach[older.id] or older.top in reach[younger.id]
            # Two troubles may share who suffers; what began together and shares it is taken for one.
            together = abs(younger.onset_ms - older.onset_ms) < max(APART_MS, 2 * older.interval_ms)
            if bridged or (together and older.services & younger.services):
                older.services |= younger.services
                older.evidence |= younger.evidence
                older.supersedes += (younger.id,)
                older.last_growth_ms = now_ms
                younger.merged_into = older.id
                gone.append(younger)
    return gone


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
        others=sum(o.is_open_before(now_ms) for o in memory.incidents.values()),
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

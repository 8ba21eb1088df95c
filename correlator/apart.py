"""Two faults at once, next door: whether a trouble beside an open incident is a matter of its own.

What follows from a root reaches those that call it, and may overload what it calls. What began clearly later
at a service that does not depend on the root, and that the root does not ask more of, follows from something
else, however near in the graph it is. So does what fails before it calls, though it depends on the root, if
none of its calls towards the root deviates.
"""

from __future__ import annotations

from collections.abc import Sequence, Set

from correlator.evidence_window import COARSE_MS
from correlator.grouping import OpenIncident, connected, dependents
from correlator.memory import Memory
from correlator.opening import Pressure
from correlator.present import pressures, weigh_now
from correlator.service_evidence import FLOOR, ServiceEvidence, weigh

APART_MS = 60_000
"""How much later it must have begun to be a matter of its own: a cascade takes seconds a hop."""
KINDS = 2
"""What took part in an incident before must show so many groups: a lone one is its aftermath."""
WAS_ILL = 0.5
"""Part of the threshold from which a service that took part was ill then: more of it is more of the same."""
OWN = frozenset({"err", "lat", "cpu", "sat", "log", "flow"})


def beside(
    memory: Memory, state: OpenIncident, related: Sequence[Pressure], threshold: float, now_ms: int
) -> set[str]:
    """Services of `related` whose trouble is not the open incident's, or is another's that stands beside it.

    Parameters
    ----------
    related : sequence of Pressure
        What is near the incident and strong enough to join it.
    threshold : float
        V at which an incident opens now.
    """
    claimed = {
        service
        for other in memory.incidents.values()
        if state.id in other.apart_from and other.closed_ms is None
        for service in other.services
    }
    if not state.grows(now_ms) or not any(p.value >= threshold for p in related):
        return claimed
    apart = claimed | _of_its_own(memory, state, threshold, now_ms)
    # All that an incident is about cannot be another's.
    return apart - state.services if state.services <= apart else apart


def _of_its_own(memory: Memory, state: OpenIncident, threshold: float, now_ms: int) -> set[str]:
    topology = memory.topology
    if state.top is None or not len(topology) or state.interval_ms >= COARSE_MS:
        return set()  # what samples of minutes say first is chance
    since_ms = state.onset_ms + max(APART_MS, 2 * state.interval_ms)
    fresh = [e for e in memory.live.values() if e.anomaly.onset_ms >= since_ms]
    if not fresh:
        return set()
    evidence = weigh_now(memory, now_ms, fresh)
    suffering = dependents(state.top, topology, now_ms)
    called = connected(state.top, topology, now_ms)
    found = set()
    for service, p in pressures(memory, evidence, now_ms).items():
        mine = evidence[service]
        if not p.corroborated or p.value < threshold or mine.onset_ms is None or mine.onset_ms < since_ms:
            continue
        if service in suffering:
            if _fails_before_it_calls(mine, threshold) and not _sees(memory, service, suffering):
                found.add(service)
            continue
        if service in state.services and (
            len(mine.strong_groups) < KINDS or _was_ill(memory, service, state, since_ms, threshold)
        ):
            continue
        unrelated = service not in called and state.top not in connected(service, topology, now_ms)
        own = _is_its_own(mine) or (service not in memory.window.heard and _is_failed_upon(mine))
        if unrelated or (mine.onset_ms >= state.opened_ms and own):
            found.add(service)
    return found


def _is_its_own(mine: ServiceEvidence) -> bool:
    """Whether a callee of the root is ill by itself, and not of being asked more."""
    return mine.value("load") <= FLOOR and max(mine.own_word(OWN), mine.value("gap")) > FLOOR


def _is_failed_upon(mine: ServiceEvidence) -> bool:
    """Whether calls to a callee without telemetry fail; that they are tried again after that is no reason."""
    err, load = mine.groups.get("err"), mine.groups.get("load")
    if err is None or err.value <= FLOOR:
        return False
    return load is None or load.value <= FLOOR or load.onset_ms > err.onset_ms


def _fails_before_it_calls(mine: ServiceEvidence, threshold: float) -> bool:
    """Whether a service fails and calls somebody less for it, though it is asked as much."""
    starves = mine.value("starves") - FLOOR
    return starves >= threshold and mine.value("err") > FLOOR and mine.value("load") <= FLOOR


def _sees(memory: Memory, service: str, suffering: Set[str]) -> bool:
    """Whether its calls to any of those who suffer fail, wait, or are more: then these may be the reason."""
    return any(
        e.anomaly.service == service
        and e.anomaly.signal.peer in suffering
        and e.anomaly.direction == "up"
        and e.anomaly.score > FLOOR
        for e in memory.live.values()
    )


def _was_ill(memory: Memory, service: str, state: OpenIncident, since_ms: int, threshold: float) -> bool:
    """Whether the service took part in the incident with more than a trace, before it was clearly later."""
    before = [
        episode
        for held in memory.window.episodes.values()
        for episode in held.values()
        if service in (episode.anomaly.service, episode.anomaly.signal.peer)
        and episode.anomaly.onset_ms < since_ms
        and episode.anomaly.ts_ms >= state.onset_ms
    ]
    then = weigh(before, state.onset_ms - 2 * state.interval_ms, since_ms + APART_MS).get(service)
    return then is not None and then.excess >= WAS_ILL * threshold

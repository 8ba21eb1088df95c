"""Demand: what a service does more because more is asked of it is not its fault.

Work grows with load. If the load of the candidate rose to r_l times the usual and its CPU (memory, I/O) to
r_g, the part min(1, (r_l − 1)/(r_g − 1)) of that group is demand, and .85 of it is taken off (utilisation
law, U = X·S); latency and saturation under load are in part the service's own business: .6. Where r times
the usual requests enter the system, before anything fails or more than 4 times, and at a service that nobody
calls, half of 1 − 1.5/r of all trouble below it is their doing, and the entry is not excused by them: it is
the root. If the load fell while nothing of it is slow or failing, the candidate is starved by whoever calls
it, and half of V goes.
"""

from __future__ import annotations

from typing import NamedTuple

from correlator.evidence_window import CLEARLY_MS
from correlator.factors.term import Candidate, Term
from correlator.inference import RETRIED
from correlator.scene import Scene, once
from correlator.service_evidence import FLOOR, ServiceEvidence
from correlator.significance import ratio
from detectors.anomaly import Family

NAME = "traffic"
SHARE = {"cpu": 0.85, "mem": 0.6, "io": 0.85, "lat": 0.6, "gap": 0.6, "sat": 0.6, "node": 0.5, "other": 0.5}
STARVED = 0.5
UNTRIED = 1.5
"""What a service stands anyway: it was built for the peak of the day."""
RISEN = 1.15
"""Ratio from which load is said to have risen."""
SURE_SCORE = 3.0
RUSH, RUSH_SCORE = 2.5, 4.0
"""Times the usual, and rarity, from which requests are a rush: a morning or a crawler is less. From 1.8 on,
and whatever its rarity, more faults of 44 simulated systems were mistaken for rushes than rushes found."""
PASSED_ON = 0.5
"""Part of a rush that a service below is thought to get where nothing tells; tried .5, .65, .8."""
HOPS = 4


def overload(risen: float, tried: float = RETRIED) -> float:
    """Share of a trouble of any kind that `risen` times the usual load accounts for."""
    return max(0.0, 1.0 - tried / risen)


class Rise(NamedTuple):
    """A rise of what is asked of a service."""

    times: float = 1.0
    onset_ms: int = 0
    score: float = 0.0


def risen(mine: ServiceEvidence, caller: str | None = None, before_ms: int | None = None) -> Rise:
    """The largest rise of what is asked of a service, by its own account or else by its callers'.

    With `caller`: of what that one asks, by the signals of the way between them. With `before_ms`: of what
    rose by then.
    """
    own, between = [Rise()], [Rise()]
    for episode in mine.episodes.values():
        anomaly = episode.anomaly
        if anomaly.signal.family is not Family.LOAD or anomaly.direction != "up":
            continue
        if anomaly.peak_score < SURE_SCORE or (before_ms is not None and anomaly.onset_ms > before_ms):
            continue
        rise = Rise(ratio(episode), anomaly.onset_ms, anomaly.peak_score)
        if anomaly.signal.peer is None:
            own.append(rise)
        elif anomaly.signal.peer == mine.service and caller in (None, anomaly.service):
            between.append(rise)
    return max(between if caller is not None or len(own) == 1 else own)


def tries(mine: ServiceEvidence, onset_ms: int) -> float:
    """How many times the usual load may be further tries: none of what rose clearly before calls failed."""
    failed = mine.groups.get("err")
    if failed is None or failed.value <= FLOOR or failed.onset_ms >= onset_ms + CLEARLY_MS:
        return UNTRIED
    return RETRIED


def asked_for(mine: ServiceEvidence, rush: float = 1.0) -> float:
    """The part of a service's severity that a rise of its own load explains.

    `rush` is how many times the usual enters where the requests come from.
    """
    load = mine.groups.get("load")
    times = ratio(load.episode) if load is not None and load.episode.anomaly.direction == "up" else 1.0
    if rush > 1.0:
        times = max(times, risen(mine).times)
    least = max(overload(max(times, 1.0)), PASSED_ON * overload(rush, UNTRIED))
    if times < RISEN and least <= 0.0:
        return 0.0
    pushed = 0.0
    for group, value in mine.counted():
        growth = ratio(mine.groups[group].episode) - 1.0
        share = SHARE[group] * min(1.0, (times - 1.0) / growth) if group in SHARE and growth > 0.0 else 0.0
        pushed += value * max(share, least)
    return pushed


@once
def rushes(_: str, scene: Scene) -> dict[str, tuple[str, float]]:
    """By service: where more requests than usual enter that may reach it, and how many times the usual.

    They enter at services that nobody calls. A rush rises by itself: clearly, by much, and before anything
    fails there, for users who try again make more requests, too, if not more than `RETRIED` times as many.
    """
    found: dict[str, tuple[str, float]] = {}
    for entry in sorted(scene.evidence):
        if scene.callers(entry) or not scene.callees(entry):
            continue
        mine = scene.evidence[entry]
        rise = risen(mine)
        rare = rise.times >= RUSH and rise.score >= RUSH_SCORE
        if rise.times <= RETRIED and not (rare and tries(mine, rise.onset_ms) <= UNTRIED):
            continue
        reached, frontier = {entry}, {entry}
        for _hop in range(HOPS):
            frontier = {n.service for service in frontier for n in scene.callees(service)} - reached
            reached |= frontier
        for service in reached:
            if rise.times > found.get(service, ("", 1.0))[1]:
                found[service] = entry, rise.times
    return found


def rush_at(service: str, scene: Scene) -> float:
    """How many times the usual enters at the service itself; 1 where no rush does."""
    entry, times = rushes("", scene).get(service, ("", 1.0))
    return times if entry == service else 1.0


def rushed(caller: str, callee: str, scene: Scene) -> float:
    """Share of a callee's trouble that a rush accounts for, which came through the caller, too."""
    entry, times = rushes("", scene).get(callee, ("", 1.0))
    whole = scene.severity(callee)
    if not entry or whole <= 0.0 or rushes("", scene).get(caller, ("", 1.0))[0] != entry:
        return 0.0
    return min(1.0, asked_for(scene.evidence[callee], times) / whole)


def pushed_by(caller: ServiceEvidence, callee: ServiceEvidence) -> float:
    """Share of a callee's trouble that the caller made by asking more of it than it was asked itself."""
    rise = risen(callee, caller.service)
    asked = risen(caller, before_ms=rise.onset_ms + CLEARLY_MS).times
    return overload(rise.times / asked, tries(callee, rise.onset_ms)) if rise.times > asked else 0.0


def measure(candidate: Candidate, scene: Scene) -> Term | None:
    """Minus what demand explains."""
    mine = scene.evidence.get(candidate.service)
    if mine is None:
        return None
    entry, rush = rushes("", scene).get(candidate.service, ("", 1.0))
    load = mine.groups.get("load")
    ids = (load.episode.anomaly.id,) if load is not None else ()
    if entry == candidate.service:
        return Term(rush, 0.0, lambda: f"{rush:.1f} times the usual requests enter the system here", ids)
    pushed = asked_for(mine, rush)
    if entry and pushed > 0.0:
        return Term(rush, -pushed, lambda: f"{rush:.1f} times the usual requests come in at {entry}", ids)
    if load is None:
        return None
    times = ratio(load.episode)
    if load.episode.anomaly.direction == "up":
        if pushed <= 0.0:
            return None
        return Term(
            times,
            -pushed,
            lambda: f"its load rose to {times:.1f} times the usual: more work is asked of it",
            ids,
        )
    if mine.suffering() > 0 or mine.cause_excess > 0 or mine.excess <= 0:
        return None
    return Term(
        times,
        -STARVED * mine.severity,
        lambda: f"its load fell to {times:.0%} of the usual and nothing of it is slow: its callers stopped",
        ids,
    )

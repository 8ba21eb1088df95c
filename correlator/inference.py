"""What evidence says about neighbours: demand that callers make, time that is lost between two services."""

from __future__ import annotations

import math
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from correlator.evidence_window import CLEARLY_MS, Episode
from correlator.service_evidence import FLOOR, OWN_VOICE, ServiceEvidence, Weight
from correlator.significance import effect, ratio
from correlator.topology import Topology
from detectors.anomaly import Family

BETWEEN = Weight("gap", 1.0, 0.2, True)
"""A caller waits longer for a callee that is not slow itself: the way between them, or its front door."""
STARVES = Weight("starves", 0.9, 0.9, True)
"""A service that is not short of work but passes none on fails before it calls."""
AMPLIFIES = Weight("amplifies", 0.5, 0.5, True)
"""A service that asks more of a callee than it is asked itself: retries, a cold cache, a new setting."""
SEEN = 3.0
"""Weighted score of an edge that is sure to be in trouble."""
ALONE_WORTH = 0.3
"""What a single dissenting caller's view of a much called service is worth."""
CORES = frozenset({"{cpu}", "cores", "core", "1", "m", "s/s"})
"""Units of work of which nobody knows how much there may be."""
UNFELT = 0.4
"""What is left of a processor's work that nobody waits for."""
OWN_ACCOUNT = frozenset({"err", "lat", "stale", "log", "flow"})
"""Groups by which a callee itself says that it is ill. Its connections, work and memory also follow from
callers that wait on the way to it: they do not excuse a caller that sees the same on all its ways out."""
WAITING = ("lat", "gap", "sat")
SERVED = frozenset({Family.LATENCY, Family.OWN_TIME})
DEMAND = frozenset({Family.LOAD, Family.IO})
AMPLIFIED = frozenset({Family.LOAD})
"""More bytes may be the callee's own doing; more requests are not."""
RETRIED = 4.0
"""A call that fails is tried at most so often: a larger rise of the load is no consequence of failures."""
MADE_MORE = 2.0
"""Times what a service is asked, from which what it asks of a callee is its own doing. Tried 1.5, 2, 3 on 268
simulated faults: all give the same first names."""


def time_between(evidence: Mapping[str, ServiceEvidence], from_ms: int, to_ms: int) -> None:
    """Count client latency towards a callee as gap where the callee's own latency does not explain it.

    Client latency = gap + server latency; when the second is ordinary (or unknown, for a callee without
    telemetry), it is the first.
    """
    for mine in evidence.values():
        if _is_slow(mine, from_ms, to_ms):
            continue
        for episode in list(mine.episodes.values()):
            signal = episode.anomaly.signal
            if signal.peer == mine.service and signal.family is Family.CLIENT_LATENCY:
                mine.add(BETWEEN, episode.score_between(from_ms, to_ms) * effect(episode), episode)
        held = mine.groups.get("lat")
        if held is not None and held.episode.anomaly.signal.family is Family.CLIENT_LATENCY:
            del mine.groups["lat"]  # the same waiting; said once


def _is_slow(mine: ServiceEvidence, from_ms: int, to_ms: int) -> bool:
    """Whether the service takes longer by its own account, or by that of its spans."""
    return any(
        episode.anomaly.signal.family in SERVED
        and episode.anomaly.direction == "up"
        and episode.anomaly.signal.peer in (None, mine.service)
        and episode.score_between(from_ms, to_ms) * effect(episode) > FLOOR
        for episode in mine.episodes.values()
    )


def agreement(evidence: dict[str, ServiceEvidence], topology: Topology, at_ms: int) -> None:
    """Share out what edges say between their two ends, by who agrees (Mill's methods).

    For an edge X → Y that deviates, with m of the k callers of Y seeing it (of those whose calls are
    observed: a drawn arrow sees nothing) and n of the l callees of X being seen so: Y's part is
    (w + (1 − w)·m/k) · (1 − .6·n/l), its first factor 1 for k < 2, n/l counted for n ≥ 2. What X sees on
    n ≥ 2 of its l ways out is X's: its waiting counts up to a half more and needs no callee.
    """
    seen_out: dict[str, set[str]] = {}
    for service, mine in evidence.items():
        if mine.own_word(OWN_ACCOUNT) > FLOOR:
            continue  # it is ill itself: what its callers see says nothing about them
        for name in ("gap", "err"):
            if (group := mine.groups.get(name)) is not None:
                for caller, value in group.voices.items():
                    if caller != OWN_VOICE and value > SEEN:
                        seen_out.setdefault(caller, set()).add(service)
    spread = {
        caller: min(1.0, len(out) / max(1, len(topology.callees(caller, at_ms)), len(out)))
        for caller, out in seen_out.items()
        if len(out) >= 2
    }
    for service, mine in evidence.items():
        mine.spread = spread.get(service, 0.0)
        for name in ("out", "latc"):
            if mine.spread > 0.0 and (group := mine.groups.get(name)) is not None:
                group.value *= 1.0 + 0.5 * mine.spread
        if mine.callers:
            known = {n.service for n in topology.callers(service, at_ms) if n.observed} | mine.callers
            _share_out(mine, len(known), spread)


def _share_out(mine: ServiceEvidence, callers: int, spread: dict[str, float]) -> None:
    for group in mine.groups.values():
        seen = {name: v for name, v in group.voices.items() if name != OWN_VOICE}
        if not seen:
            continue
        strongest = max(seen.values())
        agreeing = sum(1 for v in seen.values() if v >= 0.5 * strongest)
        worth = 1.0 if callers < 2 else ALONE_WORTH + (1.0 - ALONE_WORTH) * agreeing / callers
        for name in seen:
            group.voices[name] *= worth * (1.0 - 0.6 * spread.get(name, 0.0))
        group.value = max(group.voices.values())


def unfelt_work(evidence: Mapping[str, ServiceEvidence], felt: AbstractSet[str]) -> None:
    """Discount a processor's work, told in cores, of a service whose users are measured and do not wait.

    A backup, a crawler or a sidecar keeps a processor busy beside others' incidents; where the waiting of a
    service's users is known and ordinary, it ran out of nothing.
    """
    for service, mine in evidence.items():
        group = mine.groups.get("cpu")
        if group is None or service not in felt or group.episode.anomaly.signal.unit not in CORES:
            continue
        if max(mine.value(name) for name in WAITING) <= FLOOR:
            for voice in group.voices:
                group.voices[voice] *= UNFELT
            group.value *= UNFELT


def demand(
    evidence: dict[str, ServiceEvidence], topology: Topology, from_ms: int, to_ms: int, at_ms: int
) -> None:
    """Blame callers for callees that get less, or more, to do than usual while the callers themselves do not.

    Demand is made by callers: its change at a callee is evidence about them, not about it. Of more
    requests those callers are blamed whose calls are seen to rise; where nobody sees them, a callee with
    k callers speaks 1/k for each. Callers whose own demand moved the same way pass it on and are not
    blamed, unless they ask `MADE_MORE` times what they were asked, or it moved clearly later: then they are
    asked again for what failed. What they make of it beyond `RETRIED` times counts up to twice. An entry
    whose users went away, or came, blames nobody.
    """
    moved = {"up": _moved(evidence, "up", from_ms, to_ms), "down": _moved(evidence, "down", from_ms, to_ms)}
    for direction, weight in (("down", STARVES), ("up", AMPLIFIES)):
        for service, move in moved[direction].items():
            callers = [n.service for n in topology.callers(service, at_ms)]
            further_up = {c: moved[direction][c] for c in callers if c in moved[direction]}
            asking: list[str] = []
            if direction == "up":
                # What rose clearly later is asked for by those who try again.
                after_ms = move.onset_ms + CLEARLY_MS
                further_up = {c: other for c, other in further_up.items() if other.onset_ms < after_ms}
                asking = [c for c in callers if c in move.by_caller]
            asked = {c: further_up[c].times if c in further_up else 1.0 for c in asking}
            made = {c: ratio(move.by_caller[c][1]) / asked[c] for c in asking}
            if further_up:
                # Demand moved further up as well: whoever moved it there is to blame, and who made it more.
                asking = [c for c in asking if made[c] >= MADE_MORE]
                if not asking:
                    continue
            for caller in asking or callers:
                held = evidence.get(caller)
                if held is None:
                    held = evidence[caller] = ServiceEvidence(caller)
                if asking:
                    score, episode = move.by_caller[caller]
                    held.add(weight, score * _emphasis(made[caller]), episode)
                else:
                    held.add(weight, move.score / len(callers), move.episode)


def _emphasis(made: float) -> float:
    """1 for up to four times the calls, 2 from sixteen times on."""
    return min(2.0, max(1.0, math.log(max(made, 1.0), RETRIED)))


class Move(NamedTuple):
    """How demand for a service moved."""

    score: float
    episode: Episode
    """The strongest sign of it."""
    onset_ms: int
    """Of the earliest sign."""
    times: float
    """The largest rise that any sign shows."""
    by_caller: dict[str, tuple[float, Episode]]
    """The strongest sign on the way from each caller."""


def _moved(evidence: dict[str, ServiceEvidence], direction: str, from_ms: int, to_ms: int) -> dict[str, Move]:
    """Services whose demand moved in a direction."""
    found: dict[str, Move] = {}
    families = DEMAND if direction == "down" else AMPLIFIED
    for service in sorted(evidence):
        mine = evidence[service]
        if direction == "down" and (mine.suffering() > 0 or mine.cause_excess > 0):
            continue  # it gets less done because it is slow, or busy with something else
        signs = [
            (score, episode.anomaly.id, episode)
            for episode in mine.episodes.values()
            if episode.anomaly.signal.family in families
            and episode.anomaly.direction == direction
            and service == (episode.anomaly.signal.peer or episode.anomaly.service)
            and (score := episode.score_between(from_ms, to_ms)) > FLOOR
        ]
        if not signs:
            continue
        score, _, strongest = max(signs, key=lambda s: s[:2])
        by_caller: dict[str, tuple[float, Episode]] = {}
        for each, _, episode in sorted(signs, key=lambda s: s[:2]):
            if episode.anomaly.signal.peer is not None:
                by_caller[episode.anomaly.service] = each, episode
        onset_ms = min(e.anomaly.onset_ms for _, _, e in signs)
        times = max(1.0, *(ratio(e) for _, _, e in signs))
        found[service] = Move(score, strongest, onset_ms, times, by_caller)
    return found

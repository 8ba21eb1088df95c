"""From an open incident to its next revision: its picture, its ranking, and whether that is news."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple

from correlator.evidence import Change
from correlator.evidence_window import KEEP_CHANGES_MS
from correlator.grouping import OpenIncident, connected, surroundings
from correlator.incident import Incident, incident_id
from correlator.inference import agreement, demand, time_between, unfelt_work
from correlator.memory import Memory
from correlator.publication import compose
from correlator.ranking import rank
from correlator.scene import Scene
from correlator.service_evidence import weigh

FOLLOW_MS = 240_000
"""How long after the opening evidence still shapes the ranking; later it is aftermath."""

MOVED = 0.1
"""Change of confidence that is worth a revision: a number that people act on must be that of the evidence."""


class Part(NamedTuple):
    """Which services an incident's picture is of."""

    reach: set[str] | None
    """What it may be about; None where there is no topology: everything."""
    elsewhere: set[str]
    """What other incidents are about: no root of this one, but maybe the reason for some of its trouble."""

    def holds(self, service: str) -> bool:
        """Whether a service may be a root of the incident, or suffer from it."""
        return (self.reach is None or service in self.reach) and service not in self.elsewhere


def revise(
    memory: Memory, state: OpenIncident, now_ms: int, *, quiet: bool, late: bool, without: Collection[str]
) -> Incident | None:
    """Rank an incident anew; None where that says nothing new.

    Parameters
    ----------
    quiet : bool
        Nothing of it lasts: this revision settles it.
    late : bool
        Late evidence asked for the revision, and is said to have.
    without : collection of str
        Factors left out, for ablation.
    """
    follow_ms = max(FOLLOW_MS, state.interval_ms)
    scene = picture(
        memory,
        state.opened_ms - 2 * state.interval_ms,
        min(now_ms, state.opened_ms + follow_ms),
        now_ms,
        state.onset_ms,
        state.interval_ms,
        part=_own_part(memory, state),
    )
    ranked = rank(scene, without)
    incident = compose(state, scene, ranked, memory.calibration, memory.domain)
    top = incident.hypotheses[0].service if incident.hypotheses else None
    confidence = incident.hypotheses[0].confidence if incident.hypotheses else 0.0
    said = f"{top}|{sorted(state.services)}|{incident.abstention}|{incident.is_candidate}"
    news = said != state.published or abs(confidence - state.confidence) >= MOVED
    if not quiet and not late and not news:
        return None
    changed = _what_changed(state, top, confidence, late)
    if state.merged_into is not None:
        changed = f"merged into {state.merged_into}"
    state.flips += state.top is not None and top != state.top
    state.published, state.top, state.confidence = said, top, confidence
    memory.remember(state, now_ms)
    state.was_candidate = incident.is_candidate
    state.revision += 1
    if quiet and state.closed_ms is None:
        state.closed_ms = now_ms
    return incident.model_copy(
        update={
            "revision": state.revision,
            "status": "open" if state.closed_ms is None else "closed",
            "settled": state.closed_ms is not None,
            "closed_ms": state.closed_ms,
            "what_changed": changed,
        }
    )


def rank_told(memory: Memory, start_ms: int, without: Collection[str]) -> Incident:
    """Rank causes for a fault that is *told* to have started at `start_ms`, without detecting it."""
    live = [e.anomaly.interval_ms for mine in memory.window.episodes.values() for e in mine.values()]
    interval_ms = sorted(live)[len(live) // 2] if live else 60_000
    now_ms = memory.watermark_ms if memory.watermark_ms is not None else start_ms
    to_ms = start_ms + max(FOLLOW_MS, interval_ms) + interval_ms // 2
    scene = picture(memory, start_ms, to_ms, max(now_ms, start_ms), start_ms, interval_ms, start_ms)
    ranked = rank(scene, without)
    state = OpenIncident(
        incident_id(memory.domain, f"told\x1f{start_ms}"), start_ms, start_ms, start_ms, interval_ms
    )
    state.services = set(scene.ill) or {"?"}
    return compose(state, scene, ranked, memory.calibration, memory.domain)


def concern(memory: Memory, state: OpenIncident, late: Mapping[str, int]) -> bool:
    """Whether late evidence concerns an incident: near it in the graph, and within its time.

    `late` maps services to the event time of what came late; those concerned join the incident.
    """
    if not late:
        return False
    near = _reach(memory, state)
    until = state.closed_ms if state.closed_ms is not None else state.last_growth_ms + state.growth_ms
    concerned = {
        service
        for service, at in late.items()
        if (near is None or service in near) and state.onset_ms - state.growth_ms <= at <= until
    }
    state.services |= concerned & memory.window.episodes.keys()
    return bool(concerned)


def picture(
    memory: Memory,
    from_ms: int,
    to_ms: int,
    now_ms: int,
    onset_ms: int,
    interval_ms: int,
    news_from_ms: int | None = None,
    part: Part | None = None,
) -> Scene:
    """The scene that is ranked: evidence of [from_ms, to_ms], changes and alerts up to `now_ms`.

    `news_from_ms` discounts what was there before; `part` tells which services are in the picture.
    """
    episodes = (
        e
        for held in memory.window.episodes.values()
        for e in held.values()
        if e.anomaly.ts_ms >= from_ms and e.anomaly.first_ms <= to_ms
    )
    evidence = weigh(episodes, from_ms, to_ms, news_from_ms)
    time_between(evidence, from_ms, to_ms)
    agreement(evidence, memory.topology, onset_ms)
    demand(evidence, memory.topology, from_ms, to_ms, onset_ms)
    unfelt_work(evidence, memory.window.felt)
    for mine in evidence.values():
        mine.settle()
    elsewhere = {}
    if part is not None:
        elsewhere = {service: mine for service, mine in evidence.items() if service in part.elsewhere}
        evidence = {service: mine for service, mine in evidence.items() if part.holds(service)}
    changes: dict[str, list[Change]] = {}
    for change in memory.window.changes_between(onset_ms - KEEP_CHANGES_MS, now_ms):
        changes.setdefault(change.service, []).append(change)
    alerts = [a for a in memory.window.alerts.values() if from_ms <= a.ts_ms <= now_ms]
    return Scene(
        now_ms,
        onset_ms,
        interval_ms,
        evidence,
        memory.topology,
        changes,
        alerts,
        memory.past,
        memory.window.heard,
        elsewhere,
    )


def _reach(memory: Memory, state: OpenIncident) -> set[str] | None:
    """The services that an incident may be about; None without any topology: all of them."""
    if not len(memory.topology):
        return None
    near = surroundings(state.services, memory.topology, state.onset_ms)
    return near | connected(state.top, memory.topology, state.onset_ms) if state.top else near


def _own_part(memory: Memory, state: OpenIncident) -> Part:
    near = _reach(memory, state)
    until = state.closed_ms or state.last_growth_ms + state.growth_ms
    others = {
        service
        for other in memory.incidents.values()
        if other.id != state.id
        and other.merged_into != state.id
        and other.opened_ms <= until
        and (other.closed_ms is None or other.closed_ms >= state.onset_ms)
        for service in other.services
    } - state.services
    return Part(near, others)


def _what_changed(state: OpenIncident, top: str | None, confidence: float, late: bool) -> str:
    if state.revision == 0:
        return ""
    parts = []
    if late:
        parts.append("late evidence arrived")
    if top != state.top:
        parts.append(f"the first hypothesis is now {top}, it was {state.top}")
    if top == state.top and abs(confidence - state.confidence) >= MOVED:
        parts.append(f"confidence is now {confidence:.0%}, it was {state.confidence:.0%}")
    return "; ".join(parts)

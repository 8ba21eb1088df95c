"""The correlator of one domain: evidence in, incident revisions out, by event time alone."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass

from correlator.confidence import Calibration
from correlator.evidence import Change, EvidenceItem, Progress, Verdict
from correlator.evidence_window import KEEP_CHANGES_MS, Episode, EvidenceWindow
from correlator.grouping import JOIN_AT, OpenIncident, burning, connected, surroundings
from correlator.incident import Incident, incident_id
from correlator.inference import agreement, demand, time_between
from correlator.opening import (
    OPEN_AT,
    RECENT_CHANGE_MS,
    RESTARTS,
    WARM_UP_MS,
    Pressure,
    in_maintenance,
    pressure,
)
from correlator.publication import compose
from correlator.ranking import rank
from correlator.scene import Past, Scene
from correlator.service_evidence import ServiceEvidence, weigh
from correlator.topology import Topology

FOLLOW_MS = 240_000
"""How long after the opening evidence still shapes the ranking; later it is aftermath."""
YOUNG_MS = 3_600_000
"""Crowds, jobs and sessions come and go within an hour; a younger baseline has not met them."""
YOUNG_CAUTION = 0.7
"""A new domain needs 1.7 times the evidence. Tried .5, .7, 1, 1.2 on simulated shops, with a fault or none
in their first half hour: from .7 on no fault was lost and most false openings were gone."""
KEEP_INCIDENTS_MS = 3 * 3_600_000
"""Closed incidents stay revisable as long as their evidence."""
EVICT_EVERY_MS = 300_000


@dataclass(frozen=True, slots=True)
class EngineConfig:
    """Durations in seconds; the thresholds are derived from the alert budget, not set here."""

    tick_ms: int = 15_000
    """Incidents are looked at once per tick of event time, however progress arrives."""
    open_at: float = OPEN_AT
    """V at which an incident opens."""
    without: frozenset[str] = frozenset()
    """Factors left out, for ablation."""


class Engine:
    """Holds what is believed about one domain and turns it into incidents.

    The same evidence in the same order gives the same revisions, byte for byte. There is no clock in here:
    event time moves by `Progress` items only, and evidence is applied in (event time, id) order behind it.
    """

    def __init__(self, domain: str, config: EngineConfig | None = None) -> None:
        self.domain = domain
        self.config = config or EngineConfig()
        self.topology = Topology()
        self.window = EvidenceWindow()
        self.past = Past()
        self.calibration = Calibration()
        self.incidents: dict[str, OpenIncident] = {}
        self.watermark_ms: int | None = None
        self.born_ms: int | None = None
        """Where event time stood at the first progress: the baselines rest on nothing older."""
        self._sources: dict[str, int] = {}
        self._pending: list[tuple[int, str, int, EvidenceItem]] = []
        self._arrivals = 0
        self._live: dict[str, Episode] = {}
        self._evicted_ms = 0

    def apply(self, item: EvidenceItem) -> list[Incident]:
        """Take one item; a `Progress` that moves the watermark returns the revisions it brings about."""
        if item.type != "progress":
            at, key = _order(item)
            self._arrivals += 1
            heapq.heappush(self._pending, (at, key, self._arrivals, item))
            return []
        return self._progress(item)

    def _progress(self, item: Progress) -> list[Incident]:
        self._sources[item.source] = max(item.watermark_ms, self._sources.get(item.source, item.watermark_ms))
        if len(self._sources) < item.sources:
            return []
        lowest = min(self._sources.values())
        if self.watermark_ms is not None and lowest <= self.watermark_ms:
            return []
        return self._advance(lowest)

    def _advance(self, to_ms: int) -> list[Incident]:
        """Close every tick up to `to_ms`; ticks in which nothing can happen are stepped over."""
        tick = self.config.tick_ms
        published: list[Incident] = []
        start = self.watermark_ms
        if start is None:
            self.born_ms = to_ms
            start = (min(self._pending[0][0], to_ms) if self._pending else to_ms) // tick * tick - tick
        end = start // tick * tick + tick
        while end <= to_ms:
            before = len(self._pending)
            late = self._take_until(end, start)
            fresh = len(self._pending) < before
            if fresh or any(i.closed_ms is None for i in self.incidents.values()):
                published += self._evaluate(end, late, fresh)
            elif self._pending and self._pending[0][0] > end:
                end = max(end, min(self._pending[0][0] - 1, to_ms) // tick * tick)
            elif not self._pending:
                end = max(end, to_ms // tick * tick)
            start = end
            end += tick
        self.watermark_ms = to_ms
        return published

    def _take_until(self, end_ms: int, watermark_ms: int) -> dict[str, int]:
        """Apply what is due, in (event time, id) order; returns what came late as service → event time."""
        late: dict[str, int] = {}
        while self._pending and self._pending[0][0] <= end_ms:
            at, _, _, item = heapq.heappop(self._pending)
            if at <= watermark_ms and self.watermark_ms is not None and at <= self.watermark_ms:
                for service in _touched_by(item):
                    late[service] = min(at, late.get(service, at))
            match item.type:
                case "anomaly":
                    episode = self.window.add_anomaly(item)
                    if episode is not None:
                        self._live[item.id] = episode
                case "change":
                    self.window.add_change(item)
                case "edge":
                    self.topology.apply(item, max(at, self.watermark_ms or at))
                case "alert":
                    self.window.alerts[item.id] = item
                case "verdict":
                    self._learn(item)
                case _:
                    pass
        return late

    def _learn(self, verdict: Verdict) -> None:
        state = self.incidents.get(verdict.incident_id)
        if state is None or state.top is None:
            return
        counts = self.past.named_right if verdict.right else self.past.named_wrong
        counts[state.top] = counts.get(state.top, 0) + 1
        self.calibration.labels += 1

    # -- one tick -------------------------------------------------------------------------------------

    def _evaluate(self, now_ms: int, late: dict[str, int], fresh: bool) -> list[Incident]:
        if now_ms - self._evicted_ms >= EVICT_EVERY_MS:
            self._evict(now_ms)
        touched: set[str] = set()
        if fresh:  # without fresh evidence pressure only falls: nothing can open or grow
            self._live = {k: e for k, e in self._live.items() if _live(e, now_ms)}
            evidence = self._weigh_now(now_ms)
            touched = self._assign(self._pressures(evidence, now_ms), evidence, now_ms)
        published = []
        for gone in self._merge(now_ms) if touched else ():
            touched.add(gone.merged_into or "")
            if (last := self._revise(gone, now_ms, quiet=True, late=False)) is not None:
                published.append(last)
        for state in sorted(self.incidents.values(), key=lambda s: (s.opened_ms, s.id)):
            revised = self._late_for(state, late)
            if state.merged_into is not None or (state.closed_ms is not None and not revised):
                continue
            live = (e for e in self._live.values() if _live(e, now_ms))
            if state.closed_ms is None and state.top and burning(state, live):
                state.last_burning_ms = now_ms
            quiet = not state.grows(now_ms) and not state.burns(now_ms)
            if state.id not in touched and not quiet and not revised:
                continue
            revision = self._revise(state, now_ms, quiet, late=revised)
            if revision is not None:
                published.append(revision)
        return published

    def _late_for(self, state: OpenIncident, late: dict[str, int]) -> bool:
        """Whether late evidence concerns an incident: near it in the graph, and within its time."""
        if not late:
            return False
        near = self._reach(state)
        until = state.closed_ms if state.closed_ms is not None else state.last_growth_ms + state.growth_ms
        concerned = {
            service
            for service, at in late.items()
            if (near is None or service in near) and state.onset_ms - state.growth_ms <= at <= until
        }
        state.services |= concerned & self.window.episodes.keys()
        return bool(concerned)

    def _reach(self, state: OpenIncident) -> set[str] | None:
        """The services that an incident may be about; None without any topology: all of them."""
        if not len(self.topology):
            return None
        near = surroundings(state.services, self.topology, state.onset_ms)
        return near | connected(state.top, self.topology, state.onset_ms) if state.top else near

    def _weigh_now(self, now_ms: int) -> dict[str, ServiceEvidence]:
        longest = max((e.anomaly.interval_ms for e in self._live.values()), default=0)
        from_ms = now_ms - longest * 3 // 2
        evidence = weigh(self._live.values(), from_ms, now_ms, confirmed=True)
        time_between(evidence, from_ms, now_ms)
        agreement(evidence, self.topology, now_ms)
        demand(evidence, self.topology, from_ms, now_ms, now_ms)
        return evidence

    def _pressures(self, evidence: dict[str, ServiceEvidence], now_ms: int) -> dict[str, Pressure]:
        found = {}
        for service in sorted(evidence):
            mine = evidence[service]
            if mine.excess < JOIN_AT:
                continue
            callers = [
                evidence[n.service] for n in self.topology.callers(service, now_ms) if n.service in evidence
            ]
            changes = [c for c in self.window.changes.get(service, {}).values() if c.ts_ms <= now_ms]
            if in_maintenance(changes, now_ms):
                continue
            changed = any(now_ms - RECENT_CHANGE_MS <= c.ts_ms for c in changes)
            warming = any(now_ms - WARM_UP_MS <= c.ts_ms and c.kind in RESTARTS for c in changes)
            found[service] = pressure(mine, callers, changed, warming, service in self.window.felt)
        return found

    def _assign(
        self, pressures: dict[str, Pressure], evidence: dict[str, ServiceEvidence], now_ms: int
    ) -> set[str]:
        """Give every pressed service to an incident, opening what must be opened; returns touched ids."""
        touched: set[str] = set()
        waiting = sorted(pressures.values(), key=lambda p: (-p.value, p.service))
        for state in sorted(self.incidents.values(), key=lambda s: (s.opened_ms, s.id)):
            if state.grows(now_ms):
                near = surroundings(state.services, self.topology, now_ms)
                near |= connected(state.top, self.topology, now_ms) if state.top else set()
            elif state.burns(now_ms) and state.top:
                near = connected(state.top, self.topology, now_ms)
            else:
                continue
            for p in waiting:
                if p.value >= JOIN_AT and (p.service in near or not len(self.topology)):
                    self._join(state, evidence[p.service], now_ms, touched)
            taken = state.services
            waiting = [p for p in waiting if p.service not in taken]
        threshold = self.config.open_at * self._caution(now_ms)
        while waiting and waiting[0].value >= threshold:
            first = waiting[0]
            opened = self._open(evidence[first.service], now_ms)
            if opened is None:
                waiting = waiting[1:]
                continue
            near = surroundings([first.service], self.topology, now_ms)
            for p in waiting:
                if p.value >= JOIN_AT and (p.service in near or not len(self.topology)):
                    self._join(opened, evidence[p.service], now_ms, touched)
            waiting = [p for p in waiting if p.service not in opened.services]
        return touched

    def _merge(self, now_ms: int) -> list[OpenIncident]:
        """Join incidents of which one's root turns out to reach the other's; the older keeps its id."""
        growing = [s for s in self.incidents.values() if s.grows(now_ms) and s.top]
        growing.sort(key=lambda s: (s.opened_ms, s.id))
        gone = []
        for position, older in enumerate(growing):
            for younger in growing[position + 1 :]:
                if older.merged_into or younger.merged_into or not older.top or not younger.top:
                    continue
                bridged = older.services & younger.services or (
                    younger.top in connected(older.top, self.topology, now_ms)
                    or older.top in connected(younger.top, self.topology, now_ms)
                )
                if bridged:
                    older.services |= younger.services
                    older.evidence |= younger.evidence
                    older.supersedes += (younger.id,)
                    older.last_growth_ms = now_ms
                    younger.merged_into = older.id
                    gone.append(younger)
        return gone

    def _caution(self, now_ms: int) -> float:
        """How much more it takes to open while the domain is young: a baseline of minutes knows no tides."""
        age = (now_ms - (self.born_ms or now_ms)) / YOUNG_MS
        return 1.0 + YOUNG_CAUTION * max(0.0, 1.0 - age)

    def _open(self, mine: ServiceEvidence, now_ms: int) -> OpenIncident | None:
        strong = [mine.groups[g].episode.anomaly for g in mine.strong_groups]
        earliest = min(strong, key=lambda a: (a.first_ms, a.id))
        name = incident_id(self.domain, earliest.id)
        if name in self.incidents:
            return None
        state = OpenIncident(
            id=name,
            opened_ms=now_ms,
            onset_ms=earliest.onset_ms,
            last_growth_ms=now_ms,
            interval_ms=max(a.interval_ms for a in strong),
        )
        self.incidents[name] = state
        return state

    def _join(self, state: OpenIncident, mine: ServiceEvidence, now_ms: int, touched: set[str]) -> None:
        found = {mine.groups[g].episode.anomaly.id for g in mine.strong_groups}
        if mine.service not in state.services or not found <= state.evidence:
            state.last_growth_ms = now_ms
        state.services.add(mine.service)
        state.evidence |= found
        touched.add(state.id)

    # -- revisions ------------------------------------------------------------------------------------

    def _scene(
        self,
        from_ms: int,
        to_ms: int,
        now_ms: int,
        onset_ms: int,
        interval_ms: int,
        news_from_ms: int | None = None,
        within: Callable[[str], bool] | None = None,
    ) -> Scene:
        episodes = (
            e
            for mine in self.window.episodes.values()
            for e in mine.values()
            if e.anomaly.ts_ms >= from_ms and e.anomaly.first_ms <= to_ms
        )
        evidence = weigh(episodes, from_ms, to_ms, news_from_ms)
        time_between(evidence, from_ms, to_ms)
        agreement(evidence, self.topology, onset_ms)
        demand(evidence, self.topology, from_ms, to_ms, onset_ms)
        if within is not None:
            evidence = {service: mine for service, mine in evidence.items() if within(service)}
        changes: dict[str, list[Change]] = {}
        for change in self.window.changes_between(onset_ms - KEEP_CHANGES_MS, now_ms):
            changes.setdefault(change.service, []).append(change)
        alerts = [a for a in self.window.alerts.values() if from_ms <= a.ts_ms <= now_ms]
        return Scene(
            now_ms,
            onset_ms,
            interval_ms,
            evidence,
            self.topology,
            changes,
            alerts,
            self.past,
            self.window.heard,
        )

    def _own_part(self, state: OpenIncident) -> Callable[[str], bool]:
        """Tell which services belong to an incident's picture: within reach, and not another incident's."""
        near = self._reach(state)
        until = state.closed_ms or state.last_growth_ms + state.growth_ms
        others = {
            service
            for other in self.incidents.values()
            if other.id != state.id
            and other.merged_into != state.id
            and other.opened_ms <= until
            and (other.closed_ms is None or other.closed_ms >= state.onset_ms)
            for service in other.services
        } - state.services
        return lambda service: (near is None or service in near) and service not in others

    def _revise(self, state: OpenIncident, now_ms: int, quiet: bool, late: bool) -> Incident | None:
        follow_ms = max(FOLLOW_MS, state.interval_ms)
        scene = self._scene(
            state.opened_ms - 2 * state.interval_ms,
            min(now_ms, state.opened_ms + follow_ms),
            now_ms,
            state.onset_ms,
            state.interval_ms,
            within=self._own_part(state),
        )
        ranked = rank(scene, self.config.without)
        incident = compose(state, scene, ranked, self.calibration, self.domain)
        top = incident.hypotheses[0].service if incident.hypotheses else None
        said = f"{top}|{sorted(state.services)}|{incident.abstention}|{incident.is_candidate}"
        if not quiet and not late and said == state.published:
            return None
        changed = _what_changed(state, top, late)
        if state.merged_into is not None:
            changed = f"merged into {state.merged_into}"
        state.published, state.top = said, top
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

    def rank_at(self, start_ms: int) -> Incident:
        """Rank causes for a fault that is *told* to have started at `start_ms`, without detecting it."""
        live = [e.anomaly.interval_ms for mine in self.window.episodes.values() for e in mine.values()]
        interval_ms = sorted(live)[len(live) // 2] if live else 60_000
        now_ms = self.watermark_ms if self.watermark_ms is not None else start_ms
        to_ms = start_ms + max(FOLLOW_MS, interval_ms) + interval_ms // 2
        scene = self._scene(start_ms, to_ms, max(now_ms, start_ms), start_ms, interval_ms, start_ms)
        ranked = rank(scene, self.config.without)
        state = OpenIncident(
            incident_id(self.domain, f"told\x1f{start_ms}"), start_ms, start_ms, start_ms, interval_ms
        )
        state.services = set(scene.ill) or {"?"}
        return compose(state, scene, ranked, self.calibration, self.domain)

    def _evict(self, now_ms: int) -> None:
        self._evicted_ms = now_ms
        for key in [
            k
            for k, s in self.incidents.items()
            if s.closed_ms is not None and s.closed_ms < now_ms - KEEP_INCIDENTS_MS
        ]:
            del self.incidents[key]
        self.window.evict(now_ms, {s for state in self.incidents.values() for s in state.services})

    def dump(self) -> bytes:
        """Serialise the whole state, versioned; `load(dump())` continues as if never stopped."""
        from correlator.state import dump

        return dump(self)

    @classmethod
    def load(cls, state: bytes, config: EngineConfig | None = None) -> Engine:
        """Restore a state; `ValueError` when damaged or of an unknown version."""
        from correlator.state import load

        return load(cls, state, config)


def _order(item: EvidenceItem) -> tuple[int, str]:
    match item.type:
        case "edge":
            return item.last_seen_ms, f"{item.caller}\x1f{item.callee}\x1f{item.source}"
        case "progress":
            return item.watermark_ms, item.source
        case _:
            return item.ts_ms, item.id


def _touched_by(item: EvidenceItem) -> tuple[str, ...]:
    match item.type:
        case "anomaly":
            peer = item.signal.peer
            return (item.service,) if peer is None else (item.service, peer)
        case "change" | "alert":
            return (item.service,)
        case _:
            return ()


def _live(episode: Episode, now_ms: int) -> bool:
    anomaly = episode.anomaly
    return now_ms - anomaly.ts_ms <= anomaly.interval_ms * 3 // 2


def _what_changed(state: OpenIncident, top: str | None, late: bool) -> str:
    if state.revision == 0:
        return ""
    parts = []
    if late:
        parts.append("late evidence arrived")
    if top != state.top:
        parts.append(f"the first hypothesis is now {top}, it was {state.top}")
    return "; ".join(parts)

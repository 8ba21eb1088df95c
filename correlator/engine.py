"""The correlator of one domain: evidence in, incident revisions out, by event time alone."""

from __future__ import annotations

from dataclasses import dataclass

from correlator.arrivals import Arrivals, touched_by
from correlator.assignment import assign, merge
from correlator.evidence import EvidenceItem
from correlator.grouping import burning
from correlator.incident import Incident
from correlator.memory import Memory, is_live
from correlator.opening import OPEN_AT
from correlator.revision import concern, rank_told, revise


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
        self.memory = Memory(domain)
        self.arrivals = Arrivals()

    def apply(self, item: EvidenceItem) -> list[Incident]:
        """Take one item; a `Progress` that moves the watermark returns the revisions it brings about."""
        if item.type != "progress":
            self.arrivals.add(item)
            return []
        lowest, reached = self.arrivals.promise(item), self.memory.watermark_ms
        if lowest is None or (reached is not None and lowest <= reached):
            return []
        return self._advance(lowest)

    def rank_at(self, start_ms: int) -> Incident:
        """Rank causes for a fault that is *told* to have started at `start_ms`, without detecting it."""
        return rank_told(self.memory, start_ms, self.config.without)

    def _advance(self, to_ms: int) -> list[Incident]:
        """Close every tick up to `to_ms`; ticks in which nothing can happen are stepped over."""
        tick, memory = self.config.tick_ms, self.memory
        published: list[Incident] = []
        next_ms = self.arrivals.next_ms
        start = memory.watermark_ms
        if start is None:
            memory.born_ms = to_ms
            start = (to_ms if next_ms is None else min(next_ms, to_ms)) // tick * tick - tick
        end = start // tick * tick + tick
        while end <= to_ms:
            before = len(self.arrivals.waiting)
            late = self._take_until(end, start)
            fresh = len(self.arrivals.waiting) < before
            next_ms = self.arrivals.next_ms
            if fresh or any(i.closed_ms is None for i in memory.incidents.values()):
                published += self._evaluate(end, late, fresh)
            elif next_ms is None:
                end = max(end, to_ms // tick * tick)
            elif next_ms > end:
                end = max(end, min(next_ms - 1, to_ms) // tick * tick)
            start = end
            end += tick
        memory.watermark_ms = to_ms
        return published

    def _take_until(self, end_ms: int, start_ms: int) -> dict[str, int]:
        """Apply what is due, in (event time, id) order; returns what came late as service → event time."""
        memory, window = self.memory, self.memory.window
        late: dict[str, int] = {}
        for at, item in self.arrivals.due(end_ms):
            if memory.watermark_ms is not None and at <= min(start_ms, memory.watermark_ms):
                for service in touched_by(item):
                    late[service] = min(at, late.get(service, at))
            match item.type:
                case "anomaly":
                    episode = window.add_anomaly(item)
                    if episode is not None:
                        memory.live[item.id] = episode
                case "change":
                    window.add_change(item)
                case "edge":
                    memory.topology.apply(item, max(at, memory.watermark_ms or at))
                case "alert":
                    window.alerts[item.id] = item
                case "verdict":
                    memory.learn(item)
                case _:
                    pass
        return late

    def _evaluate(self, now_ms: int, late: dict[str, int], fresh: bool) -> list[Incident]:
        """One tick: forget, give evidence to incidents, merge, and revise what has news."""
        memory, without = self.memory, self.config.without
        memory.evict(now_ms)
        touched: set[str] = set()
        if fresh:  # without fresh evidence pressure only falls: nothing can open or grow
            memory.live = {k: e for k, e in memory.live.items() if is_live(e, now_ms)}
            touched = assign(memory, now_ms, self.config.open_at)
        published = []
        for gone in merge(memory, now_ms) if touched else ():
            touched.add(gone.merged_into or "")
            last = revise(memory, gone, now_ms, quiet=True, late=False, without=without)
            if last is not None:
                published.append(last)
        for state in memory.in_order():
            revised = concern(memory, state, late)
            if state.merged_into is not None or (state.closed_ms is not None and not revised):
                continue
            live = (e for e in memory.live.values() if is_live(e, now_ms))
            if state.closed_ms is None and state.top and burning(state, live):
                state.last_burning_ms = now_ms
            quiet = not state.grows(now_ms) and not state.burns(now_ms)
            if state.id not in touched and not quiet and not revised:
                continue
            revision = revise(memory, state, now_ms, quiet=quiet, late=revised, without=without)
            if revision is not None:
                published.append(revision)
        return published

    def dump(self) -> bytes:
        """Serialise the whole state, versioned; `load(dump())` continues as if never stopped."""
        from correlator.state import dump

        return dump(self)

    @classmethod
    def load(cls, state: bytes, config: EngineConfig | None = None) -> Engine:
        """Restore a state; `ValueError` when damaged or of an unknown version."""
        from correlator.state import load

        return load(cls, state, config)

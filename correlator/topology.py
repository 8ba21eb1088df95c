"""What depends on what, who says so, and when it held: a temporal graph that forgets nothing silently."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

from correlator.evidence import Edge, EdgeSource
from correlator.schedule import Schedule

HALF_LIFE_MS: dict[EdgeSource, int | None] = {
    EdgeSource.DECLARED: None,
    EdgeSource.OWNERSHIP: None,
    EdgeSource.SPAN: 7 * 86_400_000,
    EdgeSource.SERVICE_GRAPH: 7 * 86_400_000,
    EdgeSource.CLIENT_METRIC: 7 * 86_400_000,
    EdgeSource.FLOW: 86_400_000,
    EdgeSource.INFERRED: 6 * 3_600_000,
}
"""How fast trust in an unseen edge halves. A weekly batch job must survive a week of silence; an address
seen in a flow is reused within a day."""

TRUST: dict[EdgeSource, float] = {
    EdgeSource.DECLARED: 0.9,
    EdgeSource.SPAN: 1.0,
    EdgeSource.SERVICE_GRAPH: 1.0,
    EdgeSource.CLIENT_METRIC: 0.95,
    EdgeSource.FLOW: 0.6,
    EdgeSource.OWNERSHIP: 0.8,
    EdgeSource.INFERRED: 0.4,
}
"""Trust in one fresh statement of a source; declarations rank below observation because diagrams age."""

INSTANTS = 8
"""Instants of which answers are kept; each incident that is open asks about its own onset, and about now."""
BELIEF_FLOOR = 0.2
"""Below it an edge is history: kept, shown, not reasoned with."""
FLOW_CONFIRMATION_MS = 120_000
"""A flow must persist this long: addresses are reused within seconds of a pod's death (coroot#536)."""

EXTERNAL_KINDS = frozenset({"external", "remote", "third_party"})
SERVING_KINDS = frozenset({None, "service"})
"""All else that is stated is a store, a broker or others': the decoders call no service of one's own so."""


@dataclass(frozen=True, slots=True)
class Fact:
    """One source's statement about one edge, with both times: when it holds, and when we believed it."""

    caller: str
    callee: str
    source: EdgeSource
    callee_kind: str | None
    confidence: float
    first_seen_ms: int
    last_seen_ms: int
    valid_from_ms: int | None
    valid_to_ms: int | None
    schedule: str | None
    believed_from_ms: int
    believed_to_ms: int | None = None

    def holds(self, at_ms: int) -> bool:
        """Whether the statement claims the edge at `at_ms` (validity and schedule; not trust)."""
        if self.valid_from_ms is not None and at_ms < self.valid_from_ms:
            return False
        if self.valid_to_ms is not None and at_ms >= self.valid_to_ms:
            return False
        return self.schedule is None or Schedule.parse(self.schedule).holds(at_ms)

    def belief(self, at_ms: int) -> float:
        """Trust in the statement at `at_ms`, 0 to 1, halving with every half-life unseen."""
        bounded = self.schedule is not None or self.valid_from_ms is not None or self.valid_to_ms is not None
        if bounded and not self.holds(at_ms):
            return 0.0
        source = self.source
        if source is EdgeSource.FLOW and self.last_seen_ms - self.first_seen_ms < FLOW_CONFIRMATION_MS:
            return 0.0
        trust = TRUST[source] * self.confidence
        half_life_ms = HALF_LIFE_MS[source]
        unseen_ms = at_ms - self.last_seen_ms
        if half_life_ms is None or unseen_ms <= 0:
            return trust
        return float(trust * 0.5 ** (unseen_ms / half_life_ms))


UNSEEN = frozenset({EdgeSource.DECLARED, EdgeSource.INFERRED})


class Neighbour(NamedTuple):
    """An adjacent entity as of a time: who says so and how far it is believed."""

    service: str
    kind: str | None
    sources: tuple[EdgeSource, ...]
    belief: float

    @property
    def declared(self) -> bool:
        """Whether somebody wrote the edge down."""
        return EdgeSource.DECLARED in self.sources

    @property
    def observed(self) -> bool:
        """Whether calls over the edge are seen, not only written down or inferred."""
        return any(source not in UNSEEN for source in self.sources)


class Topology:
    """A temporal multigraph of facts; reads cost O(degree), whatever the size of the graph."""

    def __init__(self) -> None:
        self._out: dict[str, dict[str, list[Fact]]] = {}
        self._in: dict[str, dict[str, list[Fact]]] = {}
        self._kinds: dict[str, str] = {}
        self._edges = 0
        self._asked: dict[int, dict[tuple[bool, str], list[Neighbour]]] = {}
        """Neighbours as of the last instants asked for: one incident asks about its onset at every tick."""

    def __len__(self) -> int:
        return self._edges

    def __contains__(self, service: str) -> bool:
        return service in self._out or service in self._in

    def services(self) -> list[str]:
        """Every entity named by any fact, sorted."""
        return sorted(self._out.keys() | self._in.keys())

    def kind(self, service: str) -> str | None:
        """What the entity is (redis, queue, …), as last stated by a caller of it."""
        return self._kinds.get(service)

    def is_external(self, service: str) -> bool:
        """Whether it is others': a provider, of whom only those who call it can speak."""
        return self._kinds.get(service) in EXTERNAL_KINDS

    def serves(self, service: str) -> bool:
        """Whether it has users of its own, as far as is known; a datastore's suffering is its callers'."""
        return self._kinds.get(service) in SERVING_KINDS

    def apply(self, edge: Edge, believed_ms: int | None = None) -> None:
        """Take a statement: a repeated one is seen again, a different one supersedes the source's former.

        Parameters
        ----------
        edge : Edge
            What a source says.
        believed_ms : int, optional
            When it was learned; `last_seen_ms` by default.
        """
        if edge.caller == edge.callee:
            return
        if edge.schedule is not None:
            Schedule.parse(edge.schedule)
        at = edge.last_seen_ms if believed_ms is None else believed_ms
        facts = self._facts_of(edge.caller, edge.callee)
        self._forget_asked(edge.caller, edge.callee)
        if edge.callee_kind is not None:
            self._kinds[edge.callee] = edge.callee_kind
        terms = (edge.valid_from_ms, edge.valid_to_ms, edge.schedule)
        for position, old in enumerate(facts):
            if old.source is not edge.source or old.believed_to_ms is not None:
                continue
            if (old.valid_from_ms, old.valid_to_ms, old.schedule) == terms:
                facts[position] = replace(
                    old,
                    first_seen_ms=min(old.first_seen_ms, edge.first_seen_ms),
                    last_seen_ms=max(old.last_seen_ms, edge.last_seen_ms),
                    confidence=edge.confidence,
                    callee_kind=edge.callee_kind or old.callee_kind,
                )
                return
            facts[position] = replace(old, believed_to_ms=at)
        facts.append(
            Fact(
                edge.caller,
                edge.callee,
                edge.source,
                edge.callee_kind,
                edge.confidence,
                edge.first_seen_ms,
                edge.last_seen_ms,
                *terms,
                believed_from_ms=at,
            )
        )

    def facts(self, source: EdgeSource | None = None) -> Iterator[Fact]:
        """All facts, superseded ones too, sorted by caller, callee, and age."""
        for caller in sorted(self._out):
            for callee in sorted(self._out[caller]):
                yield from (f for f in self._out[caller][callee] if source in (None, f.source))

    def edges(self, touching: set[str] | None = None) -> Iterator[tuple[str, str, list[Fact]]]:
        """(caller, callee, facts) of every edge ever stated, or of those at some services; sorted."""
        if touching is None:
            keys = [(caller, callee) for caller, callees in self._out.items() for callee in callees]
        else:
            keys = [(s, callee) for s in touching for callee in self._out.get(s, {})]
            keys += [(caller, s) for s in touching for caller in self._in.get(s, {})]
        for caller, callee in sorted(set(keys)):
            yield caller, callee, self._out[caller][callee]

    def calls_of(self, caller: str) -> Iterator[Fact]:
        """All facts about what `caller` calls."""
        for facts in self._out.get(caller, {}).values():
            yield from facts

    def callees(self, service: str, at_ms: int, believed_ms: int | None = None) -> list[Neighbour]:
        """What `service` depended on at `at_ms`, most believed first.

        `believed_ms` asks what was believed then, instead of what is known now.
        """
        if believed_ms is not None:
            return _neighbours(self._out.get(service, {}), at_ms, believed_ms)
        return self._as_of(True, service, at_ms)

    def callers(self, service: str, at_ms: int, believed_ms: int | None = None) -> list[Neighbour]:
        """What depended on `service` at `at_ms`, most believed first."""
        if believed_ms is not None:
            return _neighbours(self._in.get(service, {}), at_ms, believed_ms)
        return self._as_of(False, service, at_ms)

    def edge(self, caller: str, callee: str, at_ms: int) -> Neighbour | None:
        """The edge as of a time, or None where it is not believed."""
        return _neighbour(callee, self._out.get(caller, {}).get(callee, []), at_ms, None)

    def load_facts(self, facts: Iterable[Fact]) -> None:
        """Put facts back as they were dumped."""
        for fact in facts:
            self._facts_of(fact.caller, fact.callee).append(fact)
            self._forget_asked(fact.caller, fact.callee)
            if fact.callee_kind is not None:
                self._kinds[fact.callee] = fact.callee_kind

    def _as_of(self, outward: bool, service: str, at_ms: int) -> list[Neighbour]:
        known = self._asked.get(at_ms)
        if known is None:
            if len(self._asked) >= INSTANTS:
                del self._asked[next(iter(self._asked))]
            known = self._asked[at_ms] = {}
        found = known.get((outward, service))
        if found is None:
            adjacent = (self._out if outward else self._in).get(service, {})
            found = known[outward, service] = _neighbours(adjacent, at_ms, None)
        return list(found)

    def _forget_asked(self, caller: str, callee: str) -> None:
        for known in self._asked.values():
            known.pop((True, caller), None)
            known.pop((False, callee), None)

    def _facts_of(self, caller: str, callee: str) -> list[Fact]:
        """The facts about an edge, one list for both directions."""
        callees = self._out.setdefault(caller, {})
        facts = callees.get(callee)
        if facts is None:
            facts = callees[callee] = self._in.setdefault(callee, {}).setdefault(caller, [])
            self._edges += 1
        return facts


def _neighbours(adjacent: dict[str, list[Fact]], at_ms: int, believed_ms: int | None) -> list[Neighbour]:
    found = [
        neighbour
        for name, facts in adjacent.items()
        if (neighbour := _neighbour(name, facts, at_ms, believed_ms)) is not None
    ]
    if len(found) > 1:
        found.sort(key=lambda n: (-n.belief, n.service))
    return found


def _neighbour(name: str, facts: list[Fact], at_ms: int, believed_ms: int | None) -> Neighbour | None:
    """Combine sources as independent witnesses: 1 − Π(1 − belief); a source that denies weighs too."""
    doubt, sources, kind, denied = 1.0, [], None, False
    for fact in facts:
        if believed_ms is None:
            if fact.believed_to_ms is not None:
                continue
        elif not (
            fact.believed_from_ms <= believed_ms
            and (fact.believed_to_ms is None or believed_ms < fact.believed_to_ms)
        ):
            continue
        belief = fact.belief(at_ms)
        kind = fact.callee_kind or kind
        if belief >= BELIEF_FLOOR:
            doubt *= 1.0 - belief
            sources.append(fact.source)
        elif fact.source is EdgeSource.DECLARED:
            denied = True
    if not sources:
        return None
    believed = (1.0 - doubt) * (0.7 if denied else 1.0)
    said_by = (sources[0],) if len(sources) == 1 else tuple(sorted(set(sources)))
    return Neighbour(name, kind, said_by, believed)

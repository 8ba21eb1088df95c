"""Where sources disagree about the graph: kept, reported, and held against the edge's belief."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from correlator.evidence import EdgeSource
from correlator.topology import Fact, Topology

UNSEEN_MS = 86_400_000
"""A declared edge that a watched caller has not used for a day is worth a question."""
OBSERVED = frozenset({EdgeSource.SPAN, EdgeSource.SERVICE_GRAPH, EdgeSource.CLIENT_METRIC})


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Two statements that cannot both be the whole truth, in one line for a person."""

    caller: str
    callee: str
    kind: str
    """`undeclared`, `unobserved`, `outside_schedule`, `direction`, `callee_kind` or `unconfirmed_flow`."""
    text: str


def contradictions(
    topology: Topology, at_ms: int, services: Iterable[str] | None = None
) -> list[Contradiction]:
    """All contradictions among current facts, or only those that touch `services`. O(facts looked at)."""
    wanted = None if services is None else set(services)
    found: list[Contradiction] = []
    about: dict[str, tuple[bool, bool]] = {}
    for caller, callee, facts in topology.edges(wanted):
        if caller not in about:
            about[caller] = _declares_and_watched(topology, caller, at_ms)
        current = [f for f in facts if f.believed_to_ms is None]
        found += _of_edge(caller, callee, current, at_ms, *about[caller])
        reverse = topology.edge(callee, caller, at_ms)
        if reverse is not None and caller < callee and topology.edge(caller, callee, at_ms) is not None:
            found.append(
                Contradiction(
                    caller,
                    callee,
                    "direction",
                    f"{caller} → {callee} and {callee} → {caller} are both believed "
                    f"({_names(current)} against {', '.join(reverse.sources)})",
                )
            )
    return found


def _declares_and_watched(topology: Topology, caller: str, at_ms: int) -> tuple[bool, bool]:
    """Whether anything the caller calls is declared, and whether anything of it was observed of late."""
    declares = watched = False
    for fact in topology.calls_of(caller):
        if fact.believed_to_ms is None and fact.source is EdgeSource.DECLARED:
            declares = True
        elif fact.source in OBSERVED and fact.last_seen_ms >= at_ms - UNSEEN_MS:
            watched = True
    return declares, watched


def _of_edge(
    caller: str, callee: str, facts: list[Fact], at_ms: int, declares: bool, watched: bool
) -> list[Contradiction]:
    name = f"{caller} → {callee}"
    found = []
    declared = [f for f in facts if f.source is EdgeSource.DECLARED]
    seen = [f for f in facts if f.source in OBSERVED]
    recent = [f for f in seen if f.last_seen_ms >= at_ms - UNSEEN_MS]
    if recent and not declared and declares:
        found.append(Contradiction(caller, callee, "undeclared", f"{name} is observed, but not declared"))
    if declared and not seen and watched:
        text = f"{name} is declared, but never observed although {caller} is watched"
        found.append(Contradiction(caller, callee, "unobserved", text))
    for statement in declared:
        for sight in recent:
            if not statement.holds(sight.last_seen_ms):
                rule = statement.schedule or "its validity"
                found.append(
                    Contradiction(
                        caller,
                        callee,
                        "outside_schedule",
                        f"{name} was observed by {sight.source} outside of what is declared ({rule})",
                    )
                )
    kinds = sorted({f.callee_kind for f in facts if f.callee_kind})
    if len(kinds) > 1:
        found.append(
            Contradiction(caller, callee, "callee_kind", f"{callee} is called {' and '.join(kinds)}")
        )
    if [f.source for f in facts] == [EdgeSource.FLOW] and facts[0].belief(at_ms) == 0.0:
        text = f"{name} rests on one short flow: an address may have been reused"
        found.append(Contradiction(caller, callee, "unconfirmed_flow", text))
    return found


def _names(facts: list[Fact]) -> str:
    return ", ".join(sorted({str(f.source) for f in facts}))

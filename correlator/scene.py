"""What the factors look at: the evidence of one incident, its graph and its changes, at one moment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, wraps
from typing import Any, TypeVar, cast

from correlator.evidence import Alert, Change
from correlator.service_evidence import FLOOR, ServiceEvidence
from correlator.topology import Neighbour, Topology


@dataclass(slots=True)
class Past:
    """What earlier incidents and verdicts say about services."""

    named_right: dict[str, int] = field(default_factory=dict)
    named_wrong: dict[str, int] = field(default_factory=dict)


A = TypeVar("A")
T = TypeVar("T")


@dataclass
class Scene:
    """One incident as evidence; immutable while it is ranked. Adjacency is read once and kept."""

    now_ms: int
    onset_ms: int
    interval_ms: int
    evidence: dict[str, ServiceEvidence]
    topology: Topology
    changes: dict[str, list[Change]]
    """By service, of the last 14 days and not later than now, in order of time."""
    alerts: list[Alert] = field(default_factory=list)
    past: Past = field(default_factory=Past)
    heard: frozenset[str] | set[str] = frozenset()
    """Services that ever deviated in a signal of their own: they have telemetry."""
    elsewhere: dict[str, ServiceEvidence] = field(default_factory=dict)
    """What other incidents are about: no candidates here, but they may explain what is seen here."""
    answers: dict[tuple[str, Any], Any] = field(default_factory=dict)
    """What was asked of the scene before; see `once`."""
    _callees: dict[str, list[Neighbour]] = field(default_factory=dict)
    _callers: dict[str, list[Neighbour]] = field(default_factory=dict)

    def callees(self, service: str) -> list[Neighbour]:
        """What the service depended on when it began."""
        found = self._callees.get(service)
        if found is None:
            found = self._callees[service] = self.topology.callees(service, self.onset_ms)
        return found

    def callers(self, service: str) -> list[Neighbour]:
        """What depended on the service when it began."""
        found = self._callers.get(service)
        if found is None:
            found = self._callers[service] = self.topology.callers(service, self.onset_ms)
        return found

    @cached_property
    def seen(self) -> dict[str, ServiceEvidence]:
        """All evidence, of whichever incident."""
        return {**self.elsewhere, **self.evidence}

    def severity(self, service: str) -> float:
        """V of a service in this scene, 0 where nothing is known."""
        return self._severities.get(service, 0.0)

    @cached_property
    def _severities(self) -> dict[str, float]:
        return {service: mine.severity for service, mine in self.evidence.items()}

    @cached_property
    def total(self) -> float:
        """Sum of V over all services."""
        return sum(e.excess for e in self.evidence.values())

    @cached_property
    def ill(self) -> list[str]:
        """Services with any evidence above the floor, most ill first."""
        found = [(e.excess, s) for s, e in self.evidence.items() if e.excess > 0]
        return [s for _, s in sorted(found, key=lambda p: (-p[0], p[1]))]

    def downstream_of(self, service: str, hops: int = 4) -> dict[str, int]:
        """Ill services that (transitively) depend on `service`, with their distance in hops.

        The walk passes through ill services only: health between two ill ones breaks the chain, save for
        one silent hop (a proxy without telemetry).
        """
        if (kept := self.answers.get(("downstream", (service, hops)))) is not None:
            return cast(dict[str, int], kept)
        reached, frontier = {service: 0}, [service]
        for distance in range(1, hops + 1):
            following: list[str] = []
            for current in frontier:
                for neighbour in self.callers(current):
                    if neighbour.service in reached:
                        continue
                    if self.severity(neighbour.service) > 0:
                        reached[neighbour.service] = distance
                        following.append(neighbour.service)
            frontier = following
        del reached[service]
        self.answers["downstream", (service, hops)] = reached
        return reached


def once(ask: Callable[[A, Scene], T]) -> Callable[[A, Scene], T]:
    """Answer a question about a scene once: a scene does not change while it is ranked and written down."""
    name = f"{ask.__module__}.{ask.__qualname__}"

    @wraps(ask)
    def answer(about: A, scene: Scene) -> T:
        key = name, about
        if key not in scene.answers:
            scene.answers[key] = ask(about, scene)
        return cast(T, scene.answers[key])

    return answer


__all__ = ["FLOOR", "Past", "Scene", "once"]

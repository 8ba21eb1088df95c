"""One measured term of a hypothesis' score."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from correlator.evidence import Change
from correlator.scene import Scene


class Term(NamedTuple):
    """A factor's reading for one candidate. The text is made only for hypotheses that are shown."""

    value: float
    contribution: float
    why: Callable[[], str]
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Candidate:
    """A place where it may have begun."""

    service: str
    change: Change | None = None
    silent: bool = False
    """In the graph, without telemetry of its own."""


class FactorUnit(Protocol):
    """A module with a name and one function; removing it from the list is its ablation."""

    NAME: str

    def measure(self, candidate: Candidate, scene: Scene) -> Term | None:
        """Read the factor for a candidate; None where it has nothing to say."""
        ...

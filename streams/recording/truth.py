"""What is known to be true of a recording; only a scorer may look."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Label:
    """One fault that was put into the recorded system."""

    fault_id: str
    start_ms: int
    end_ms: int | None
    """None: it lasts until the recording ends."""
    root_service: str
    root_change_id: str | None = None
    fault_kind: str = ""
    symptom_service: str | None = None


@dataclass(frozen=True, slots=True)
class Propagation:
    """How one fault spread, where that is known (a simulator knows): each hit service and from where."""

    fault_id: str
    hops: frozenset[tuple[str, str]]
    """(from, to): `to` suffers because `from` does."""
    tellable: bool = True
    """Whether the emitted telemetry tells the root at all; if not, an abstention is the right answer."""


@dataclass(frozen=True, slots=True)
class Ignored:
    """A stretch `[start_ms, end_ms]` in which the labels are known to be incomplete."""

    start_ms: int
    end_ms: int
    why: str = ""

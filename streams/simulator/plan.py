"""What determines a recording, beside the seed."""

from __future__ import annotations

from dataclasses import dataclass, field

from streams.simulator.changes import Change
from streams.simulator.graph import System
from streams.simulator.load import Entry, Surge
from streams.simulator.strain import Press
from streams.simulator.truth import Fault


@dataclass(frozen=True)
class Plan:
    """Everything that determines a recording, beside the seed."""

    name: str
    system: System
    entries: tuple[Entry, ...]
    start_s: float
    end_s: float
    interval_s: float = 15.0
    substeps: int = 3
    changes: tuple[Change, ...] = ()
    faults: tuple[Fault, ...] = ()
    presses: tuple[Press, ...] = ()
    """Disturbances that are no fault: noisy neighbours, crawlers, harmless jobs."""
    surges: tuple[Surge, ...] = ()
    badly_chosen_alerts: float = 0.0
    """Share of the alerts' thresholds that fire on nothing."""
    cold_until_s: float = 0.0
    """Until then nothing is scored: no detector can know the system yet."""
    notes: tuple[str, ...] = ()
    extra: dict[str, object] = field(default_factory=dict)
    """Further keys of `recording.json`."""

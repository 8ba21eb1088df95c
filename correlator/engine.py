"""The correlator of one domain: evidence in, incident revisions out, by event time alone."""

from __future__ import annotations

from dataclasses import dataclass

from correlator.evidence import EvidenceItem
from correlator.incident import Incident


@dataclass(frozen=True, slots=True)
class EngineConfig:
    """Durations in seconds; the thresholds are derived from the alert budget, not set here."""

    tick_ms: int = 15_000
    """Incidents are looked at once per tick of event time, however progress arrives."""


class Engine:
    """Holds what is believed about one domain and turns it into incidents.

    The same evidence in the same order gives the same revisions, byte for byte. There is no clock in here:
    event time moves by `Progress` items only, and evidence is applied in (event time, id) order behind it.
    """

    def __init__(self, domain: str, config: EngineConfig | None = None) -> None:
        self.domain = domain
        self.config = config or EngineConfig()

    def apply(self, item: EvidenceItem) -> list[Incident]:
        """Take one item; a `Progress` that moves the watermark returns the revisions it brings about."""
        raise NotImplementedError

    def rank_at(self, start_ms: int) -> Incident:
        """Rank causes for a fault that is *told* to have started at `start_ms`, without detecting it."""
        raise NotImplementedError

    def dump(self) -> bytes:
        """Serialise the whole state, versioned; `load(dump())` continues as if never stopped."""
        raise NotImplementedError

    @classmethod
    def load(cls, state: bytes, config: EngineConfig | None = None) -> Engine:
        """Restore a state; `ValueError` when damaged or of an unknown version."""
        raise NotImplementedError

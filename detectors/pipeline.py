"""From samples and log lines to anomalies, in event time: the detector of one domain on one partition."""

from __future__ import annotations

from dataclasses import dataclass

from detectors.anomaly import Anomaly
from detectors.telemetry import Catalog, LogBatch, SampleBatch


@dataclass(frozen=True, slots=True)
class DetectorConfig:
    """What a user may set, and nothing else."""

    alert_budget: float = 0.25
    """False episodes per series and week that a user is willing to pay for."""
    tick_ms: int = 15_000
    """Width of a tick. Every tick is closed once, in order, when the watermark passes its end."""
    max_series: int = 1_000_000


@dataclass(frozen=True, slots=True)
class EdgeSeen:
    """An edge that carried samples in a tick (first sight, and again at most every five minutes)."""

    caller: str
    callee: str
    ts_ms: int


@dataclass(frozen=True, slots=True)
class Tick:
    """All that happened in one tick. Anomalies stand in (ts_ms, id) order."""

    end_ms: int
    anomalies: tuple[Anomaly, ...]
    edges: tuple[EdgeSeen, ...]


class Detector:
    """Feeds on telemetry in any batching, speaks in ticks; the same telemetry gives the same ticks.

    Samples are held until the watermark passes the tick they fall into, so neither batch limits nor the
    order of arrival within the watermark's lateness can change what is said.
    """

    def __init__(self, domain: str, config: DetectorConfig | None = None) -> None:
        self.domain = domain
        self.config = config or DetectorConfig()
        self.catalog = Catalog()

    def observe(self, samples: SampleBatch) -> None:
        """Take samples; those of ticks already closed are counted in `late` and otherwise ignored."""
        raise NotImplementedError

    def observe_logs(self, lines: LogBatch) -> None:
        """Take log lines; they become template, novelty and severity series of the same bank."""
        raise NotImplementedError

    def advance(self, watermark_ms: int) -> list[Tick]:
        """Close every tick that ends at or before the watermark; silent ticks are left out."""
        raise NotImplementedError

    def dump(self) -> bytes:
        """Serialise the whole state, versioned; `load(dump())` continues as if never stopped."""
        raise NotImplementedError

    @classmethod
    def load(cls, state: bytes, config: DetectorConfig | None = None) -> Detector:
        """Restore a state.

        Raises
        ------
        ValueError
            The bytes are damaged or of a version that this code cannot read.
        """
        raise NotImplementedError

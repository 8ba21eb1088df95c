"""The anomaly: one episode of deviation of one signal, as it is published and correlated."""

from __future__ import annotations

import hashlib
from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

DETECTOR_VERSION = 6
"""Part of every anomaly id: a change of the detection mathematics is a new version, with new ids."""

AGAINST = "against="
"""Last of a signal's labels where instances of `version` are compared with those of the versions behind it,
at the same time: by a ratio where values vary in proportion, else by a difference."""


class Family(StrEnum):
    """What a metric says about its entity. Causes saturate and err; symptoms wait.

    The correlator weighs evidence by family, never by metric name.
    """

    CPU = "cpu"
    MEMORY = "memory"
    SATURATION = "saturation"
    """Pools, queues, threads, disk fill, throttling, replication lag: a limited resource's use."""
    ERROR = "error"
    """Failures of the entity's own work: error rates, success rates (inverted), restarts."""
    OWN_TIME = "own_time"
    """Server latency less the time spent waiting for callees."""
    GAP = "gap"
    """On an edge: the caller's duration less the callee's (network, queueing, connection pool)."""
    LATENCY = "latency"
    """Server-side latency: what the entity's callers wait for."""
    CLIENT_LATENCY = "client_latency"
    """Latency the entity sees in its callees: points away from the entity."""
    LOAD = "load"
    """Requests, messages, operations per second: demand, not health."""
    IO = "io"
    """Network and disk bytes, operations, system calls."""
    NODE = "node"
    """The machine under the entity; shared by its neighbours."""
    LOG = "log"
    """Log template rates, new templates, severity ratios."""
    FLOW = "flow"
    """A service's lines that stay away while their siblings go on: its code takes another path."""
    STALE = "stale"
    """The signal stopped."""
    FROZEN = "frozen"
    """A value that stands still: nobody measures any more. It says nothing of the entity's health."""
    OTHER = "other"


class Signal(BaseModel):
    """Which measurement deviated."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    source: Literal["metric", "edge", "log"] = Field(description="Kind of telemetry it came from.")
    metric: str = Field(description="Metric name as emitted, or the log template's text.")
    family: Family
    unit: str | None = Field(None, description="UCUM unit of observed and expected, where known.")
    instance: str | None = Field(None, description="Pod, host or process; None when pooled over instances.")
    version: str | None = Field(None, description="service.version of the instance, where known.")
    peer: str | None = Field(None, description="The callee, when the signal describes an edge.")
    labels: str = Field("", description="Remaining attributes, canonical `k=v,k=v`.")


class Anomaly(BaseModel):
    """One episode of deviation of one signal; re-published under the same id as it develops.

    `score` and `peak_score` are -log10 of a tail probability, so that detectors compare: 3 means once in a
    thousand samples of this series' ordinary behaviour.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    type: Literal["anomaly"] = "anomaly"
    id: str = Field(description="hash(domain, service, signal, detector version, first event time).")
    domain: str
    service: str = Field(description="The entity that deviates; the caller, for an edge signal.")
    signal: Signal
    status: Literal["open", "closed"] = "open"
    first_ms: int = Field(description="Event time of the episode's first sample above the evidence floor.")
    onset_ms: int = Field(description="When it began, dated back; never later than first_ms.")
    onset_uncertainty_ms: int = Field(0, ge=0, description="Half-width of the onset's interval.")
    ts_ms: int = Field(description="Event time of the newest sample in this update.")
    interval_ms: int = Field(gt=0, description="The series' sampling interval: how long this update speaks.")
    direction: Literal["up", "down"] = Field(
        description="Of the family's quantity. A success rate is an inverted error: `up` means more failures."
    )
    score: float = Field(
        ge=0,
        description="-log10 tail probability, sustained over the newest samples: before any "
        "family weight; 0 … 14.5. Published from 1.3 on.",
    )
    peak_score: float = Field(ge=0, description="Largest score of the episode so far.")
    observed: float
    expected: float
    scale: float = Field(ge=0, description="Ordinary spread of the signal, in its unit.")
    member: str = Field("level", description="The detector whose score was the largest.")
    sample: tuple[tuple[int, float], ...] = Field(
        (), description="(ts_ms, value) around the onset, newest last."
    )
    exemplar: str | None = Field(None, description="A log line that shows it.")
    load_ratio: float | None = Field(
        None,
        ge=0,
        description="Requests of the same place and time over their median of the last hour, where they are "
        "counted: what rose as they did rose with traffic, what rose alone costs more per request.",
    )


def anomaly_id(domain: str, service: str, signal: Signal, first_ms: int) -> str:
    """Identify an episode by what deviated and when, so that every replay finds the same id.

    Offsets, partitions and batch limits do not enter. 80 bits of SHA-256.
    """
    parts = (
        domain,
        service,
        signal.source,
        signal.metric,
        signal.family,
        signal.instance or "",
        signal.peer or "",
        signal.labels,
        str(DETECTOR_VERSION),
        str(first_ms),
    )
    return "an-" + hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:20]

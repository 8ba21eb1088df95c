"""What the correlator may learn, beside anomalies: changes, edges, alerts, verdicts, progress."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from detectors.anomaly import Anomaly


class _Evidence(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class ChangeKind(StrEnum):
    """What was changed on purpose."""

    DEPLOY = "deploy"
    CONFIG = "config"
    FLAG = "flag"
    SCALE = "scale"
    JOB = "job"
    MIGRATION = "migration"
    OTHER = "other"


class Change(_Evidence):
    """Something an operator, a pipeline or a scheduler did to a service."""

    type: Literal["change"] = "change"
    id: str = Field(description="The producer's id; the same change announced twice has one id.")
    domain: str
    ts_ms: int = Field(description="When it took effect, Unix ms.")
    kind: ChangeKind
    service: str
    summary: str = ""
    version_before: str | None = None
    version_after: str | None = None
    end_ms: int | None = Field(None, description="When it ended, for jobs and maintenance.")
    attributes: dict[str, str] = Field(default_factory=dict)


class EdgeSource(StrEnum):
    """Where the knowledge of an edge comes from, most trusted first."""

    DECLARED = "declared"
    SPAN = "span"
    SERVICE_GRAPH = "service_graph"
    CLIENT_METRIC = "client_metric"
    FLOW = "flow"
    OWNERSHIP = "ownership"
    INFERRED = "inferred"


class Edge(_Evidence):
    """One source's statement that `caller` depends on `callee` during an interval of time."""

    type: Literal["edge"] = "edge"
    domain: str
    caller: str
    callee: str
    source: EdgeSource
    callee_kind: str | None = Field(None, description="service, redis, postgresql, queue, external, node, …")
    confidence: float = Field(1.0, ge=0, le=1)
    first_seen_ms: int
    last_seen_ms: int
    valid_from_ms: int | None = Field(None, description="Declared validity; None is unbounded.")
    valid_to_ms: int | None = None
    schedule: str | None = Field(
        None, description="When it holds, as `[except] DAY[,DAY…] [HH:MM-HH:MM]` in UTC; None is always."
    )


class Alert(_Evidence):
    """An alert that some other system raised. Evidence like any other, and often only a symptom."""

    type: Literal["alert"] = "alert"
    id: str
    domain: str
    ts_ms: int
    service: str
    name: str
    severity: str = "warning"
    status: Literal["firing", "resolved"] = "firing"
    summary: str = ""


class Verdict(_Evidence):
    """An engineer's word on an incident's hypothesis."""

    type: Literal["verdict"] = "verdict"
    id: str
    domain: str
    ts_ms: int
    incident_id: str
    root_service: str | None = Field(None, description="The true root, or None for a false alarm.")
    right: bool = Field(description="Whether the first-ranked hypothesis was right.")
    by: str = ""
    note: str = ""


class Progress(_Evidence):
    """A source partition's promise: nothing with an earlier event time will follow, but late evidence."""

    type: Literal["progress"] = "progress"
    domain: str
    source: str = Field(description="The DETECT partition that promises.")
    sources: int = Field(1, ge=1, description="How many such partitions feed this domain.")
    watermark_ms: int


EvidenceItem = Annotated[Anomaly | Change | Edge | Alert | Verdict | Progress, Field(discriminator="type")]

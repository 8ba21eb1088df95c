"""The incident and its ranked hypotheses, as published in revisions."""

from __future__ import annotations

import hashlib
from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from correlator.evidence import EdgeSource


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class Role(StrEnum):
    """The part a cause plays."""

    ROOT = "root"
    TRIGGER = "trigger"
    CONTRIBUTING = "contributing"


class CauseKind(StrEnum):
    """What a hypothesis blames."""

    SERVICE = "service"
    """The entity itself broke or ran out of something."""
    DEPENDENCY = "dependency"
    """An edge: the network, the pool or the proxy between two entities."""
    CHANGE = "change"
    JOB = "job"
    TRAFFIC = "traffic"
    """Demand rose; nothing is broken but the capacity."""
    EXTERNAL = "external"
    """Outside what is observed."""


class AbstentionType(StrEnum):
    """Why no cause is named."""

    INSUFFICIENT_EVIDENCE = "insufficient_evidence"
    CONFLICTING_SIGNALS = "conflicting_signals"
    NO_TOPOLOGY = "no_topology"
    NOVEL_PATTERN = "novel_pattern"
    NO_FAULT_FOUND = "no_fault_found"


class Abstention(_Frozen):
    """A refusal to name one cause: the reason, the pair that disagrees, the question that would decide."""

    type: AbstentionType
    reason: str
    conflict: tuple[str, str] | None = Field(None, description="Evidence ids that disagree.")
    next_question: str


class Factor(_Frozen):
    """One term of a hypothesis' score, printable on its own."""

    name: str
    value: float = Field(description="The measured quantity, before weighting.")
    contribution: float = Field(description="What it adds to the score; negative speaks against.")
    why: str = Field(description="One line for a person, with numbers and units.")
    evidence: tuple[str, ...] = Field((), description="Ids of anomalies, changes or alerts it rests on.")


class Hop(_Frozen):
    """One step of a causal chain, from the cause's side to the symptom's."""

    source: str = Field(alias="from", serialization_alias="from")
    target: str = Field(alias="to", serialization_alias="to")
    onset_ms: int = Field(description="When the target began to deviate.")
    lag_s: float = Field(description="Target's onset less source's; may be slightly negative.")
    edge_sources: tuple[EdgeSource, ...] = ()
    evidence: tuple[str, ...] = ()

    model_config = ConfigDict(
        frozen=True, extra="ignore", allow_inf_nan=False, populate_by_name=True, serialize_by_alias=True
    )


class Contributor(_Frozen):
    """A further cause that a hypothesis names beside its root."""

    service: str
    role: Role
    kind: CauseKind
    change_id: str | None = None
    why: str = ""


class Hypothesis(_Frozen):
    """A candidate explanation of the incident, scored in factors."""

    service: str = Field(description="The root: the entity where it began.")
    kind: CauseKind
    change_id: str | None = None
    confidence: float = Field(ge=0, le=1, description="Calibrated probability that this root is right.")
    score: float = Field(description="Sum of the factors' contributions.")
    onset_ms: int
    summary: str = Field(description="One line: what happened to the root.")
    others: tuple[Contributor, ...] = Field((), description="Trigger and contributing causes.")
    chain: tuple[Hop, ...] = ()
    factors: tuple[Factor, ...] = ()


class Exoneration(_Frozen):
    """Something one would suspect, and why it is not the cause."""

    service: str
    change_id: str | None = None
    reason: str


class Impact(_Frozen):
    """Who suffers, apart from why."""

    service: str
    user_facing: bool = False
    summary: str
    onset_ms: int


class EvidenceLine(_Frozen):
    """One anomaly, change or alert as the incident cites it."""

    id: str
    service: str
    text: str = Field(description="Observed against expected with unit, or the change's summary.")
    onset_ms: int
    score: float = 0.0


class Incident(_Frozen):
    """One revision of an incident; a later revision replaces an earlier one of the same id."""

    id: str
    domain: str
    revision: int = Field(ge=1)
    status: Literal["open", "closed"] = "open"
    settled: bool = Field(False, description="No further revision follows, but by late evidence.")
    published_ms: int = Field(description="The watermark at which this revision was made.")
    opened_ms: int = Field(description="The watermark at which the first revision was made.")
    onset_ms: int
    closed_ms: int | None = None
    severity: Literal["critical", "high", "warning", "info"]
    title: str = Field(description="What is wrong, in one line.")
    is_candidate: bool = Field(description="Whether a model may be asked about it.")
    services: tuple[str, ...] = Field((), description="Affected entities, most affected first.")
    hypotheses: tuple[Hypothesis, ...] = Field((), description="Ranked, best first.")
    abstention: Abstention | None = None
    calibrated: bool = Field(False, description="False under 30 labelled incidents: confidence is a prior.")
    impact: tuple[Impact, ...] = ()
    exonerated: tuple[Exoneration, ...] = ()
    not_checked: tuple[str, ...] = ()
    conflicts: tuple[str, ...] = Field((), description="Contradictions in topology or signals.")
    discovered: tuple[str, ...] = Field((), description="Edges in the chain that nothing declares, `a → b`.")
    evidence: tuple[EvidenceLine, ...] = ()
    supersedes: tuple[str, ...] = Field((), description="Incidents merged into this one, or split from.")
    what_changed: str = Field("", description="Against the previous revision.")


def incident_id(domain: str, first_anomaly_id: str) -> str:
    """Identify an incident by its earliest anomaly when first published; never recomputed."""
    digest = hashlib.sha256(f"{domain}\x1f{first_anomaly_id}".encode()).hexdigest()
    return "hw-" + digest[:16]

"""The messages that headwater itself publishes; see `topics` for where, keyed how, kept how long.

Rule of change (BACKWARD): add optional fields with defaults; never retype, rename, remove or reuse one.
Readers ignore unknown fields. Anything else is a new `schema` number (or a new CloudEvents type suffix),
with the old golden payload kept in `tests/golden/` and an upcaster beside the model.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from correlator.evidence import EvidenceItem
from correlator.incident import Hop, Impact, Incident


class Message(BaseModel):
    """A versioned JSON document."""

    model_config = ConfigDict(
        frozen=True, extra="ignore", allow_inf_nan=False, populate_by_name=True, serialize_by_alias=True
    )


class EvidenceRecord(Message):
    """All that one source partition found for one domain in one tick, in one record.

    Key: domain. Items stand in (event time, id) order; a `progress` item, if any, stands last.
    """

    schema_version: Literal[1] = Field(1, alias="schema")
    domain: str
    source: str = Field(description="Who says so: a DETECT partition, or `verdicts` for people.")
    tick_ms: int = Field(description="Event time of the tick's end; 0 for records outside a tick.")
    items: tuple[EvidenceItem, ...]


class IncidentRecord(Message):
    """CloudEvents data of `io.headwater.incident.opened|updated|resolved.v1`. Key: incident id."""

    schema_version: Literal[1] = Field(1, alias="schema")
    incident: Incident


class Candidate(Message):
    """A chain that passed the gate, with everything a model may see of it. Key: incident id."""

    schema_version: Literal[1] = Field(1, alias="schema")
    incident_id: str
    revision: int
    domain: str
    digest: str = Field(description="Hash of what the model would see; equal digests get one answer.")
    incident: Incident


class Citation(Message):
    """One sentence of an explanation and the evidence it rests on."""

    text: str
    evidence: tuple[str, ...] = ()


class ModelUse(Message):
    """What asking a model cost; OpenTelemetry GenAI names in comments where they exist."""

    model: str  # gen_ai.response.model
    calls: int = 0
    input_tokens: int = 0  # gen_ai.usage.input_tokens
    output_tokens: int = 0  # gen_ai.usage.output_tokens
    usd: float = 0.0
    duration_s: float = 0.0  # gen_ai.client.operation.duration
    dropped_sentences: int = Field(0, description="Sentences whose citation did not hold.")
    outcome: str = "ok"


class Explanation(Message):
    """Why, in words. Key: incident id. The deterministic one always comes first and stands alone."""

    schema_version: Literal[1] = Field(1, alias="schema")
    incident_id: str
    revision: int
    origin: Literal["deterministic", "model"]
    summary: str
    steps: tuple[Citation, ...] = ()
    next_question: str = ""
    use: ModelUse | None = None


class RootCause(Message):
    """The first-ranked hypothesis, flat, for consumers that want one answer."""

    entity: str
    kind: str
    change_id: str | None = None
    onset_ms: int
    summary: str


class Term(Message):
    """One term of the confidence."""

    name: str
    contribution: float
    why: str


class Confidence(Message):
    """How sure, and from what."""

    probability: float = Field(ge=0, le=1)
    calibrated: bool
    terms: tuple[Term, ...] = ()


class RunnerUp(Message):
    """The next hypothesis and why it stands lower."""

    entity: str
    probability: float
    why_lower: str


class EnrichedAlert(Message):
    """What a person or a tool receives. Key: incident id; a later revision edits an earlier one in place.

    CloudEvents data of `io.headwater.alert.v1`.
    """

    schema_version: Literal[1] = Field(1, alias="schema")
    incident_id: str
    revision: int
    domain: str
    status: Literal["firing", "resolved"]
    verdict: str = Field(description="`likely_cause`, or the abstention's type.")
    severity: str
    title: str
    started_ms: int
    detected_ms: int
    resolved_ms: int | None = None
    root_cause: RootCause | None = None
    confidence: Confidence
    chain: tuple[Hop, ...] = ()
    impact: tuple[Impact, ...] = ()
    runners_up: tuple[RunnerUp, ...] = ()
    speaks_against: tuple[str, ...] = ()
    exonerated: tuple[str, ...] = ()
    conflicts: tuple[str, ...] = ()
    not_checked: tuple[str, ...] = ()
    next_question: str = ""
    explanation: Explanation | None = None
    incident: Incident = Field(description="The revision this alert was made from, for audit.")


class DeadLetter(Message):
    """Headers of a record on `headwater.dlq`; key and value are the original's, byte for byte.

    Of a record of more than 3.9 MB neither is kept; the reason says so, and where it stands.

    Every field is one header, prefixed `headwater-`, UTF-8. The original's headers are kept beside.
    """

    source_topic: str
    source_partition: int
    source_offset: int
    stage: str
    error: str = Field(description="Error class.")
    reason: str = Field(description="What was wrong, with the field; never a secret or the payload itself.")
    code_version: str
    first_seen_ms: int
    source_ts_ms: int = Field(0, description="Time stamp of the original record; 0 where it had none.")
    attempt: int = Field(1, description="1, and one more for each time that it failed after a replay.")

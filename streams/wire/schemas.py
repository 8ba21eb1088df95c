"""Every published message by name: its model, its topic, its JSON Schema."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from streams.wire import topics
from streams.wire.messages import (
    Candidate,
    DeadLetter,
    EnrichedAlert,
    EvidenceRecord,
    Explanation,
    IncidentRecord,
)
from streams.wire.topics import Topic

DIALECT = "https://json-schema.org/draft/2020-12/schema"


@dataclass(frozen=True, slots=True)
class Contract:
    """A message and where it travels."""

    name: str
    """Of the schema's file and of `dataschema` in CloudEvents."""
    model: type[BaseModel]
    topic: Topic


CONTRACTS: tuple[Contract, ...] = (
    Contract("evidence-record", EvidenceRecord, topics.EVIDENCE),
    Contract("incident-record", IncidentRecord, topics.INCIDENTS),
    Contract("candidate", Candidate, topics.CANDIDATES),
    Contract("explanation", Explanation, topics.EXPLANATIONS),
    Contract("enriched-alert", EnrichedAlert, topics.ALERTS),
    Contract("dead-letter", DeadLetter, topics.DLQ),
)


def schema(contract: Contract) -> dict[str, Any]:
    """Describe a message as its readers see it: optional fields may be absent, unknown ones may be there."""
    version = 1 if "schema_version" in contract.model.model_fields else 0
    return {
        "$schema": DIALECT,
        "$id": f"urn:headwater:schema:{contract.name}" + (f":{version}" if version else ""),
        "x-topic": contract.topic.name,
        "x-key": contract.topic.key,
        **contract.model.model_json_schema(by_alias=True, mode="validation"),
    }


def schema_text(contract: Contract) -> str:
    """Spell the schema as it stands in `docs/schemas/`: indented, keys in the models' order."""
    return json.dumps(schema(contract), indent=2, ensure_ascii=False) + "\n"

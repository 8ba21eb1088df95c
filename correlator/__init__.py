"""Correlation: anomalies × changes × topology × event time → incidents and ranked causes. Pure."""

from correlator.engine import Engine, EngineConfig
from correlator.evidence import (
    Alert,
    Change,
    ChangeKind,
    Edge,
    EdgeSource,
    EvidenceItem,
    Progress,
    Verdict,
)
from correlator.incident import Abstention, AbstentionType, Hypothesis, Incident, incident_id

__all__ = [
    "Abstention",
    "AbstentionType",
    "Alert",
    "Change",
    "ChangeKind",
    "Edge",
    "EdgeSource",
    "Engine",
    "EngineConfig",
    "EvidenceItem",
    "Hypothesis",
    "Incident",
    "Progress",
    "Verdict",
    "incident_id",
]

"""Every topic: who writes and reads it, its key, its partition rule, how long it is kept.

Raw topics carry what producers already emit, in their own formats. A raw record is keyed by service
(`service.namespace/service.name`), so that all instances, versions and changes of a service share a
DETECT partition. Everything behind DETECT is keyed by domain or by incident id.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic and its rules."""

    name: str
    role: Literal["raw", "internal", "output"]
    key: str
    carries: str
    cleanup: Literal["delete", "compact", "compact,delete"] = "delete"
    retention_ms: int = DAY_MS
    decoder: str | None = None
    """Default decoder of a raw topic: a signal of OTLP or a name from the decoder table."""
    per_domain: bool = False
    """Partitioned by domain (CORRELATE's width) instead of by service (DETECT's width)."""


RAW: tuple[Topic, ...] = (
    Topic("otlp_metrics", "raw", "service", "OTLP metrics, service graph included", decoder="otlp_metrics"),
    Topic(
        "otlp_logs", "raw", "service", "OTLP logs, Kubernetes events, flag evaluations", decoder="otlp_logs"
    ),
    Topic("otlp_spans", "raw", "service", "OTLP spans", decoder="otlp_spans"),
    Topic("cdevents", "raw", "service", "CDEvents in CloudEvents, both modes", decoder="cdevents"),
    Topic(
        "alertmanager_events", "raw", "any", "Alertmanager event recorder or webhook", decoder="alertmanager"
    ),
    Topic("headwater.metrics", "raw", "service", "native JSON samples", decoder="native_metrics"),
    Topic("headwater.logs", "raw", "service", "native JSON log lines", decoder="native_logs"),
    Topic("headwater.deploys", "raw", "service", "native JSON deploys", decoder="native_changes"),
    Topic(
        "headwater.config-changes",
        "raw",
        "service",
        "native JSON config, flag and job changes",
        decoder="native_changes",
    ),
    Topic("headwater.alerts-in", "raw", "service", "native JSON alerts", decoder="native_alerts"),
    Topic(
        "headwater.topology",
        "raw",
        "caller",
        "declared edges, native JSON",
        cleanup="compact",
        decoder="native_topology",
    ),
)

EVIDENCE = Topic(
    "headwater.evidence", "internal", "domain", "EvidenceRecord", per_domain=True, retention_ms=14 * DAY_MS
)
INCIDENTS = Topic(
    "headwater.incidents",
    "output",
    "incident id",
    "IncidentRecord in CloudEvents",
    cleanup="compact,delete",
    retention_ms=90 * DAY_MS,
    per_domain=True,
)
CANDIDATES = Topic(
    "headwater.candidates", "internal", "incident id", "Candidate", retention_ms=7 * DAY_MS, per_domain=True
)
EXPLANATIONS = Topic(
    "headwater.explanations",
    "internal",
    "incident id",
    "Explanation",
    cleanup="compact,delete",
    retention_ms=90 * DAY_MS,
    per_domain=True,
)
ALERTS = Topic(
    "headwater.alerts",
    "output",
    "incident id",
    "EnrichedAlert in CloudEvents",
    cleanup="compact,delete",
    retention_ms=90 * DAY_MS,
    per_domain=True,
)
DLQ = Topic(
    "headwater.dlq",
    "output",
    "original key",
    "the original bytes; DeadLetter in headers",
    retention_ms=14 * DAY_MS,
)
SNAPSHOTS = Topic(
    "headwater.detect-snapshots",
    "internal",
    "topic partition shard",
    "DETECT state with its source offsets",
    cleanup="compact",
)

INTERNAL: tuple[Topic, ...] = (EVIDENCE, INCIDENTS, CANDIDATES, EXPLANATIONS, ALERTS, DLQ, SNAPSHOTS)
ALL: tuple[Topic, ...] = RAW + INTERNAL

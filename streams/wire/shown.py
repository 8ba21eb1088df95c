"""Telemetry as plain JSON, for people and golden files: what a record became."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from detectors.catalog import Catalog
from detectors.telemetry import Series
from streams.wire.telemetry import DomainTelemetry


def shown(telemetry: Mapping[str, DomainTelemetry], catalogs: Mapping[str, Catalog]) -> dict[str, Any]:
    """Spell telemetry out, domain by domain; what is empty or unknown is left out."""
    return {domain: _domain(found, catalogs[domain]) for domain, found in sorted(telemetry.items())}


def _domain(found: DomainTelemetry, catalog: Catalog) -> dict[str, Any]:
    columns, lines = found.samples, found.logs
    samples = [
        {**_series(catalog[number]), "ts_ms": ts_ms, "value": value}
        for number, ts_ms, value in zip(
            columns.series.tolist(), columns.ts_ms.tolist(), columns.value.tolist(), strict=True
        )
    ]
    logs = [
        _present(
            {"service": service, "instance": instance, "severity": severity, "ts_ms": ts_ms, "body": body}
        )
        for ts_ms, service, instance, severity, body in zip(
            lines.ts_ms, lines.service, lines.instance, lines.severity, lines.body, strict=True
        )
    ]
    items = [_present(item.model_dump(mode="json", exclude={"domain"})) for item in found.items]
    return {name: part for name, part in (("samples", samples), ("logs", logs), ("items", items)) if part}


def _series(series: Series) -> dict[str, Any]:
    return _present({**series._asdict(), "kind": series.kind.value})


def _present(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value not in (None, "", {})}

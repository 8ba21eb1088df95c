"""Feature-flag evaluations (`feature_flag.evaluation` log events): a changed flag is a change.

No provider publishes its changes to Kafka; what applications report when they evaluate a flag is what
there is. A new `feature_flag.version`, or where there is none a new variant, of a key in a service is the
change. Percentage roll-outs show several variants from the start, which is why only a variant that was not
seen lately counts. Source: OpenTelemetry semantic conventions, feature flags in logs.
"""

from __future__ import annotations

import hashlib

from correlator.evidence import Change, ChangeKind
from streams.wire.decoders.resource import Attributes, Resource
from streams.wire.telemetry import TelemetryBuilder

EVENT = "feature_flag.evaluation"
_VARIANT_KEYS = ("feature_flag.result.variant", "feature_flag.variant", "feature_flag.result.value")


def is_evaluation(event_name: str, attributes: Attributes) -> bool:
    """Whether a log record reports the evaluation of a flag (name of 1.33 and before, too)."""
    return event_name in (EVENT, "feature_flag") or attributes.get("event.name") in (EVENT, "feature_flag")


def take(attributes: Attributes, ts_ms: int, resource: Resource, into: TelemetryBuilder) -> int:
    """Note one evaluation; returns 1 if it shows a change, else 0."""
    key = attributes.get("feature_flag.key")
    variant = next((attributes[name] for name in _VARIANT_KEYS if attributes.get(name)), None)
    version = attributes.get("feature_flag.version")
    value = version or variant
    if not key or not value:
        return 0
    subject = f"flag\x1f{resource.domain}\x1f{resource.service}\x1f{key}"
    before = into.state.changed(subject, value, min(ts_ms, into.latest_ms))
    if before is None:
        return 0
    parts = (resource.domain, resource.service, key, before, value, str(ts_ms // 86_400_000))
    extra = {"key": key, "variant": variant, "provider": attributes.get("feature_flag.provider.name")}
    return into.item(
        Change(
            id="flag-" + hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:16],
            domain=resource.domain,
            ts_ms=ts_ms,
            kind=ChangeKind.FLAG,
            service=resource.service,
            summary=f"flag {key}: {before} → {value}",
            version_before=before,
            version_after=value,
            attributes={name: each for name, each in extra.items() if each},
        )
    )

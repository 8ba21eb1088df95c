"""From a detector's ticks to the evidence log, in one place, so that Kafka and `eval` say the same."""

from __future__ import annotations

from collections.abc import Iterable

from correlator.evidence import ChangeKind, Edge, EdgeSource, EvidenceItem, Progress
from detectors.pipeline import Detector, Tick


def event_order(item: EvidenceItem) -> tuple[int, str]:
    """Event time, then id: the order in which evidence is applied behind the watermark."""
    match item.type:
        case "edge":
            return item.last_seen_ms, f"{item.caller}\x1f{item.callee}\x1f{item.source}"
        case "progress":
            return item.watermark_ms, item.source
        case _:
            return item.ts_ms, item.id


def items_of_tick(domain: str, tick: Tick) -> tuple[EvidenceItem, ...]:
    """Everything one tick says, in `event_order`."""
    edges = (
        Edge(
            domain=domain,
            caller=seen.caller,
            callee=seen.callee,
            source=EdgeSource.SERVICE_GRAPH,
            first_seen_ms=seen.ts_ms,
            last_seen_ms=seen.ts_ms,
        )
        for seen in tick.edges
    )
    return tuple(sorted((*tick.anomalies, *edges), key=event_order))


def tell_of_deploys(detector: Detector, items: Iterable[EvidenceItem]) -> None:
    """Let a detector hear of the deploys among what arrived.

    Flags, configuration and more instances of what runs already start no new code.
    """
    for item in items:
        if item.type == "change" and item.kind is ChangeKind.DEPLOY:
            detector.changed(item.service, item.ts_ms)


def progress(domain: str, source: str, watermark_ms: int, *, tick_ms: int, sources: int = 1) -> Progress:
    """Promise that `source` is done with every tick that ended at or before the watermark."""
    return Progress(
        domain=domain, source=source, sources=sources, watermark_ms=watermark_ms // tick_ms * tick_ms
    )

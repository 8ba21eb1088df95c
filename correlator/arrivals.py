"""Event time: evidence waits here until every source has promised that nothing earlier will follow."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, field

from correlator.evidence import EvidenceItem, Progress


@dataclass(slots=True)
class Arrivals:
    """Evidence that is not due yet, in (event time, id) order, and how far each source has come."""

    sources: dict[str, int] = field(default_factory=dict)
    """Source → its watermark, Unix ms."""
    waiting: list[tuple[int, str, int, EvidenceItem]] = field(default_factory=list)
    count: int = 0

    def add(self, item: EvidenceItem) -> None:
        """Keep an item until it is due; equal keys keep the order of arrival."""
        at, key = _order(item)
        self.count += 1
        heapq.heappush(self.waiting, (at, key, self.count, item))

    def promise(self, item: Progress) -> int | None:
        """Take a source's promise; the lowest of all watermarks, or None while a source is unheard."""
        self.sources[item.source] = max(item.watermark_ms, self.sources.get(item.source, item.watermark_ms))
        return None if len(self.sources) < item.sources else min(self.sources.values())

    @property
    def next_ms(self) -> int | None:
        """Event time of what is due first."""
        return self.waiting[0][0] if self.waiting else None

    def due(self, end_ms: int) -> Iterator[tuple[int, EvidenceItem]]:
        """Hand out what is due up to `end_ms`, with its event time."""
        while self.waiting and self.waiting[0][0] <= end_ms:
            at, _, _, item = heapq.heappop(self.waiting)
            yield at, item


def touched_by(item: EvidenceItem) -> tuple[str, ...]:
    """Services that an item speaks of, so far as its coming late may change an incident."""
    match item.type:
        case "anomaly":
            peer = item.signal.peer
            return (item.service,) if peer is None else (item.service, peer)
        case "change" | "alert":
            return (item.service,)
        case _:
            return ()


def _order(item: EvidenceItem) -> tuple[int, str]:
    match item.type:
        case "edge":
            return item.last_seen_ms, f"{item.caller}\x1f{item.callee}\x1f{item.source}"
        case "progress":
            return item.watermark_ms, item.source
        case _:
            return item.ts_ms, item.id

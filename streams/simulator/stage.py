"""The stage on which every named world plays: the shop, a clock, a change log, a live part with a fault."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np

from streams.simulator.changes import Change, ChangeKind, ChangeLog
from streams.simulator.graph import Edge, Service, System
from streams.simulator.plan import Plan
from streams.simulator.shop import ENTRIES, SHOP
from streams.simulator.state import build
from streams.simulator.strain import Press, Where
from streams.simulator.truth import Fault, rows_of

TUESDAY_S = 1_789_430_400.0
"""2026-09-15 00:00 UTC."""
HOUR_S = 3600.0
DAY_S = 86_400.0
LIVE_S = 25 * 60.0
QUIET_S = 6 * 60.0
"""Healthy minutes between the start of the live part and the fault."""
INNOCENT_DAYS = 3.0
"""So many days of ordinary changes stand before the recording."""


@dataclass(frozen=True)
class Options:
    """What a caller may choose."""

    seed: int = 1
    hours: float = 2.0
    """Healthy operation before the live part."""
    interval_s: float = 15.0


class Stage:
    """One story's clock, change log and system; innocent changes are there already."""

    def __init__(self, options: Options, fault_at_s: float, system: System = SHOP) -> None:
        self.options = options
        self.fault_s = fault_at_s
        self.live_s = fault_at_s - QUIET_S
        self.end_s = self.live_s + LIVE_S
        self.start_s = self.live_s - options.hours * HOUR_S
        self.system = system
        self.state, _, self.wiring = build(system)
        self.log = ChangeLog(system, np.random.default_rng([options.seed, 77]))
        quiet_until = fault_at_s - 12 * 60
        self.changes: list[Change] = list(
            self.log.innocent(self.start_s - INNOCENT_DAYS * DAY_S, quiet_until)
        )

    def rows(self, where: Where, name: str) -> tuple[int, ...]:
        """Rows of a service or of its instances, or of the load entries of a request type."""
        if where == "instance":
            return rows_of(self.system, self.state, name)
        if where == "load":
            return tuple(i for i, entry in enumerate(ENTRIES) if entry.request_type == name)
        return (self.system.index(name),)

    def calls(self, caller: str | None = None, callee: str | None = None) -> tuple[int, ...]:
        """Rows of the edges with this caller and callee."""
        return tuple(
            row
            for row, e in enumerate(self.wiring.edges)
            if caller in (None, self.system.edges[e].caller) and callee in (None, self.system.edges[e].callee)
        )

    def press(self, where: Where, rows: Iterable[int] | str, name: str, **how: float) -> Press:
        """A disturbance from the fault's time to the end; `how` may move either with start_s and end_s."""
        chosen = self.rows(where, rows) if isinstance(rows, str) else tuple(rows)
        start_s, end_s = how.pop("start_s", self.fault_s), how.pop("end_s", self.end_s)
        return Press(where, chosen, name, start_s, end_s, **how)

    def change(self, kind: ChangeKind, service: str, at_s: float, summary: str, **attributes: str) -> Change:
        """Add a change of our own to the log."""
        change = Change(self.log.next_id(), at_s, kind, service, summary, attributes=dict(attributes))
        self.changes.append(change)
        return change

    def fault(self, name: str, kind: str, root: str, presses: Iterable[Press], **more: object) -> Fault:
        """A fault from its time to the end of the recording."""
        base = Fault(name, kind, root, self.fault_s, self.end_s, tuple(presses))
        return replace(base, **more)  # type: ignore[arg-type]

    def plan(self, name: str, *faults: Fault, **more: object) -> Plan:
        """The recording's plan."""
        base = Plan(
            name=name,
            system=self.system,
            entries=ENTRIES,
            start_s=self.start_s,
            end_s=self.end_s,
            interval_s=self.options.interval_s,
            changes=tuple(self.changes),
            faults=faults,
            extra={"live_from_ms": round(self.live_s * 1000)},
        )
        return replace(base, **more)  # type: ignore[arg-type]


def altered(
    system: System,
    *,
    service: Callable[[Service], Service] = lambda s: s,
    edge: Callable[[Edge], Edge] = lambda e: e,
    more_services: tuple[Service, ...] = (),
    more_edges: tuple[Edge, ...] = (),
    stale: tuple[tuple[str, str], ...] = (),
) -> System:
    """A system with some of its parts exchanged or added."""
    return replace(
        system,
        services=(*(service(s) for s in system.services), *more_services),
        edges=(*(edge(e) for e in system.edges), *more_edges),
        stale_edges=(*system.stale_edges, *stale),
    )

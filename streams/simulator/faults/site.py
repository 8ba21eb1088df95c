"""Where and when a fault strikes, and what a mechanism may know to choose its victim and its force."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from streams.simulator.changes import Change, ChangeKind, ChangeLog
from streams.simulator.graph import Edge, Service, System
from streams.simulator.load import Entry
from streams.simulator.rates import entry_rate, service_rates
from streams.simulator.state import State, Wiring
from streams.simulator.strain import Press, Where
from streams.simulator.truth import Fault

BUSY_RPS = 1.0
"""A victim serves at least this, or nobody would notice."""


@dataclass
class Site:
    """The system at the moment of the fault."""

    system: System
    state: State
    wiring: Wiring
    log: ChangeLog
    rng: np.random.Generator
    rates: dict[str, float]
    """Expected requests per second of each service at the start."""
    fault_id: str
    start_s: float
    end_s: float
    entries: tuple[Entry, ...]
    only: str | None = None
    """The one service that may be chosen; any, if None."""
    spared: frozenset[str] = frozenset()
    """Services that another fault has taken already."""
    since_s: float | None = None
    """From when the system is recorded; from the start of the fault, if None."""
    before: Sequence[Fault] = ()
    """Faults that struck earlier."""
    changes: list[Change] = field(default_factory=list)
    """Changes that belong to the fault: its cause, and the rollback that ends it."""

    def pick(self, *kinds: str, where: Callable[[Service], bool] = lambda _: True) -> Service | None:
        """A busy service of one of the kinds, or None; what many depend on breaks in more ways than one."""
        able = [
            s
            for s in self.system.services
            if s.kind in kinds
            and self.only in (None, s.name)
            and s.name not in self.spared
            and self.rates[s.name] >= BUSY_RPS
            and where(s)
        ]
        if not able:
            return None
        weights = np.array([1.0 + len(self.system.callers(s.name)) for s in able])
        return able[int(self.rng.choice(len(able), p=weights / weights.sum()))]

    def edges(
        self,
        *,
        caller: str | None = None,
        callee: str | None = None,
        where: Callable[[Edge], bool] = lambda _: True,
    ) -> tuple[int, ...]:
        """Rows of the plant's edges with this caller and callee."""
        found = []
        for row, e in enumerate(self.wiring.edges):
            edge = self.system.edges[e]
            if caller in (None, edge.caller) and callee in (None, edge.callee) and where(edge):
                found.append(row)
        return tuple(found)

    def edge(self, row: int) -> Edge:
        """The specification behind a row of the plant's edges."""
        return self.system.edges[self.wiring.edges[row]]

    def edge_rate(self, row: int) -> float:
        """Expected calls per second on an edge."""
        edge = self.edge(row)
        calls = (
            edge.calls if isinstance(edge.calls, (int, float)) else float(np.mean(list(edge.calls.values())))
        )
        miss = 1.0 - self.system.service(edge.behind).hit if edge.behind else 1.0
        return self.rates[edge.caller] * calls * miss

    def instances(self, service: str) -> tuple[int, ...]:
        """Rows of a service's instances."""
        index = self.system.index(service)
        first = int(self.state.service["first"][index])
        return tuple(range(first, first + int(self.state.service["count"][index])))

    def utilisation(self, service: Service) -> float:
        """CPU use per core that the load explains."""
        return max(
            self.rates[service.name] * service.cpu_ms / 1e3 / (service.instances * service.cores), 1e-3
        )

    def overload(self, service: Service, low: float = 1.05, high: float = 1.6) -> float:
        """How many times the CPU demand must grow to exceed capacity by 5 to 60 %."""
        return float(self.rng.uniform(low, high)) / self.utilisation(service)

    def press(
        self,
        where: Where,
        rows: Iterable[int],
        name: str,
        *,
        factor: float = 1.0,
        add: float = 0.0,
        **shape: float,
    ) -> Press:
        """A disturbance that lasts as long as the fault."""
        return Press(where, tuple(rows), name, self.start_s, self.end_s, factor=factor, add=add, **shape)

    def on_service(self, service: str, name: str, **how: float) -> Press:
        """A disturbance of one service as a whole."""
        return self.press("service", (self.system.index(service),), name, **how)

    def busiest_yet(self, service: str) -> float:
        """How many times as many requests came in the busiest hour that is recorded before the fault."""
        since_s = self.start_s if self.since_s is None else self.since_s
        hours = (self.start_s - 3600.0 * k for k in range(1 + int((self.start_s - since_s) // 3600.0)))
        peak_s = max(hours, key=lambda t: sum(entry_rate(entry, t) for entry in self.entries))
        rates = service_rates(self.system, [(entry, entry_rate(entry, peak_s)) for entry in self.entries])
        return max(rates[service] / max(self.rates[service], 1e-9), 1.0)

    def lowered(self, service: str) -> bool:
        """Whether an earlier fault began with the same service's limits, days before it struck."""
        return any(f.root_service == service and f.kind == "old_config_new_load" for f in self.before)

    def ramp(self, low_s: float = 0.0, high_s: float = 240.0) -> float:
        """How long the fault takes to set in."""
        return float(self.rng.uniform(low_s, high_s))

    def blame(
        self,
        kind: ChangeKind,
        service: str,
        summary: str,
        *,
        share: float = 1.0,
        lag_s: tuple[float, float] = (2.0, 60.0),
        **attributes: str,
    ) -> Change | None:
        """With probability `share`, the change that caused it, and perhaps the rollback that ends it."""
        if self.rng.random() >= share:
            return None
        at = self.start_s - float(self.rng.uniform(*lag_s))
        if kind == "deploy":
            change = self.log.deploy(service, at)
        else:
            change = Change(self.log.next_id(), at, kind, service, summary, attributes=dict(attributes))
        self.changes.append(change)
        if self.rng.random() < 0.6:
            self.changes.append(self._rollback(change))
        return change

    def _rollback(self, change: Change) -> Change:
        at = self.end_s - 5.0
        if change.kind == "deploy":
            return Change(
                self.log.next_id(), at, "deploy", change.service,
                f"{change.service} rolled back to {change.version_before}",
                change.version_after, change.version_before,
                attributes={"pipeline": "cd", "strategy": "rolling"}, rollout=True, undoes=change.id,
            )  # fmt: skip
        summary = f"{change.service}: previous {change.kind} restored"
        attributes = dict(change.attributes)
        return Change(self.log.next_id(), at, change.kind, change.service, summary, attributes=attributes)

    def fault(
        self,
        kind: str,
        root: str,
        presses: Iterable[Press],
        *,
        change: Change | None = None,
        trigger: str = "",
        contributing: tuple[str, ...] = (),
        blind: bool = False,
    ) -> Fault:
        """Put the fault together."""
        return Fault(
            self.fault_id, kind, root, self.start_s, self.end_s, tuple(presses), change, trigger,
            contributing, blind,
        )  # fmt: skip


Mechanism = Callable[[Site], Fault | None]
"""Builds a fault at a site, or None where the system offers no victim for it."""

"""What a system is made of: services, the calls between them, topics, machines. No behaviour."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

ServiceKind = Literal["service", "database", "cache", "broker", "external"]


@dataclass(frozen=True, slots=True)
class Service:
    """One service, datastore, broker or external dependency, with the resources of each instance.

    Times per request are means on an idle machine. `tail` is the shape of the log-logistic latency
    distribution: 3 is heavy (p99 = 4.6 medians), 6 is light (2.2).
    """

    name: str
    kind: ServiceKind = "service"
    instances: int = 2
    cores: float = 1.0
    threads: int = 64
    cpu_ms: float = 4.0
    io_ms: float = 0.0
    """Time on the instance's disk: a second, serial resource."""
    wait_ms: float = 1.0
    """Waiting that costs neither CPU nor disk."""
    lock_ms: float = 0.0
    """Time in a section that only one request at a time may enter, over all instances."""
    idle_cores: float = 0.03
    tail: float = 4.0
    error: float = 0.0004
    queue_limit: int = 1000
    patience_s: float = 5.0
    """After so long in the queue a caller has gone."""
    memory_mb: float = 300.0
    limit_mb: float = 768.0
    request_kb: float = 400.0
    """Memory that one request in flight or in the queue holds."""
    alloc_kb: float = 150.0
    """Garbage that one request leaves; 0 for runtimes without a collector."""
    max_connections: int = 0
    hit: float = 0.0
    """Hit ratio of a warm cache with room for its working set."""
    cache_limit_mb: float = 0.0
    key_ttl_s: float = 3600.0
    key_kb: Mapping[str, float] = field(default_factory=dict)
    """Request type to kilobytes that one call of it stores."""
    write_share: float = 0.3
    evicts: bool = True
    """False: a full cache refuses writes (`noeviction`) instead of dropping keys."""
    version: str = "1.0.0"
    dialect: Literal["otel", "prometheus"] = "otel"
    """Whose names and temporality its metrics have."""
    language: str = "java"
    monitored: bool = True
    """Whether it emits metrics of its own."""
    traced: bool = True
    """Whether it emits spans, so that callers' edges show its own time too."""
    logs: bool = True
    sidecar: bool = False
    """Whether a proxy stands beside each instance, through which all of its calls pass. It emits nothing."""
    declared: bool = True
    """Whether the declared topology knows it."""
    deploys_per_day: float = 0.3


@dataclass(frozen=True, slots=True)
class Edge:
    """`caller` calls `callee`: how often per request of each type, and what happens when that fails."""

    caller: str
    callee: str
    calls: Mapping[str, float] | float = 1.0
    """Calls per request, for each request type or for all."""
    timeout_s: float = 2.0
    retries: int = 1
    pool: int = 0
    """Connections per caller instance; 0 is unlimited."""
    pool_timeout_s: float = 1.0
    critical: float = 1.0
    """Share of failures that fail the caller's own request; below 1 it has a fallback."""
    blocking: bool = True
    breaker: bool = False
    rtt_ms: float = 0.4
    behind: str | None = None
    """A cache: only its misses come through here."""
    topic: str | None = None
    """Publishes to this topic, when the callee is a broker."""
    declared: bool = True
    schedule: str | None = None
    """When it holds, as declared: `[except] DAY[,DAY…] [HH:MM-HH:MM]`, UTC."""
    observed: bool = True
    """Whether any span or client metric shows it."""


@dataclass(frozen=True, slots=True)
class Topic:
    """A queue on a broker and the service that consumes it, as requests of type `request_type`."""

    name: str
    broker: str
    consumer: str
    request_type: str


@dataclass(frozen=True, slots=True)
class System:
    """A whole system. Synchronous calls form no cycle; cycles may go through topics.

    Raises
    ------
    ValueError
        A name that no service has, or a synchronous cycle.
    """

    name: str
    services: tuple[Service, ...]
    edges: tuple[Edge, ...]
    request_types: tuple[str, ...]
    topics: tuple[Topic, ...] = ()
    machines: int = 6
    machine_cores: float = 8.0
    stale_edges: tuple[tuple[str, str], ...] = ()
    """Declared, and no longer (or never) true."""
    sampled: float = 1.0
    """Share of the traces that are kept: what is derived from spans rests on so many calls."""

    def __post_init__(self) -> None:
        known = {service.name for service in self.services}
        for edge in self.edges:
            missing = {edge.caller, edge.callee, *([edge.behind] if edge.behind else [])} - known
            if missing:
                raise ValueError(f"edge {edge.caller} -> {edge.callee} names unknown {sorted(missing)}")
        self.call_order()

    def index(self, name: str) -> int:
        """Position of the service called `name`."""
        return next(i for i, service in enumerate(self.services) if service.name == name)

    def service(self, name: str) -> Service:
        """The service called `name`."""
        return self.services[self.index(name)]

    def callers(self, name: str) -> tuple[str, ...]:
        """Services that call `name`, in the order of the edges."""
        return tuple(dict.fromkeys(e.caller for e in self.edges if e.callee == name))

    def call_order(self) -> list[int]:
        """Service positions such that every caller stands before its callees."""
        position = {service.name: i for i, service in enumerate(self.services)}
        waiting = [0] * len(self.services)
        for edge in self.edges:
            waiting[position[edge.callee]] += 1
        free = [i for i, count in enumerate(waiting) if count == 0]
        order: list[int] = []
        while free:
            current = free.pop(0)
            order.append(current)
            for edge in self.edges:
                if position[edge.caller] == current:
                    waiting[position[edge.callee]] -= 1
                    if waiting[position[edge.callee]] == 0:
                        free.append(position[edge.callee])
        if len(order) != len(self.services):
            stuck = [s.name for i, s in enumerate(self.services) if i not in order]
            raise ValueError(f"synchronous calls form a cycle among {stuck}")
        return order

"""The metrics: which services have them, and how they are read off the plant.

Names follow OpenTelemetry's semantic conventions where these have one; `dialect.py` has the Prometheus
names. Quantiles stand beside counts because that is what becomes of a histogram.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from streams.simulator.chunk import Chunk, Values
from streams.simulator.graph import System
from streams.simulator.instruments import Instruments

LN99_LN19 = float(np.log(99.0) / np.log(19.0))


@dataclass(frozen=True)
class Metric:
    """One metric."""

    name: str
    unit: str
    kind: str
    wants: Callable[[System, int], bool]
    read: Callable[[Instruments, Chunk], Values]


def _monitored(*kinds: str) -> Callable[[System, int], bool]:
    return lambda system, s: system.services[s].monitored and system.services[s].kind in kinds


def _pooled(system: System, s: int) -> bool:
    service = system.services[s]
    return service.monitored and any(e.caller == service.name and e.pool for e in system.edges)


def _consumes(system: System, s: int) -> bool:
    return any(t.consumer == system.services[s].name for t in system.topics)


def _collected(system: System, s: int) -> bool:
    return system.services[s].monitored and system.services[s].language == "java"


def _latency(q: float) -> Callable[[Instruments, Chunk], Values]:
    def read(blur: Instruments, chunk: Chunk) -> Values:
        p50, p95 = chunk.of("p50_s"), chunk.of("p95_s")
        spread = np.log(np.maximum(p95 / np.maximum(p50, 1e-9), 1.02)) / np.log(19.0)
        power = {0.5: 0.0, 0.95: 1.0, 0.99: LN99_LN19}[q]
        true = p50 * np.exp(spread * np.log(19.0) * power)
        return blur.quantile(true, chunk.of("done") * chunk.interval_s, spread, q)

    return read


def _by_caller(chunk: Chunk, field_name: str) -> Values:
    """Sum of an edge's field over the pooled outgoing edges, per instance of the caller."""
    pooled = chunk.edge["size"] > 0.0
    total = np.zeros(chunk.service["rate"].shape)
    value = np.where(pooled, chunk.edge[field_name], 0.0)
    for row in range(chunk.edge.shape[1]):
        total[:, chunk.edge["caller"][0, row]] += value[:, row]
    up = np.maximum(chunk.service["up_share"] * chunk.service["count"], 1.0)
    return np.asarray((total / up)[:, chunk.owners])


def _turned_away(chunk: Chunk) -> Values:
    """Connections per second beyond the limit, at about one attempt for ten calls."""
    used, refused = chunk.owner("connections"), chunk.owner("connection_error")
    full = (chunk.owner("max_connections") > 0) & (used > 0) & (refused > 1e-6)
    return np.asarray(np.where(full, 0.1 * chunk.owner("rate") * refused, 0.0))


def _lag(blur: Instruments, chunk: Chunk) -> Values:
    out = np.zeros(chunk.shape)
    owner = chunk.owners
    for t in range(chunk.topic.shape[1]):
        first = np.nonzero(owner == chunk.topic["consumer"][0, t])[0]
        out[:, first] += (chunk.topic["depth"][:, t] / len(first))[:, None]
    return np.asarray(np.round(out + blur.count(np.full(out.shape, 1.5))))


_ANY = _monitored("service", "database", "cache", "broker")
_APP = _monitored("service")


def _replication_lag(blur: Instruments, chunk: Chunk) -> Values:
    """A replica replays what the primary's disk writes, and falls behind as that disk fills up."""
    lag = 0.05 / (1.0 - np.minimum(chunk.of("io_util"), 0.995))
    return np.asarray(lag * blur.wobble("lag", chunk.shape, 0.3))


def _cpu(blur: Instruments, chunk: Chunk) -> Values:
    shape = chunk.shape
    noise = blur.wobble("cpu", shape, 0.09) * blur.bursts("cpu bursts", shape, 0.008, 0.7)
    return np.asarray(np.maximum(chunk.of("cpu") * noise, 1e-3))


def _memory(blur: Instruments, chunk: Chunk) -> Values:
    # The resident set of a collected heap stays at its high-water mark: no saw-tooth here.
    live = chunk.of("memory") + chunk.owner("cache_mem") * (chunk.owner("kind") == 2)
    high_water = np.where(chunk.owner("alloc") > 0.0, 0.3 * chunk.owner("memory"), 0.0)
    pages = blur.wobble("pages", live.shape, 0.002, 3600.0)
    return np.asarray((live + high_water) * pages * blur.wobble("memory", live.shape, 0.0006, 60.0))


def _network(name: str, kilobytes: float) -> Callable[[Instruments, Chunk], Values]:
    def read(blur: Instruments, chunk: Chunk) -> Values:
        heartbeat = 2e3 * chunk.interval_s
        sent = blur.count(chunk.of("done") * chunk.interval_s) * kilobytes * 1e3
        return np.asarray((sent + heartbeat) * blur.wobble(name, chunk.shape, 0.05))

    return read


METRICS: tuple[Metric, ...] = (
    Metric("k8s.pod.cpu.usage", "{cpu}", "gauge", _ANY, _cpu),
    Metric("k8s.pod.memory.working_set", "By", "gauge", _ANY, _memory),
    Metric("k8s.pod.network.receive", "By", "delta", _ANY, _network("receive", 1.2)),
    Metric("k8s.pod.network.transmit", "By", "delta", _ANY, _network("transmit", 4.0)),
    Metric("http.server.request.count", "{request}", "delta", _APP,
           lambda s, c: s.count(c.of("done") * c.interval_s)),
    Metric("http.server.error.count", "{request}", "delta", _APP,
           lambda s, c: s.count(c.of("rate") * c.of("error_rate") * c.interval_s)),
    Metric("http.server.request.duration.p50", "s", "gauge", _APP, _latency(0.5)),
    Metric("http.server.request.duration.p95", "s", "gauge", _APP, _latency(0.95)),
    Metric("http.server.request.duration.p99", "s", "gauge", _APP, _latency(0.99)),
    Metric("http.server.active_requests", "{request}", "gauge", _APP,
           lambda s, c: s.count(c.of("inflight") + c.of("backlog"))),
    Metric("client.connections.usage", "{connection}", "gauge", _pooled,
           lambda s, c: s.count(_by_caller(c, "used"))),
    Metric("client.connections.pending_requests", "{request}", "gauge", _pooled,
           lambda s, c: s.count(_by_caller(c, "pending"))),
    Metric("jvm.memory.used", "By", "gauge", _collected, lambda s, c: c.of("memory") + s.sawtooth(c)),
    Metric("runtime.gc.time", "s", "delta", _collected,
           lambda s, c: np.minimum(c.of("gc"), 1.0) * c.interval_s * s.wobble("gc", c.shape, 0.3)),
    Metric("kafka.consumer.lag", "{message}", "gauge", _consumes, _lag),
    Metric("db.connections", "{connection}", "gauge", _monitored("database"),
           lambda s, c: s.count(np.minimum(c.owner("connections"), 1e4)) + 4),
    Metric("db.connections.rejected", "{connection}", "delta", _monitored("database"),
           lambda s, c: s.count(_turned_away(c) * c.interval_s)),
    Metric("db.operations", "{operation}", "delta", _monitored("database", "cache"),
           lambda s, c: s.count(c.of("done") * c.interval_s)),
    Metric("db.lock.wait_time", "s", "delta", _monitored("database"),
           lambda s, c: c.owner("lock_wait_s") * c.of("done") * c.interval_s
           * s.wobble("lock", c.shape, 0.2)),
    Metric("db.replication.lag", "s", "gauge", _monitored("database"), _replication_lag),
    Metric("system.disk.io_utilization", "1", "gauge", _monitored("database", "broker"),
           lambda s, c: np.minimum(
               (c.of("io_util") + 0.02) * s.wobble("disk", c.shape, 0.12), 1.0)),
    Metric("redis.memory.used", "By", "gauge", _monitored("cache"),
           lambda s, c: c.owner("cache_mem") * s.wobble("redis", c.shape, 0.001, 60.0)),
    Metric("redis.keys.evicted", "{key}", "delta", _monitored("cache"),
           lambda s, c: s.count(c.owner("evicted") / 2000.0 * c.interval_s)),
    Metric("redis.keyspace.hit_ratio", "1", "gauge", _monitored("cache"),
           lambda s, c: np.minimum(c.owner("hit_now") * s.wobble("hit", c.shape, 0.004), 1.0)),
    Metric("redis.commands.failed", "{command}", "delta", _monitored("cache"),
           lambda s, c: s.count(c.owner("rate") * c.owner("error_rate") * c.interval_s * 0.98)),
    Metric("messaging.messages.in", "{message}", "delta", _monitored("broker"),
           lambda s, c: s.count(c.of("done") * c.interval_s)),
)  # fmt: skip

"""What instruments see of the plant: samples per instance and calls per edge, with their imperfections.

Counts are Poisson, quantiles wobble with the number of requests that they rest on, gauges carry slowly
varying noise; every instance is scraped at its own second, and some scrapes fail.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from streams.simulator.graph import System
from streams.simulator.state import State, Wiring
from streams.simulator.writer import EDGE_VALUES, Names

LN99_LN19 = float(np.log(99.0) / np.log(19.0))
Values = NDArray[np.float64]


@dataclass
class Chunk:
    """The plant's arrays over consecutive intervals; first axis is time."""

    end_s: NDArray[np.floating]
    interval_s: float
    service: NDArray[np.void]
    instance: NDArray[np.void]
    edge: NDArray[np.void]
    topic: NDArray[np.void]
    names: NDArray[np.int32]
    """[time, slot]: number of the pod's name."""

    def of(self, field_name: str) -> Values:
        """An instance's field as [time, slot]."""
        return np.asarray(self.instance[field_name])

    def owner(self, field_name: str) -> Values:
        """A service's field, repeated for its instances, as [time, slot]."""
        return np.asarray(self.service[field_name])[:, self.instance["service"][0]]


@dataclass(frozen=True)
class Metric:
    """One metric: which services have it, and how its values come from the plant."""

    name: str
    unit: str
    kind: str
    wants: Callable[[System, int], bool]
    read: Callable[[Sensor, Chunk], Values]


@dataclass
class Sensor:
    """Turns chunks into rows; carries what must not jump between chunks."""

    system: System
    wiring: Wiring
    names: Names
    rng: np.random.Generator
    interval_s: float
    missing: float = 0.002
    outage: float = 2e-4
    """Chance per interval that an instance's scrapes begin to fail, for a minute on average."""
    _red: dict[str, Values] = field(default_factory=dict)
    _carry: dict[str, Values] = field(default_factory=dict)
    _phase_ms: NDArray[np.int64] | None = None
    _out: NDArray[np.int64] | None = None

    # instruments -------------------------------------------------------------------------------

    def count(self, expected: Values) -> Values:
        """A number of events, of this mean."""
        return self.rng.poisson(np.clip(expected, 0.0, 1e9)).astype(np.float64)

    def wobble(self, name: str, shape: tuple[int, int], size: float, memory: float = 0.7) -> Values:
        """Multiplicative noise around 1 whose neighbours in time resemble each other."""
        white = self.rng.normal(0.0, size * np.sqrt(1.0 - memory**2), shape)
        last = self._red.get(name)
        if last is None:
            last = self.rng.normal(0.0, size, shape[1])
        out = np.empty(shape)
        for t in range(shape[0]):
            last = memory * last + white[t]
            out[t] = last
        self._red[name] = last
        return np.exp(out)

    def quantile(self, true: Values, requests: Values, spread: Values, q: float) -> Values:
        """A quantile estimated from `requests` durations; NaN where there were none.

        Standard error of a log-logistic quantile: 1 / (shape · sqrt(n q (1 - q))), in logarithms.
        """
        n = np.maximum(requests, 0.0)
        error = spread / np.sqrt(np.maximum(n, 1.0) * q * (1.0 - q) + 0.5)
        noisy = true * np.exp(self.rng.normal(0.0, 1.0, true.shape) * np.minimum(error, 0.8))
        return np.where(n < 0.5, np.nan, noisy)

    def sawtooth(self, chunk: Chunk) -> Values:
        """Garbage that awaits collection, in bytes, as [time, slot]."""
        alloc, room = chunk.owner("alloc"), 0.3 * chunk.owner("memory") + 1.0
        made = np.cumsum(alloc * chunk.of("done") * chunk.interval_s + 0.002 * room, axis=0)
        start = self._carry.setdefault("saw", self.rng.random(made.shape[1]) * room[0])
        total = made + start
        self._carry["saw"] = total[-1] % room[-1]
        return np.where(alloc > 0.0, total % room, 0.0)

    # rows --------------------------------------------------------------------------------------

    def samples(self, chunk: Chunk) -> dict[str, NDArray[np.generic]]:
        """All metric rows of a chunk, as columns; strings as numbers of `names`."""
        if self._phase_ms is None:
            slots = chunk.names.shape[1]
            self._phase_ms = np.asarray(self.rng.integers(0, int(600 * self.interval_s), slots))
        ts = (chunk.end_s * 1000.0).astype(np.int64)[:, None] + self._phase_ms[None, :]
        ts = ts + self.rng.integers(0, 40, ts.shape)
        seen = self._reachable(chunk) & (chunk.of("up") > 0.0)
        owner = chunk.instance["service"][0]
        service_id = np.array([self.names.id(s.name) for s in self.system.services], np.int32)[owner]
        parts: dict[str, list[NDArray[np.generic]]] = {name: [] for name in _COLUMNS}
        for metric in METRICS:
            have = np.array([metric.wants(self.system, s) for s in range(len(self.system.services))])[owner]
            values = metric.read(self, chunk)
            keep = seen & have[None, :] & (self.rng.random(seen.shape) > self.missing)
            rows = np.nonzero(keep)
            n = len(rows[0])
            parts["ts_ms"].append(ts[rows])
            parts["service"].append(service_id[rows[1]])
            parts["instance"].append(chunk.names[rows])
            parts["metric"].append(np.full(n, self.names.id(metric.name), np.int32))
            parts["unit"].append(np.full(n, self.names.id(metric.unit), np.int32))
            parts["kind"].append(np.full(n, self.names.id(metric.kind), np.int32))
            parts["value"].append(values[rows])
        return {name: np.concatenate(part) for name, part in parts.items()}

    def _reachable(self, chunk: Chunk) -> NDArray[np.bool_]:
        steps, slots = chunk.names.shape
        if self._out is None:
            self._out = np.zeros(slots, np.int64)
        reachable = np.ones((steps, slots), bool)
        begins = self.rng.random((steps, slots)) < self.outage
        lengths = self.rng.geometric(self.interval_s / 60.0 if self.interval_s < 60 else 0.99, (steps, slots))
        for t in range(steps):
            self._out = np.maximum(self._out - 1, 0) + np.where(begins[t], lengths[t], 0)
            reachable[t] = self._out == 0
        return reachable

    def calls(self, chunk: Chunk) -> dict[str, NDArray[np.generic]]:
        """All edge rows of a chunk, as columns; server-side ones are NaN where the callee emits no spans."""
        rows = [
            (r, self.system.edges[e])
            for r, e in enumerate(self.wiring.edges)
            if self.system.edges[e].observed
        ]
        index = np.array([r for r, _ in rows], np.int64)
        edge = chunk.edge[:, index]
        traced = np.array([self.system.service(e.callee).traced for _, e in rows])
        attempts = self.count(edge["attempts"] * chunk.interval_s)
        errors = np.minimum(self.count(edge["calls"] * edge["fail"] * chunk.interval_s), attempts)
        client = np.log(edge["p95_s"] / np.maximum(edge["p50_s"], 1e-9)) / np.log(19.0)
        server = np.log(edge["server_p95_s"] / np.maximum(edge["server_p50_s"], 1e-9)) / np.log(19.0)
        values = {
            "calls": attempts,
            "errors": errors,
            "client_p50_s": self.quantile(edge["p50_s"], attempts, client, 0.5),
            "client_p95_s": self.quantile(edge["p95_s"], attempts, client, 0.95),
            "server_p50_s": self.quantile(edge["server_p50_s"], attempts, server, 0.5),
            "server_p95_s": self.quantile(edge["server_p95_s"], attempts, server, 0.95),
        }
        gap = np.maximum(edge["p95_s"] - edge["server_p95_s"], 1e-4)
        values["gap_p95_s"] = self.quantile(gap, attempts, np.full(gap.shape, 0.12), 0.95)
        for name in ("server_p50_s", "server_p95_s", "gap_p95_s"):
            values[name] = np.where(traced[None, :], values[name], np.nan)
        seen = attempts > 0.0
        at = np.nonzero(seen)
        caller = np.array([self.names.id(e.caller) for _, e in rows], np.int32)
        callee = np.array([self.names.id(e.callee) for _, e in rows], np.int32)
        ends = (chunk.end_s * 1000.0).astype(np.int64)
        out: dict[str, NDArray[np.generic]] = {
            "ts_ms": ends[at[0]],
            "caller": caller[at[1]],
            "callee": callee[at[1]],
        }
        return out | {name: values[name][at] for name in EDGE_VALUES}


_COLUMNS = ("ts_ms", "service", "instance", "metric", "unit", "kind", "value")


def _monitored(*kinds: str) -> Callable[[System, int], bool]:
    return lambda system, s: system.services[s].monitored and system.services[s].kind in kinds


def _pooled(system: System, s: int) -> bool:
    service = system.services[s]
    return service.monitored and any(e.caller == service.name and e.pool for e in system.edges)


def _consumes(system: System, s: int) -> bool:
    return any(t.consumer == system.services[s].name for t in system.topics)


def _collected(system: System, s: int) -> bool:
    return system.services[s].monitored and system.services[s].alloc_kb > 0


def _latency(q: float) -> Callable[[Sensor, Chunk], Values]:
    def read(sensor: Sensor, chunk: Chunk) -> Values:
        p50, p95 = chunk.of("p50_s"), chunk.of("p95_s")
        spread = np.log(np.maximum(p95 / np.maximum(p50, 1e-9), 1.02)) / np.log(19.0)
        power = {0.5: 0.0, 0.95: 1.0, 0.99: LN99_LN19}[q]
        true = p50 * np.exp(spread * np.log(19.0) * power)
        return sensor.quantile(true, chunk.of("done") * chunk.interval_s, spread, q)

    return read


def _by_caller(chunk: Chunk, field_name: str) -> Values:
    """Sum of an edge's field over the pooled outgoing edges, per instance of the caller."""
    pooled = chunk.edge["size"] > 0.0
    total = np.zeros(chunk.service["rate"].shape)
    value = np.where(pooled, chunk.edge[field_name], 0.0)
    for row in range(chunk.edge.shape[1]):
        total[:, chunk.edge["caller"][0, row]] += value[:, row]
    up = np.maximum(chunk.service["up_share"] * chunk.service["count"], 1.0)
    return np.asarray((total / up)[:, chunk.instance["service"][0]])


def _turned_away(chunk: Chunk) -> Values:
    """Connections per second beyond the limit, at about one attempt for ten calls."""
    used, refused = chunk.owner("connections"), chunk.owner("connection_error")
    full = (chunk.owner("max_connections") > 0) & (used > 0) & (refused > 1e-6)
    return np.asarray(np.where(full, 0.1 * chunk.owner("rate") * refused, 0.0))


def _lag(sensor: Sensor, chunk: Chunk) -> Values:
    out = np.zeros(chunk.names.shape)
    owner = chunk.instance["service"][0]
    for t in range(chunk.topic.shape[1]):
        first = np.nonzero(owner == chunk.topic["consumer"][0, t])[0]
        out[:, first] += (chunk.topic["depth"][:, t] / len(first))[:, None]
    return np.asarray(np.round(out + sensor.count(np.full(out.shape, 1.5))))


_ANY = _monitored("service", "database", "cache", "broker")
_APP = _monitored("service")


def _memory(sensor: Sensor, chunk: Chunk) -> Values:
    live = chunk.of("memory") + chunk.owner("cache_mem") * (chunk.owner("kind") == 2)
    return np.asarray((live + sensor.sawtooth(chunk)) * sensor.wobble("memory", live.shape, 0.006, 0.95))


METRICS: tuple[Metric, ...] = (
    Metric("k8s.pod.cpu.usage", "{cpu}", "gauge", _ANY,
           lambda s, c: np.maximum(c.of("cpu") * s.wobble("cpu", c.names.shape, 0.07, 0.5), 1e-3)),
    Metric("k8s.pod.memory.working_set", "By", "gauge", _ANY, _memory),
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
    Metric("runtime.gc.time", "s", "delta", _collected,
           lambda s, c: np.minimum(c.of("gc"), 1.0) * c.interval_s * s.wobble("gc", c.names.shape, 0.3, 0.2)),
    Metric("kafka.consumer.lag", "{message}", "gauge", _consumes, _lag),
    Metric("db.connections", "{connection}", "gauge", _monitored("database"),
           lambda s, c: s.count(np.minimum(c.owner("connections"), 1e4)) + 4),
    Metric("db.connections.rejected", "{connection}", "delta", _monitored("database"),
           lambda s, c: s.count(_turned_away(c) * c.interval_s)),
    Metric("db.operations", "{operation}", "delta", _monitored("database", "cache"),
           lambda s, c: s.count(c.of("done") * c.interval_s)),
    Metric("db.lock.wait_time", "s", "delta", _monitored("database"),
           lambda s, c: c.owner("lock_wait_s") * c.of("done") * c.interval_s
           * s.wobble("lock", c.names.shape, 0.25, 0.2)),
    Metric("system.disk.io_utilization", "1", "gauge", _monitored("database", "broker"),
           lambda s, c: np.minimum(
               (c.of("io_util") + 0.02) * s.wobble("disk", c.names.shape, 0.12, 0.4), 1.0)),
    Metric("redis.memory.used", "By", "gauge", _monitored("cache"),
           lambda s, c: c.owner("cache_mem") * s.wobble("redis", c.names.shape, 0.002, 0.9)),
    Metric("redis.keys.evicted", "{key}", "delta", _monitored("cache"),
           lambda s, c: s.count(c.owner("evicted") / 2000.0 * c.interval_s)),
    Metric("redis.keyspace.hit_ratio", "1", "gauge", _monitored("cache"),
           lambda s, c: np.minimum(c.owner("hit_now") * s.wobble("hit", c.names.shape, 0.004, 0.2), 1.0)),
    Metric("redis.commands.failed", "{command}", "delta", _monitored("cache"),
           lambda s, c: s.count(c.owner("rate") * c.owner("error_rate") * c.interval_s * 0.98)),
    Metric("messaging.messages.in", "{message}", "delta", _monitored("broker"),
           lambda s, c: s.count(c.of("done") * c.interval_s)),
)  # fmt: skip


def snapshot_buffers(state: State, steps: int) -> dict[str, NDArray[np.void]]:
    """Empty arrays that hold `steps` copies of the state."""
    return {
        name: np.zeros((steps, len(getattr(state, name))), getattr(state, name).dtype)
        for name in ("service", "instance", "edge", "topic")
    }

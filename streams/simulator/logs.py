"""Log lines as such services write them: some traffic when all is well, complaints where it hurts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streams.simulator.graph import System
from streams.simulator.state import Wiring
from streams.simulator.telemetry import Chunk
from streams.simulator.writer import Names

ROUTES = {
    "service": (
        "{verb} /api/v1/{service}/{id} 200 {ms}ms",
        "request completed route=/{service}/{id} status=200 duration_ms={ms}",
        "processed {service} item {id} in {ms} ms",
    ),
    "database": (
        "checkpoint complete: wrote {n} buffers ({pct}%); write={ms} ms",
        'automatic vacuum of table "shop.public.orders": index scans: {n}',
        "connection authorized: user=app_{n} database=shop application_name=pool",
    ),
    "cache": ("{n} changes in 300 seconds. Saving...", "Background saving terminated with success"),
    "broker": (
        "[GroupCoordinator 0]: Preparing to rebalance group fulfilment in state PreparingRebalance",
        "[Log partition=orders-{n}] Rolled new log segment at offset {id}",
    ),
    "external": (),
}
VERBS = ("GET", "GET", "POST")
MOST_LINES = 4
"""Lines of one template per service and interval: loggers are rate-limited, and so is the volume here."""


@dataclass(frozen=True, slots=True)
class _Complaint:
    severity: str
    template: str


TIMEOUT = _Complaint("ERROR", "call to {peer} failed: context deadline exceeded after {ms}ms (attempt {n})")
FAILED = _Complaint("WARN", "upstream {peer} answered 503 for request {id}, giving up after {n} attempts")
POOL = _Complaint(
    "ERROR",
    "could not obtain connection to {peer} from pool: timed out after {ms}ms (active={size}, pending={n})",
)
SHED = _Complaint("WARN", "request queue full, rejecting request {id} (queue={n})")
DATABASE_SLOW = _Complaint("WARN", "duration: {ms}.{n} ms  statement: SELECT * FROM orders WHERE id = $1")
LOCK = _Complaint("ERROR", 'canceling statement due to lock timeout: relation "orders" waited {ms} ms')
OOM_COMMAND = _Complaint("ERROR", "OOM command not allowed when used memory > 'maxmemory'. key=sess:{id}")
INTERNAL = _Complaint("ERROR", "unhandled exception while processing request {id}: IllegalStateException")
GC = _Complaint("WARN", "GC overhead: paused {ms}ms, heap {pct}% after collection")
CPU = _Complaint("WARN", "request {id} spent {ms}ms on the event loop")
FULL_MEMORY = _Complaint("WARN", "OOM command not allowed when used memory > 'maxmemory' (used {pct}%)")


class Logger:
    """Draws the lines of a chunk from what the plant went through."""

    def __init__(self, system: System, wiring: Wiring, names: Names, rng: np.random.Generator) -> None:
        self.system = system
        self.wiring = wiring
        self.names = names
        self.rng = rng
        self._parts: list[dict[str, NDArray[Any]]] = []

    def lines(self, chunk: Chunk) -> dict[str, NDArray[Any]]:
        """All log rows of a chunk, as columns; strings but `body` as numbers of `names`."""
        self._parts = []
        self._traffic(chunk)
        self._trouble_on_edges(chunk)
        self._trouble_within(chunk)
        if not self._parts:
            return {name: np.empty(0, kind) for name, kind in _COLUMNS.items()}
        return {name: np.concatenate([part[name] for part in self._parts]) for name in _COLUMNS}

    def _traffic(self, chunk: Chunk) -> None:
        for s, service in enumerate(self.system.services):
            templates = ROUTES[service.kind]
            if not templates or not service.logs:
                continue
            rate = chunk.service["rate"][:, s]
            busy = np.minimum(0.02 * rate, 0.12) if service.kind == "service" else np.full(len(rate), 0.01)
            for template in templates:
                expected = busy * chunk.interval_s / len(templates)
                self._say(chunk, s, self.rng.poisson(expected), "INFO", template, "p50_s")

    def _trouble_on_edges(self, chunk: Chunk) -> None:
        for row, e in enumerate(self.wiring.edges):
            edge = self.system.edges[e]
            caller = int(chunk.edge["caller"][0, row])
            if not self.system.services[caller].logs:
                continue
            column = chunk.edge[:, row]
            calls = column["calls"] * chunk.interval_s
            late, refused = column["timeouts"], column["pool_refused"]
            other = np.maximum(column["fail"] - late - refused, 0.0)
            callee = self.system.service(edge.callee)
            write_errors = callee.kind == "cache" and not callee.evicts
            for share, complaint in (
                (late, TIMEOUT),
                (refused, POOL),
                (other, OOM_COMMAND if write_errors else FAILED),
            ):
                self._complain(chunk, caller, calls * share, complaint, peer=edge.callee, size=edge.pool)

    def _trouble_within(self, chunk: Chunk) -> None:
        for s, service in enumerate(self.system.services):
            if not service.logs:
                continue
            first = int(chunk.service["first"][0, s])
            mine = slice(first, first + int(chunk.service["count"][0, s]))
            rate = chunk.service["rate"][:, s] * chunk.interval_s
            if service.kind == "database":
                self._complain(chunk, s, rate * (chunk.service["p95_s"][:, s] > 0.25), DATABASE_SLOW)
                self._complain(chunk, s, rate * (chunk.service["lock_wait_s"][:, s] > 0.05), LOCK)
            elif service.kind == "cache":
                failing = chunk.service["error_rate"][:, s] - service.error
                self._complain(chunk, s, rate * failing, FULL_MEMORY)
            elif service.kind == "service":
                instance = chunk.instance[:, mine]
                self._complain(chunk, s, rate * service.error, INTERNAL)
                self._complain(
                    chunk, s, rate * (instance["backlog"].max(1) > 0.9 * service.queue_limit), SHED
                )
                memory = instance["memory"].max(1) / (service.limit_mb * 1e6)
                pressed = (instance["gc"].max(1) > 0.3) | (memory > 0.92)
                self._complain(chunk, s, 3.0 * pressed, GC)
                self._complain(chunk, s, 2.0 * (instance["throttled"].max(1) > 0.35), CPU)

    def _complain(
        self, chunk: Chunk, s: int, expected: NDArray[Any], what: _Complaint, **words: object
    ) -> None:
        if float(expected.max()) < 1e-6:
            return
        counts = np.minimum(self.rng.poisson(np.clip(expected, 0.0, 1e6)), MOST_LINES)
        self._say(chunk, s, counts, what.severity, what.template, "p95_s", **words)

    def _say(
        self,
        chunk: Chunk,
        s: int,
        counts: NDArray[np.int64],
        severity: str,
        template: str,
        scale: str,
        **words: object,
    ) -> None:
        """Write `counts[t]` lines of one template in each interval, on instances that are up."""
        t = np.repeat(np.arange(len(counts)), counts)
        slot = int(chunk.service["first"][0, s]) + self.rng.integers(
            0, int(chunk.service["count"][0, s]), len(t)
        )
        n = len(t)
        jitter = self.rng.random(n)
        duration = 1000.0 * chunk.service[scale][t, s] * np.exp(self.rng.normal(0.0, 0.4, n))
        ids, small, verb = (
            self.rng.integers(low, high, n) for low, high in ((16**7, 16**8), (1, 64), (0, 3))
        )
        alive = chunk.instance["up"][t, slot] > 0.0
        if not alive.any():
            return
        render = template.format
        service = self.system.services[s].name
        bodies = [
            render(id=f"{i:x}", ms=max(1, round(d)), n=k, pct=k + 30, verb=VERBS[v], service=service, **words)
            for i, d, k, v in zip(
                ids[alive].tolist(), duration[alive].tolist(), small[alive].tolist(), verb[alive].tolist(),
                strict=True,
            )
        ]  # fmt: skip
        n = len(bodies)
        self._parts.append(
            {
                "ts_ms": ((chunk.end_s[t] - jitter * chunk.interval_s) * 1000.0)[alive].astype(np.int64),
                "service": np.full(n, self.names.id(service), np.int32),
                "instance": chunk.names[t, slot][alive],
                "severity": np.full(n, self.names.id(severity), np.int32),
                "body": np.array(bodies, object),
            }
        )


_COLUMNS = {
    "ts_ms": np.int64,
    "service": np.int32,
    "instance": np.int32,
    "severity": np.int32,
    "body": object,
}

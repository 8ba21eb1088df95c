"""Log lines as such services write them: some traffic when all is well, complaints where it hurts."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from streams.simulator.chunk import Chunk
from streams.simulator.graph import System
from streams.simulator.state import Wiring
from streams.simulator.templates import (
    CARELESS,
    CARELESS_PER_S,
    CPU,
    DATABASE_SLOW,
    FAILED,
    FULL_MEMORY,
    GC,
    HOSTILE,
    HOSTILE_PER_S,
    INTERNAL,
    LOCK,
    MOST_LINES,
    OOM_COMMAND,
    POOL,
    ROUTES,
    SHED,
    TIMEOUT,
    TOO_MANY,
    VERBS,
    Complaint,
)  # fmt: skip
from streams.simulator.writer import Names


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
            said = [(template, busy / len(templates)) for template in templates]
            if service.kind == "service":
                awake = (rate > 0.0) * 1.0
                said += [(template, awake * CARELESS_PER_S / len(CARELESS)) for template in CARELESS]
                said += [(template, awake * HOSTILE_PER_S / len(HOSTILE)) for template in HOSTILE]
            for template, per_s in said:
                self._say(chunk, s, self.rng.poisson(per_s * chunk.interval_s), "INFO", template, "p50_s")

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
                full = chunk.service["connections"][:, s] * chunk.service["connection_error"][:, s]
                self._complain(chunk, s, full, TOO_MANY)
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
        self, chunk: Chunk, s: int, expected: NDArray[Any], what: Complaint, **words: object
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
            render(
                id=f"{i:x}", ms=max(1, round(d)), n=k, pct=k + 30, verb=VERBS[v], service=service,
                email=f"user{i % 4999}@example.org", ip=f"203.0.113.{i % 250}",
                token=f"{i * k:016x}", **words,
            )
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

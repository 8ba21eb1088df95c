"""Log lines as such services write them: some traffic when all is well, complaints where it hurts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

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
        self._rows: list[tuple[int, int, int, int, int]] = []

    def lines(self, chunk: Chunk) -> dict[str, NDArray[np.generic]]:
        """All log rows of a chunk, as columns; strings as numbers of `names`."""
        self._rows = []
        self._traffic(chunk)
        self._trouble_on_edges(chunk)
        self._trouble_within(chunk)
        columns = np.array(self._rows, np.int64).reshape(-1, 5)
        return {
            "ts_ms": columns[:, 0],
            **{
                name: columns[:, i + 1].astype(np.int32)
                for i, name in enumerate(("service", "instance", "severity", "body"))
            },
        }

    def _traffic(self, chunk: Chunk) -> None:
        for s, service in enumerate(self.system.services):
            templates = ROUTES[service.kind]
            if not templates or not service.logs:
                continue
            busy = np.minimum(0.02 * chunk.service["rate"][:, s], 0.12) if service.kind == "service" else 0.01
            expected = busy * chunk.interval_s * (chunk.service["up_share"][:, s] > 0)
            for t, n in enumerate(self.rng.poisson(expected)):
                for _ in range(n):
                    template = templates[int(self.rng.integers(len(templates)))]
                    self._say(chunk, t, s, "INFO", template, p50_s=chunk.service["p50_s"][t, s])

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
        owner = chunk.instance["service"][0]
        for s, service in enumerate(self.system.services):
            if not service.logs:
                continue
            mine = np.nonzero(owner == s)[0]
            rate = chunk.service["rate"][:, s] * chunk.interval_s
            backlog = chunk.instance["backlog"][:, mine].max(axis=1)
            gc = chunk.instance["gc"][:, mine].max(axis=1)
            memory = chunk.instance["memory"][:, mine].max(axis=1) / (service.limit_mb * 1e6)
            wait = chunk.service["lock_wait_s"][:, s]
            slow = chunk.service["p95_s"][:, s]
            own = np.full(len(rate), service.error)
            if service.kind == "database":
                self._complain(chunk, s, rate * (slow > 0.25), DATABASE_SLOW)
                self._complain(chunk, s, rate * (wait > 0.05), LOCK)
            elif service.kind == "cache":
                self._complain(chunk, s, rate * (chunk.service["error_rate"][:, s] - own), FULL_MEMORY)
            elif service.kind == "service":
                self._complain(chunk, s, rate * own, INTERNAL)
                full = backlog > 0.9 * service.queue_limit
                self._complain(chunk, s, rate * full, SHED)
                self._complain(chunk, s, 3.0 * ((gc > 0.3) | (memory > 0.92)), GC, pct=memory)
                saturated = chunk.instance["throttled"][:, mine].max(axis=1)
                self._complain(chunk, s, 2.0 * (saturated > 0.35), CPU)

    def _complain(
        self, chunk: Chunk, s: int, expected: NDArray[np.float64], what: _Complaint, **words: object
    ) -> None:
        counts = np.minimum(self.rng.poisson(np.clip(expected, 0.0, 1e6)), MOST_LINES)
        for t in np.nonzero(counts)[0]:
            for _ in range(int(counts[t])):
                self._say(
                    chunk,
                    int(t),
                    s,
                    what.severity,
                    what.template,
                    p50_s=chunk.service["p95_s"][t, s],
                    **words,
                )

    def _say(
        self, chunk: Chunk, t: int, s: int, severity: str, template: str, *, p50_s: float, **words: object
    ) -> None:
        first, count = int(chunk.service["first"][t, s]), int(chunk.service["count"][t, s])
        up = [i for i in range(first, first + count) if chunk.instance["up"][t, i] > 0.0]
        if not up:
            return
        slot = up[int(self.rng.integers(len(up)))]
        draw: Callable[[int, int], int] = lambda low, high: int(self.rng.integers(low, high))  # noqa: E731
        pct = words.pop("pct", None)
        body = template.format(
            service=self.system.services[s].name,
            verb=("GET", "GET", "POST")[draw(0, 3)],
            id=f"{draw(16**7, 16**8):x}",
            ms=max(1, round(1000 * p50_s * float(np.exp(self.rng.normal(0, 0.4))))),
            n=draw(1, 64),
            pct=round(100 * float(pct[t])) if isinstance(pct, np.ndarray) else draw(1, 100),
            **words,
        )
        ts = int((chunk.end_s[t] - self.rng.random() * chunk.interval_s) * 1000)
        self._rows.append(
            (ts, self.names.id(self.system.services[s].name), int(chunk.names[t, slot]),
             self.names.id(severity), self.names.id(body))
        )  # fmt: skip

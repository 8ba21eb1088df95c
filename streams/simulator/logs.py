"""Log lines as such services write them: some traffic when all is well, complaints where it hurts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from string import Formatter
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

NEVER = 1e-6
"""Templates expected less often than this in every interval are not drawn at all."""


@dataclass(frozen=True, slots=True)
class Talk:
    """One service's lines of one template over a chunk."""

    service: int
    expected: NDArray[Any]
    """Lines in each interval, on average."""
    what: Complaint
    most: int = 1_000_000
    """Lines in an interval at most."""
    scale: str = "p50_s"
    """The service's number of which a line's duration is a multiple."""
    peer: str = ""
    size: int = 0


class Logger:
    """Draws the lines of a chunk from what the plant went through."""

    def __init__(self, system: System, wiring: Wiring, names: Names, rng: np.random.Generator) -> None:
        self.system = system
        self.wiring = wiring
        self.names = names
        self.rng = rng

    def lines(self, chunk: Chunk) -> dict[str, NDArray[Any]]:
        """All log rows of a chunk, as columns; strings but `body` as numbers of `names`."""
        talks = [
            talk
            for source in (self._traffic, self._trouble_on_edges, self._trouble_within)
            for talk in source(chunk)
            if float(talk.expected.max()) >= NEVER
        ]
        if not talks:
            return {name: np.empty(0, kind) for name, kind in _COLUMNS.items()}
        return self._say(chunk, talks)

    def _traffic(self, chunk: Chunk) -> Iterator[Talk]:
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
                yield Talk(s, per_s * chunk.interval_s, Complaint("INFO", template))

    def _trouble_on_edges(self, chunk: Chunk) -> Iterator[Talk]:
        calls = chunk.edge["calls"] * chunk.interval_s
        late, refused = chunk.edge["timeouts"], chunk.edge["pool_refused"]
        other = np.maximum(chunk.edge["fail"] - late - refused, 0.0)
        for row, e in enumerate(self.wiring.edges):
            edge = self.system.edges[e]
            caller = int(chunk.edge["caller"][0, row])
            if not self.system.services[caller].logs:
                continue
            callee = self.system.service(edge.callee)
            write_errors = callee.kind == "cache" and not callee.evicts
            for share, complaint in (
                (late, TIMEOUT),
                (refused, POOL),
                (other, OOM_COMMAND if write_errors else FAILED),
            ):
                yield _trouble(
                    caller, calls[:, row] * share[:, row], complaint, peer=edge.callee, size=edge.pool
                )

    def _trouble_within(self, chunk: Chunk) -> Iterator[Talk]:
        for s, service in enumerate(self.system.services):
            if not service.logs:
                continue
            first = int(chunk.service["first"][0, s])
            mine = slice(first, first + int(chunk.service["count"][0, s]))
            rate = chunk.service["rate"][:, s] * chunk.interval_s
            if service.kind == "database":
                yield _trouble(s, rate * (chunk.service["p95_s"][:, s] > 0.25), DATABASE_SLOW)
                yield _trouble(s, rate * (chunk.service["lock_wait_s"][:, s] > 0.05), LOCK)
                full = chunk.service["connections"][:, s] * chunk.service["connection_error"][:, s]
                yield _trouble(s, full, TOO_MANY)
            elif service.kind == "cache":
                yield _trouble(s, rate * (chunk.service["error_rate"][:, s] - service.error), FULL_MEMORY)
            elif service.kind == "service":
                instance = chunk.instance[:, mine]
                yield _trouble(s, rate * service.error, INTERNAL)
                yield _trouble(s, rate * (instance["backlog"].max(1) > 0.9 * service.queue_limit), SHED)
                memory = instance["memory"].max(1) / (service.limit_mb * 1e6)
                pressed = (instance["gc"].max(1) > 0.3) | (memory > 0.92)
                yield _trouble(s, 3.0 * pressed, GC)
                yield _trouble(s, 2.0 * (instance["throttled"].max(1) > 0.35), CPU)

    def _say(self, chunk: Chunk, talks: Sequence[Talk]) -> dict[str, NDArray[Any]]:
        """Draw how many lines come when, and write them, on instances that are up."""
        expected = np.clip(np.stack([talk.expected for talk in talks]), 0.0, 1e6)
        counts = np.minimum(self.rng.poisson(expected), np.array([[talk.most] for talk in talks]))
        number, t = (np.repeat(index.ravel(), counts.ravel()) for index in np.indices(counts.shape))
        service = np.array([talk.service for talk in talks])[number]
        first, count = (chunk.service[name][0][service] for name in ("first", "count"))
        n = len(t)
        slot = first + (self.rng.random(n) * count).astype(np.int64)
        share, jitter = self.rng.random(n), np.exp(self.rng.normal(0.0, 0.4, n))
        ids, small, verb = (
            self.rng.integers(low, high, n) for low, high in ((16**7, 16**8), (1, 64), (0, 3))
        )
        alive = chunk.instance["up"][t, slot] > 0.0
        number, t, slot, service = number[alive], t[alive], slot[alive], service[alive]
        median = np.array([talk.scale == "p50_s" for talk in talks])[number]
        usual_s = np.where(median, chunk.service["p50_s"][t, service], chunk.service["p95_s"][t, service])
        duration_ms = np.maximum(np.rint(1000.0 * usual_s * jitter[alive]), 1.0).astype(np.int64)
        drawn = (ids[alive], duration_ms, small[alive], verb[alive])
        bodies = np.empty(len(number), object)
        borders = np.searchsorted(number, np.arange(len(talks) + 1)).tolist()
        for talk, begin, end in zip(talks, borders[:-1], borders[1:], strict=True):
            if begin < end:
                bodies[begin:end] = self._written(talk, *(part[begin:end].tolist() for part in drawn))
        severities = [self.names.id(talk.what.severity) for talk in talks]
        services = [self.names.id(one.name) for one in self.system.services]
        stamp_s = chunk.end_s[t] - share[alive] * (chunk.end_s - chunk.since_s)[t]
        return {
            "ts_ms": (stamp_s * 1000.0).astype(np.int64),
            "service": np.array(services, np.int32)[service],
            "instance": chunk.names[t, slot],
            "severity": np.array(severities, np.int32)[number],
            "body": bodies,
        }

    def _written(
        self, talk: Talk, ids: list[int], ms: list[int], small: list[int], verb: list[int]
    ) -> list[str]:
        service = self.system.services[talk.service].name
        frame, names = _compiled(talk.what.template, service, talk.peer, talk.size)
        if not names:
            return [frame % ()] * len(ids)
        columns = [_VARYING[name](ids, ms, small, verb) for name in names]
        return [frame % row for row in zip(*columns, strict=True)]


def _trouble(service: int, expected: NDArray[Any], what: Complaint, peer: str = "", size: int = 0) -> Talk:
    return Talk(service, expected, what, MOST_LINES, "p95_s", peer, size)


@cache
def _compiled(template: str, service: str, peer: str, size: int) -> tuple[str, tuple[str, ...]]:
    """A template in which only what differs from line to line is left open, as `%s`, and its names."""
    fixed = {"service": service, "peer": peer, "size": str(size)}
    frame, names = "", []
    for text, name, _, _ in Formatter().parse(template):
        frame += text.replace("%", "%%")
        if name in fixed:
            frame += fixed[name].replace("%", "%%")
        elif name:
            frame += "%s"
            names.append(name)
    return frame, tuple(names)


Drawn = list[int]
_VARYING: dict[str, Callable[[Drawn, Drawn, Drawn, Drawn], list[Any]]] = {
    "id": lambda ids, ms, small, verb: [f"{i:x}" for i in ids],
    "ms": lambda ids, ms, small, verb: ms,
    "n": lambda ids, ms, small, verb: small,
    "pct": lambda ids, ms, small, verb: [k + 30 for k in small],
    "verb": lambda ids, ms, small, verb: [VERBS[v] for v in verb],
    "email": lambda ids, ms, small, verb: [f"user{i % 4999}@example.org" for i in ids],
    "ip": lambda ids, ms, small, verb: [f"203.0.113.{i % 250}" for i in ids],
    "token": lambda ids, ms, small, verb: [f"{i * k:016x}" for i, k in zip(ids, small, strict=True)],
}


_COLUMNS = {
    "ts_ms": np.int64,
    "service": np.int32,
    "instance": np.int32,
    "severity": np.int32,
    "body": object,
}

"""Random systems of realistic shape, sized as their owners would have sized them."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from streams.simulator.graph import Edge, Service, System, Topic
from streams.simulator.load import Entry
from streams.simulator.rehearsal import rehearsed
from streams.simulator.sizing import proven, sized
from streams.simulator.stores import STORE_MAKERS
from streams.simulator.vocabulary import ENTRANCES, STORES, service_names

LANGUAGES = ("java", "go", "node", "python")


@dataclass(frozen=True)
class World:
    """A system and the load that it was built for."""

    system: System
    entries: tuple[Entry, ...]


def random_world(rng: np.random.Generator, services: int | None = None) -> World:
    """Draw a system of 8 to 200 services (log-uniform unless given) and its load, with capacity for it."""
    drawn = random_system(rng, services)
    planned = proven(sized(drawn.system, drawn.entries, rng), drawn.entries)
    return World(rehearsed(planned, drawn.entries), drawn.entries)


def random_system(rng: np.random.Generator, services: int | None = None) -> World:
    """Draw a system and its load; its capacity is not planned yet.

    Callers are chosen by preferential attachment, so that a few services are called by many; stores are
    private or shared; some services emit little, some calls are in no diagram, some drawn calls are gone.
    """
    count = services or round(math.exp(rng.uniform(math.log(8), math.log(200))))
    return _Builder(rng, count).build()


class _Builder:
    def __init__(self, rng: np.random.Generator, count: int) -> None:
        self.rng = rng
        self.types = [f"t{i}" for i in range(int(rng.integers(2, 6)))]
        self.user_types = list(self.types)
        self.prometheus = float(rng.choice([0.0, 0.2, 1.0]))
        self.meshed = float(rng.choice([0.0, 0.3, 0.9]))
        stores = max(1, round(count * rng.uniform(0.12, 0.22)))
        caches = max(1, round(count * rng.uniform(0.04, 0.1)))
        brokers = 1 if count < 60 else int(rng.integers(1, 3))
        externals = max(1, round(count * rng.uniform(0.03, 0.07)))
        entrances = min(1 + int(rng.poisson(0.8 + count / 60)), len(ENTRANCES), max(1, count // 4))
        self.plain = max(3, count - stores - caches - brokers - externals - entrances)
        self.counts = {"database": stores, "cache": caches, "broker": brokers, "external": externals}
        self.entrances = list(rng.permutation(ENTRANCES)[:entrances])
        self.services: list[Service] = []
        self.edges: list[Edge] = []
        self.topics: list[Topic] = []

    def build(self) -> World:
        rng = self.rng
        names = service_names(rng)
        for name in self.entrances:
            self.services.append(self._service(name, layer=0))
        inner = [next(names) for _ in range(self.plain)]
        for name in inner:
            self.services.append(self._service(name, layer=1))
        self._calls(self.entrances, inner)
        stores = {kind: self._stores(kind, inner) for kind in self.counts}
        self._attach(inner, stores)
        entries = tuple(self._entries())
        topics = self._publish(inner, stores["broker"])
        system = System(
            name=f"world-{rng.integers(16**4, 16**5):x}",
            services=tuple(self.services),
            edges=tuple(self.edges),
            request_types=tuple(self.types),
            topics=tuple(topics),
            stale_edges=self._stale(inner),
            sampled=float(rng.choice([1.0, 1.0, 0.5, 0.1])),
        )
        return World(system, entries)

    def _service(self, name: str, layer: int) -> Service:
        rng = self.rng
        language = str(rng.choice(LANGUAGES))
        return Service(
            name=name,
            cpu_ms=float(np.exp(rng.normal(math.log(1.5 if layer == 0 else 4.0), 0.7))),
            wait_ms=float(np.exp(rng.normal(0.0, 0.8))),
            tail=float(rng.uniform(2.8, 5.0)),
            error=float(10 ** rng.uniform(-4.5, -2.5)),
            language=language,
            alloc_kb=float(rng.uniform(40, 250)) if language in ("java", "node") else 0.0,
            memory_mb=float(rng.uniform(120, 900)),
            request_kb=float(rng.uniform(100, 600)),
            version=f"{rng.integers(1, 6)}.{rng.integers(0, 40)}.{rng.integers(0, 9)}",
            monitored=bool(layer == 0 or rng.random() > 0.05),
            traced=bool(layer == 0 or rng.random() > 0.12),
            dialect="prometheus" if rng.random() < self.prometheus else "otel",
            logs=bool(rng.random() > 0.1),
            sidecar=bool(rng.random() < self.meshed),
            declared=bool(layer == 0 or rng.random() > 0.06),
            deploys_per_day=float(np.clip(np.exp(rng.normal(math.log(0.35), 1.3)), 0.03, 20.0)),
        )

    def _mix(self, share: float = 0.7) -> dict[str, float]:
        """Calls per request, for a random share of the user's request types."""
        rng = self.rng
        chosen = [t for t in self.user_types if rng.random() < share] or [str(rng.choice(self.user_types))]
        base = float(np.clip(np.exp(rng.normal(-0.35, 0.5)), 0.1, 2.0))
        return {t: round(float(base * rng.uniform(0.6, 1.3)), 3) for t in chosen}

    def _edge(self, caller: str, callee: str, calls: dict[str, float], **more: object) -> Edge:
        rng = self.rng
        optional = rng.random() < 0.2
        base = Edge(
            caller,
            callee,
            calls,
            timeout_s=float(rng.choice([0.5, 1, 1.5, 2, 3, 5, 10])),
            retries=int(rng.choice([0, 1, 2, 3], p=[0.45, 0.3, 0.2, 0.05])),
            pool=int(rng.choice([0, 0, 8, 16, 32])),
            critical=float(rng.uniform(0.0, 0.3)) if optional else 1.0,
            breaker=bool(rng.random() < 0.2),
            rtt_ms=float(rng.uniform(0.2, 1.0)) + self._through_sidecars(caller, callee),
            declared=bool(rng.random() > 0.08),
            observed=bool(rng.random() > 0.02),
        )
        return replace(base, **more)  # type: ignore[arg-type]

    def _through_sidecars(self, *ends: str) -> float:
        """Milliseconds that a call spends in the proxies beside its two ends."""
        return sum(1.2 for service in self.services if service.name in ends and service.sidecar)

    def _calls(self, entrances: list[str], inner: list[str]) -> None:
        """A directed acyclic graph: everyone is reached, popular callees become more popular."""
        rng = self.rng
        popularity = np.ones(len(inner))
        for i, callee in enumerate(inner):
            above = [*entrances, *inner[:i]]
            # Depth stays that of real systems, four to seven hops, by preferring early callers.
            weights = 1.0 / (1.0 + np.arange(len(above))) ** 0.45
            self.edges.append(self._edge(_pick(rng, above, weights), callee, self._mix()))
        for i, caller in enumerate([*entrances, *inner]):
            below = inner if i < len(entrances) else inner[i - len(entrances) + 1 :]
            if not below:
                continue
            weights = popularity[-len(below) :]
            for _ in range(int(rng.poisson(1.1))):
                callee = _pick(rng, below, weights)
                if any(e.caller == caller and e.callee == callee for e in self.edges):
                    continue
                popularity[inner.index(callee)] += 1.5
                self.edges.append(self._edge(caller, callee, self._mix(0.5)))

    def _stores(self, kind: str, inner: list[str]) -> list[str]:
        rng = self.rng
        made = []
        for number in range(self.counts[kind]):
            owner = inner[int(rng.integers(len(inner)))]
            name = f"{owner.split('-')[0]}{rng.choice(STORES[kind])}"
            if any(s.name == name for s in self.services):
                name = f"{name}-{number}"
            made.append(name)
            self.services.append(STORE_MAKERS[kind](rng, name, self.user_types))
        return made

    def _attach(self, inner: list[str], stores: dict[str, list[str]]) -> None:
        rng = self.rng
        users: dict[str, int] = {}
        for name in inner:
            if rng.random() < 0.55:
                store = stores["database"][int(len(stores["database"]) * rng.random() ** 1.6)]
                users[store] = users.get(store, 0) + 1
                cached = rng.random() < 0.35
                cache = str(rng.choice(stores["cache"])) if cached else None
                if cache:
                    self._link(name, cache, {t: 1.0 for t in self.user_types}, timeout_s=0.5, critical=0.0)
                calls = {t: round(float(rng.uniform(0.5, 2.5)), 2) for t in self.user_types}
                self._link(name, store, calls, pool=int(rng.choice([8, 12, 16, 24])), behind=cache)
            elif rng.random() < 0.3:
                self._link(name, str(rng.choice(stores["cache"])), {t: 1.2 for t in self.user_types},
                           timeout_s=0.5, critical=float(rng.choice([0.0, 1.0])))  # fmt: skip
        for provider in stores["external"]:
            for name in rng.permutation(inner)[: int(rng.integers(1, 3))]:
                self._link(str(name), provider, self._mix(0.4), timeout_s=float(rng.choice([2, 4, 8])))
        for kind in ("database", "cache"):
            for store in stores[kind]:
                if not any(e.callee == store for e in self.edges):
                    self._link(str(rng.choice(inner)), store, {t: 1.0 for t in self.user_types}, pool=12)

    def _link(self, caller: str, callee: str, calls: dict[str, float], **more: object) -> None:
        if not any(e.caller == caller and e.callee == callee for e in self.edges):
            self.edges.append(self._edge(caller, callee, calls, **more))

    def _entries(self) -> list[Entry]:
        rng = self.rng
        peak = float(rng.choice([9.5, 12.0, 14.0, 19.0, 20.5]))
        entries: list[Entry] = []
        for entrance in self.entrances:
            for request_type in self.user_types:
                if len(entries) > 1 and rng.random() < 0.3:
                    continue
                entries.append(
                    Entry(
                        entrance,
                        request_type,
                        peak_rps=float(np.exp(rng.normal(math.log(18.0), 0.9))),
                        peak_hour=peak + float(rng.normal(0, 1.0)),
                        night=float(rng.uniform(0.12, 0.5)),
                        weekend=float(rng.uniform(0.4, 1.3)),
                        wander=float(rng.uniform(0.03, 0.12)),
                        burst=float(rng.uniform(0.02, 0.12)),
                    )
                )
        return entries

    def _publish(self, inner: list[str], brokers: list[str]) -> list[Topic]:
        """Topics whose consumers may stand anywhere, also above their producers: cycles through time."""
        rng = self.rng
        topics: list[Topic] = []
        taken: set[str] = set()
        for number in range(max(1, min(6, len(inner) // 12 + int(rng.integers(0, 2))))):
            free = [n for n in inner if n not in taken]
            if len(free) < 3:
                break
            producer, consumer = (str(n) for n in rng.permutation(free)[:2])
            broker, name, kind = str(rng.choice(brokers)), f"topic-{number}", f"m{number}"
            if any(e.caller == producer and e.callee == broker for e in self.edges):
                continue
            taken |= {producer, consumer}
            self.types.append(kind)
            self.edges.append(
                self._edge(
                    producer, broker, {t: 0.5 for t in self.user_types}, topic=name, pool=0, timeout_s=3.0
                )
            )
            if not any(e.caller == consumer and e.callee == broker for e in self.edges):
                self.edges.append(self._edge(consumer, broker, {kind: 1.0}, pool=0, timeout_s=5.0))
            self._also(consumer, kind)
            topics.append(Topic(name, broker, consumer, kind))
        for broker in brokers:
            if not any(e.callee == broker for e in self.edges):
                self._link(inner[0], broker, {self.user_types[0]: 0.2}, pool=0)
        return topics

    def _also(self, consumer: str, kind: str) -> None:
        """Messages make the consumer use its own stores, as requests do."""
        stores = {s.name for s in self.services if s.kind in ("database", "cache")}
        for i, edge in enumerate(self.edges):
            if edge.caller == consumer and edge.callee in stores and isinstance(edge.calls, dict):
                self.edges[i] = replace(edge, calls={**edge.calls, kind: 1.0})

    def _stale(self, inner: list[str]) -> tuple[tuple[str, str], ...]:
        rng = self.rng
        pairs = {(e.caller, e.callee) for e in self.edges}
        drawn = []
        for _ in range(max(1, round(0.06 * len(pairs)))):
            caller, callee = (str(n) for n in rng.permutation(inner)[:2])
            if (caller, callee) not in pairs:
                drawn.append((caller, callee))
        return tuple(drawn)


def _pick(rng: np.random.Generator, names: list[str], weights: np.ndarray) -> str:
    return str(names[int(rng.choice(len(names), p=weights / weights.sum()))])

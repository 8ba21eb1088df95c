"""`headwater bench cause`: milliseconds to score one incident, and to ask a large graph for neighbours.

The incident: a graph of 1,000 services, 200 anomalies on the services above one ill database, 50 changes of
the last days. Peers on the same graph and the same anomalies: personalised PageRank of networkx (the core of
MicroRCA and its kin), and sorting by the largest deviation. The graph: 10,000 entities, 100,000 edges. Times
are the processor's, so that they depend little on what else the machine does.

With `--recordings` also whom it names, and whom BARO, N-Sigma and simple rules name, on labelled recordings.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import thread_time
from typing import Any

import cause_told

from correlator.engine import Engine
from correlator.evidence import Change, ChangeKind, Edge, EdgeSource, Progress
from correlator.grouping import surroundings
from correlator.publication import compose
from correlator.ranking import rank
from correlator.revision import picture
from correlator.topology import Topology
from detectors.anomaly import Anomaly, Family, Signal, anomaly_id

NOW_MS = 1_790_000_010_000 // 15_000 * 15_000
DAY_MS = 86_400_000
STEP_MS = 15_000
SERVICES, CALLS, ANOMALIES, CHANGES = 1_000, 3, 200, 50
ENTITIES, EDGES = 10_000, 100_000
UPDATES = 16
"""Four minutes of samples of 15 s: what shapes a ranking."""
ROUNDS = 41
ASKED = 400


def run(recordings: Path | None, scale: int, note: Callable[[str], None]) -> dict[str, Any]:
    """Return medians of `ROUNDS` repetitions, in milliseconds, and ratios to the peers.

    Parameters
    ----------
    recordings
        A recording or a folder of some: their faults are asked about as well.
    scale
        Not used: the incident is made here.
    """
    note(f"one incident among {SERVICES:,} services")
    engine = incident()
    scored = _score(engine)
    peers = _peers(engine)
    note(f"a graph of {ENTITIES:,} entities and {EDGES:,} edges")
    found: dict[str, Any] = {
        "incident": {"services": SERVICES, "anomalies": ANOMALIES, "changes": CHANGES, **scored},
        "peers_ms": peers,
        "networkx_pagerank_over_ranking": _ratio(
            peers.get("networkx_personalised_pagerank"), scored["rank_ms"]
        ),
        "topology": {"entities": ENTITIES, "edges": EDGES, **_topology()},
    }
    if recordings is not None:
        found["told"] = cause_told.run(recordings, note)
    return found


def incident(seed: int = 7) -> Engine:
    """An engine that holds one open incident of the stated size, not yet closed."""
    rng = random.Random(seed)
    engine = Engine("bench")
    calls = graph(SERVICES, SERVICES * CALLS, rng)
    for caller, callee in calls:
        engine.apply(_edge(caller, callee, EdgeSource.SERVICE_GRAPH))
        if rng.random() < 0.5:
            engine.apply(_edge(caller, callee, EdgeSource.DECLARED))
    for number in range(CHANGES):
        recent = number < CHANGES // 5
        at = NOW_MS - rng.randrange(2 * 3_600_000 if recent else 13 * DAY_MS)
        engine.apply(_change(number, f"s{rng.randrange(SERVICES)}", at))
    engine.apply(_progress(NOW_MS - 3_600_001))
    engine.apply(_progress(NOW_MS - STEP_MS))
    for anomaly in _anomalies(calls, rng):
        engine.apply(anomaly)
    for at in range(NOW_MS, NOW_MS + UPDATES * STEP_MS, STEP_MS):
        engine.apply(_progress(at))
    return engine


def graph(entities: int, edges: int, rng: random.Random) -> list[tuple[str, str]]:
    """A layered call graph: everyone but the first is called, and calls go towards higher numbers."""
    found = {(rng.randrange(max(1, n // 3), n) if n > 2 else 0, n) for n in range(1, entities)}
    while len(found) < edges:
        caller = rng.randrange(entities - 1)
        found.add((caller, rng.randrange(caller + 1, entities)))
    return [(f"s{caller}", f"s{callee}") for caller, callee in sorted(found)]


def _anomalies(calls: list[tuple[str, str]], rng: random.Random) -> list[Anomaly]:
    """Trouble of one entity and of what calls it, on its own signals and on edges, until there are enough."""
    callers: dict[str, list[str]] = {}
    for caller, callee in calls:
        callers.setdefault(callee, []).append(caller)
    root = max(callers, key=lambda s: (len(callers[s]), s))
    signals = [(root, Family.SATURATION, None), (root, Family.LATENCY, None), (root, Family.CPU, None)]
    seen, frontier = {root}, [root]
    while len(signals) < ANOMALIES:
        following = []
        for callee in frontier:
            for caller in callers.get(callee, ()):
                signals.append((caller, Family.CLIENT_LATENCY, callee))
                if caller not in seen:
                    seen.add(caller)
                    following.append(caller)
                    signals.append((caller, Family.LATENCY, None))
                    signals.append((caller, rng.choice((Family.ERROR, Family.CPU, Family.LOG)), None))
        frontier = following
    found = []
    for number, (service, family, peer) in enumerate(signals[:ANOMALIES]):
        first = NOW_MS + (number % 4) * STEP_MS
        signal = Signal(
            source="edge" if peer else "metric", metric=f"{family}_x", family=family, unit="s", peer=peer
        )
        score = 12.0 if service == root else 3.0 + 6.0 * rng.random()
        for at in range(first, NOW_MS + UPDATES * STEP_MS, STEP_MS):
            found.append(
                Anomaly(
                    id=anomaly_id("bench", service, signal, first),
                    domain="bench",
                    service=service,
                    signal=signal,
                    first_ms=first,
                    onset_ms=first - STEP_MS,
                    ts_ms=at,
                    interval_ms=STEP_MS,
                    direction="up",
                    score=score,
                    peak_score=score,
                    observed=3.0,
                    expected=1.0,
                    scale=0.1,
                )
            )
    return found


def _score(engine: Engine) -> dict[str, Any]:
    """Time the steps of a revision: gather the evidence, rank, write it down; `again`: a later revision.

    The first revision of an incident asks the graph about an instant that nobody asked about before.
    """
    first = [_revision(engine, shift_ms) for shift_ms in range(1, ROUNDS + 1)]
    again = [_revision(engine, 0) for _ in range(ROUNDS)][1:]
    steps = ("gather_ms", "rank_ms", "write_ms", "total_ms")
    return {
        **first[0][0],
        **{name: round(median(r[1][n] for r in first), 3) for n, name in enumerate(steps)},
        "again_ms": round(median(r[1][3] for r in again), 3),
    }


def _revision(engine: Engine, shift_ms: int) -> tuple[dict[str, Any], tuple[float, ...]]:
    memory = engine.memory
    state = max(memory.incidents.values(), key=lambda s: len(s.services))
    now_ms = memory.watermark_ms or 0
    from_ms, onset_ms = state.opened_ms - 2 * STEP_MS, state.onset_ms + shift_ms
    began = thread_time()
    scene = picture(memory, from_ms, now_ms, now_ms, onset_ms, state.interval_ms)
    gathered = thread_time()
    ranked = rank(scene)
    ordered = thread_time()
    incident = compose(state, scene, ranked, memory.calibration, "bench")
    done = thread_time()
    spans = (gathered - began, ordered - gathered, done - ordered, done - began)
    said = {
        "ill_services": len(scene.ill),
        "candidates": len(ranked),
        "named_first": incident.hypotheses[0].service,
    }
    return said, tuple(1000 * span for span in spans)


def _peers(engine: Engine) -> dict[str, float]:
    memory = engine.memory
    strength = {
        service: max(e.anomaly.peak_score for e in mine.values())
        for service, mine in memory.window.episodes.items()
    }
    edges = [(caller, callee) for caller, callee, _ in memory.topology.edges()]
    peers = {"largest_deviation": _median_ms(lambda: sorted(strength, key=lambda s: -strength[s]))}
    try:
        import networkx
    except ModuleNotFoundError:
        return peers
    graph = networkx.DiGraph(edges)
    peers["networkx_personalised_pagerank"] = _median_ms(
        lambda: networkx.pagerank(graph, personalization=strength)
    )
    return peers


def _topology() -> dict[str, float]:
    rng = random.Random(3)
    topology, instant = Topology(), iter(range(NOW_MS, NOW_MS + 10 * ASKED))
    calls = graph(ENTITIES, EDGES, rng)
    began = thread_time()
    for caller, callee in calls:
        topology.apply(_edge(caller, callee, EdgeSource.SERVICE_GRAPH))
    built_s = thread_time() - began
    as_of, wide, believed = [], [], []
    for service in (f"s{rng.randrange(ENTITIES)}" for _ in range(ASKED)):
        at = next(instant)  # a new instant each time: nothing is answered from memory
        as_of.append(_timed(lambda: (topology.callees(service, at), topology.callers(service, at))))  # noqa: B023
        believed.append(_timed(lambda: topology.callees(service, at, NOW_MS)))  # noqa: B023
        at = next(instant)
        wide.append(_timed(lambda: surroundings([service], topology, at)))  # noqa: B023
    as_of.sort()
    return {
        "statements_per_s": round(len(calls) / built_s),
        "neighbourhood_as_of_ms": round(median(as_of), 4),
        "neighbourhood_as_of_p99_ms": round(as_of[int(0.99 * len(as_of))], 4),
        "neighbourhood_as_believed_ms": round(median(believed), 4),
        "two_hops_as_of_ms": round(median(wide), 4),
    }


def _median_ms(work: Callable[[], object]) -> float:
    return round(median(_timed(work) for _ in range(ROUNDS)), 3)


def _timed(work: Callable[[], object]) -> float:
    began = thread_time()
    work()
    return 1000 * (thread_time() - began)


def _ratio(peer: float | None, mine: float) -> float | None:
    return None if peer is None else round(peer / mine, 2)


def _edge(caller: str, callee: str, source: EdgeSource) -> Edge:
    return Edge(
        domain="bench",
        caller=caller,
        callee=callee,
        source=source,
        first_seen_ms=NOW_MS - DAY_MS,
        last_seen_ms=NOW_MS - 3_600_000,
    )


def _change(number: int, service: str, at_ms: int) -> Change:
    return Change(
        id=f"c{number}", domain="bench", ts_ms=at_ms, kind=list(ChangeKind)[number % 5], service=service
    )


def _progress(watermark_ms: int) -> Progress:
    return Progress(domain="bench", source="bench", watermark_ms=watermark_ms)

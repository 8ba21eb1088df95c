"""The path from the root to the worst symptom, hop by hop."""

from __future__ import annotations

from itertools import pairwise

from correlator.evidence import EdgeSource
from correlator.incident import Hop
from correlator.scene import Scene
from correlator.service_evidence import FLOOR, ServiceEvidence

LONGEST = 6


def chain(root: str, scene: Scene) -> tuple[Hop, ...]:
    """Hops from `root` through ill callers to the furthest entry that suffers, most ill way first.

    Ends where no caller is ill. Each hop carries the target's onset, the lag, the edge's sources and the
    anomalies that show it.
    """
    parents: dict[str, str] = {}
    depth = {root: 0}
    frontier = [root]
    for distance in range(1, LONGEST + 1):
        following: list[str] = []
        for current in frontier:
            for neighbour in scene.callers(current):
                if neighbour.service not in depth and scene.severity(neighbour.service) > 0:
                    depth[neighbour.service] = distance
                    parents[neighbour.service] = current
                    following.append(neighbour.service)
        frontier = sorted(following, key=lambda s: (-scene.severity(s), s))
    ends = [s for s in depth if s != root]
    if not ends:
        return ()
    entry = max(ends, key=lambda s: (not scene.callers(s), depth[s], scene.severity(s), s))
    path = [entry]
    while path[-1] != root:
        path.append(parents[path[-1]])
    path.reverse()
    hops = []
    for source, target in pairwise(path):
        began, ended = onset_of(scene, source), onset_of(scene, target)
        edge = scene.topology.edge(target, source, scene.onset_ms)
        hops.append(
            Hop(
                source=source,
                target=target,
                onset_ms=ended,
                lag_s=(ended - began) / 1000,
                edge_sources=edge.sources if edge else (EdgeSource.INFERRED,),
                evidence=strongest_ids(scene.evidence.get(target)),
            )
        )
    return tuple(hops)


def onset_of(scene: Scene, service: str) -> int:
    """When a service began to deviate; the incident's onset where it shows nothing."""
    mine = scene.evidence.get(service)
    began = mine.onset_ms if mine else None
    return scene.onset_ms if began is None else began


def strongest_ids(mine: ServiceEvidence | None, most: int = 3) -> tuple[str, ...]:
    """Ids of the anomalies behind a service's strongest groups."""
    if mine is None:
        return ()
    groups = sorted(mine.groups.values(), key=lambda g: (-g.value, g.episode.anomaly.id))
    return tuple(g.episode.anomaly.id for g in groups[:most] if g.value > FLOOR)


def discovered(hops: tuple[Hop, ...]) -> tuple[str, ...]:
    """Edges of the chain that nothing declares, as `caller → callee`."""
    return tuple(f"{h.target} → {h.source}" for h in hops if EdgeSource.DECLARED not in h.edge_sources)

"""The path from the root to the worst symptom, hop by hop."""

from __future__ import annotations

from itertools import pairwise

from correlator.evidence import EdgeSource
from correlator.harm import felt_on, loudness, speaks_of
from correlator.incident import Hop
from correlator.scene import Scene
from correlator.service_evidence import FLOOR, ServiceEvidence

LONGEST = 6
FELT = 1.0
"""e times the latency, or a quarter of the requests failed: for less the way goes on no further."""
NOTED = 0.2
"""A fifth longer, or a twentieth of the calls failed: what a caller that is not ill itself still notes."""
UNBEARABLE = 3.5
"""Thirty times the latency, or nine tenths of the calls failed: no retry and no fallback hides so much."""


def chain(root: str, scene: Scene) -> tuple[Hop, ...]:
    """Hops from `root` through ill callers to the loudest symptom, and on to the entry that users see.

    The way is the shortest through services that deviate; among equally short ones each hop is taken where
    the edge shows most. Each hop carries the target's onset, the lag, the edge's sources and the anomalies
    that show it.
    """
    parents, depth = _spread(root, scene)
    served = [s for s in depth if s == root or scene.topology.serves(s)]
    loudest = max(served, key=lambda s: (round(loudness(s, scene), 3), -depth[s], scene.severity(s), s))
    path = _onward(_way(loudest, parents, scene), depth, scene)
    if len(path) == 1:
        path += _witness(root, scene)
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


def _witness(root: str, scene: Scene) -> list[str]:
    """The caller whose calls to the root fail or wait most, where none of them suffers visibly itself.

    A root with users of its own may be where it ends: a caller whose own answers are as good as ever makes
    up for what it gets. A datastore has no such users.
    """
    felt = [(felt_on(n.service, root, scene), n.service) for n in scene.callers(root)]
    how_much, caller = max(felt, default=(0.0, ""))
    if how_much < NOTED:
        return []
    ends = scene.topology.kind(root) == "service" and how_much < UNBEARABLE
    return [] if ends and loudness(caller, scene) == 0.0 else [caller]


def _spread(root: str, scene: Scene) -> tuple[dict[str, list[str]], dict[str, int]]:
    """(the neighbours towards the root on shortest ways, distance) of every ill dependent within reach."""
    parents: dict[str, list[str]] = {root: []}
    depth = {root: 0}
    frontier = [root]
    for distance in range(1, LONGEST + 1):
        following: list[str] = []
        for current in frontier:
            for neighbour in scene.callers(current):
                name = neighbour.service
                if name not in depth and scene.severity(name) > 0:
                    depth[name] = distance
                    parents[name] = []
                    following.append(name)
                if depth.get(name) == distance:
                    parents[name].append(current)
        frontier = sorted(following)
    return parents, depth


def _way(end: str, parents: dict[str, list[str]], scene: Scene) -> list[str]:
    """From the root to `end`, walked back along the edges that show most."""
    path = [end]
    while parents[path[-1]]:
        here = path[-1]
        path.append(
            max(
                parents[here],
                key=lambda s: (felt_on(here, s, scene), loudness(s, scene), scene.severity(s), s),
            )
        )
    path.reverse()
    return path


def _onward(path: list[str], depth: dict[str, int], scene: Scene) -> list[str]:
    """Prolong towards the users while a caller suffers, and the edge, where it is measured, shows why."""
    while len(path) <= LONGEST:
        last = path[-1]
        ahead = [
            (felt_on(n.service, last, scene), loudness(n.service, scene), n.service)
            for n in scene.callers(last)
            if n.service in depth and n.service not in path
        ]
        ahead = [
            found
            for found in ahead
            if found[1] >= FELT and (found[0] >= FELT or not speaks_of(found[2], last, scene))
        ]
        if not ahead:
            break
        path.append(max(ahead)[2])
    return path


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

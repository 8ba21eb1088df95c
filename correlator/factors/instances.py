"""New against old: whether only the instances of the new version deviate.

With E_new and E_old the strongest weighted scores of instances of the version after and before the
candidate's deploy: +1.5·(E_new − E_old)/max(E_new, E_old) when both versions run, for load, time and
neighbours are then equal for both (the comparison of canary analysis; ChangeRCA, FSE'24).
"""

from __future__ import annotations

from correlator.evidence import Change
from correlator.factors.term import Candidate, Term
from correlator.scene import Scene

NAME = "new_against_old"
WEIGHT = 1.5


def split(change: Change, scene: Scene) -> tuple[float, float, tuple[str, ...]]:
    """(largest score of new instances, of old ones, ids of the anomalies compared)."""
    mine = scene.evidence.get(change.service)
    new = old = 0.0
    ids = []
    if mine is None or change.version_after is None:
        return new, old, ()
    for episode in mine.episodes.values():
        anomaly = episode.anomaly
        version = anomaly.signal.version
        if version is None or anomaly.service != change.service:
            continue
        ids.append(anomaly.id)
        if version == change.version_after:
            new = max(new, anomaly.peak_score)
        else:
            old = max(old, anomaly.peak_score)
    return new, old, tuple(sorted(ids))


def measure(candidate: Candidate, scene: Scene) -> Term | None:
    """Positive when the new version alone deviates, negative when the old one does as much."""
    change = candidate.change
    if change is None:
        return None
    new, old, ids = split(change, scene)
    if max(new, old) <= 0:
        return None
    contrast = (new - old) / max(new, old)
    return Term(
        contrast,
        WEIGHT * contrast,
        lambda: (
            f"instances of {change.version_after} deviate 1 in 10^{new:.1f}, "
            f"of other versions 1 in 10^{old:.1f}"
        ),
        ids,
    )

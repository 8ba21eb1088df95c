"""How much of a caller's trouble one callee accounts for by amount: shares that fail, seconds that are lost.

Significance says that both deviate; amounts say whether the one is enough for the other. A service of whose
requests f fail, while e of its calls to a callee fail, has nothing left to explain once e ≥ f; one that takes
d seconds longer, while it waits w seconds longer for a callee, has d − w left. Calls that are made several
times a request, or whose failure is masked, make the share larger or smaller, so it is capped at one.
"""

from __future__ import annotations

from collections.abc import Iterable

from correlator.evidence_window import Episode
from correlator.harm import failing
from correlator.scene import Scene, once
from correlator.service_evidence import FLOOR
from correlator.significance import effect
from detectors.anomaly import Family

SERVED = frozenset({Family.LATENCY, Family.OWN_TIME})
WAITED = frozenset({Family.CLIENT_LATENCY, Family.GAP, Family.LATENCY})
SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
LEAST_FAILED = 0.005
"""Half a per cent of failed requests: below it a share says nothing about another."""
LEAST_S = 0.002


def failed(episodes: Iterable[Episode]) -> float:
    """The largest rise of a share of failed requests, 0 to 1."""
    return max(
        (failing(e) for e in episodes if e.anomaly.signal.family is Family.ERROR and _is_evidence(e)),
        default=0.0,
    )


def delayed_s(episodes: Iterable[Episode], families: frozenset[Family]) -> float:
    """The largest rise of a duration of some families, in seconds; 0 where no unit tells."""
    return max(
        (_rise_s(e) for e in episodes if e.anomaly.signal.family in families and _is_evidence(e)), default=0.0
    )


@once
def amounts(pair: tuple[str, str], scene: Scene) -> dict[str, float]:
    """Shares of the caller's failures ("err") and delay ("lat") that its calls to the callee account for."""
    caller, callee = pair
    mine = scene.evidence.get(caller)
    theirs = scene.seen.get(callee)
    if mine is None or theirs is None:
        return {}
    own = [e for e in mine.episodes.values() if e.anomaly.signal.peer in (None, caller)]
    between = [
        e for e in theirs.episodes.values() if e.anomaly.service == caller and e.anomaly.signal.peer == callee
    ]
    found = {}
    lost, passed = failed(own), failed(between)
    if lost > LEAST_FAILED and passed > 0.0:
        found["err"] = min(1.0, passed / lost)
    longer, waited = delayed_s(own, SERVED), delayed_s(between, WAITED)
    if longer > LEAST_S and waited > 0.0:
        found["lat"] = min(1.0, waited / longer)
    return found


def _rise_s(episode: Episode) -> float:
    scale = SECONDS.get(episode.anomaly.signal.unit or "")
    if scale is None or episode.worst is None or episode.anomaly.direction == "down":
        return 0.0
    return max(0.0, (episode.worst[1] - episode.worst[2]) * scale)


def _is_evidence(episode: Episode) -> bool:
    return episode.anomaly.peak_score * effect(episode) > FLOOR

"""How much users of a service feel, in what they feel: times as slow, share of requests that fail.

Improbability tells that something happened; size tells who suffers most. Both are needed, and they are not
the same: a steady series makes two per cent improbable.
"""

from __future__ import annotations

import math

from correlator.evidence_window import Episode
from correlator.scene import Scene, once
from correlator.significance import effect
from detectors.anomaly import Family

SERVED = frozenset({Family.LATENCY, Family.OWN_TIME})
WAITED = frozenset({Family.CLIENT_LATENCY, Family.LATENCY, Family.GAP})
FAILED_WEIGHT = 4.0
"""A quarter of all requests failed is felt like e times the latency."""
SEEN_FROM = 1.7
"""Score from which an episode is evidence at all."""
LEAST_S = 0.002
"""Latencies below it are all the same to a user: added before taking ratios."""


def slower(episode: Episode) -> float:
    """Natural logarithm of observed over expected latency at its worst; 0 where it is not slower."""
    if episode.worst is None or episode.anomaly.direction == "down":
        return 0.0
    _, observed, expected = episode.worst
    least = LEAST_S * (1000.0 if episode.anomaly.signal.unit == "ms" else 1.0)
    return max(0.0, math.log((max(observed, 0.0) + least) / (max(expected, 0.0) + least)))


def failing(episode: Episode) -> float:
    """Rise of the share of failed requests at its worst, 0 to 1; 0 where the signal is no share."""
    if episode.worst is None or episode.anomaly.direction == "down":
        return 0.0
    unit = episode.anomaly.signal.unit
    whole = 100.0 if unit == "%" else 1.0 if unit == "1" else 0.0
    return min(1.0, abs(episode.worst[1] - episode.worst[2]) / whole) if whole else 0.0


@once
def loudness(service: str, scene: Scene) -> float:
    """What the users of a service feel: log of times as slow, plus four times the share that fails."""
    mine = scene.evidence.get(service)
    if mine is None:
        return 0.0
    slow = fail = 0.0
    for episode in mine.episodes.values():
        signal, peer = episode.anomaly.signal, episode.anomaly.signal.peer
        if peer not in (None, service) or episode.anomaly.peak_score * effect(episode) < SEEN_FROM:
            continue
        if signal.family in SERVED:
            slow = max(slow, slower(episode))
        elif signal.family is Family.ERROR:
            fail = max(fail, failing(episode))
    return slow + FAILED_WEIGHT * fail


def felt_on(caller: str, callee: str, scene: Scene) -> float:
    """What a caller feels of one callee, by the signals of the edge between them; as `loudness`."""
    mine = scene.evidence.get(callee)
    if mine is None:
        return 0.0
    slow = fail = 0.0
    for episode in mine.episodes.values():
        anomaly = episode.anomaly
        if (anomaly.service, anomaly.signal.peer) != (caller, callee):
            continue
        if anomaly.signal.family in WAITED:
            slow = max(slow, slower(episode))
        elif anomaly.signal.family is Family.ERROR:
            fail = max(fail, failing(episode))
    return slow + FAILED_WEIGHT * fail


def speaks_of(caller: str, callee: str, scene: Scene) -> bool:
    """Whether any signal of the edge between them deviates: it is measured, then."""
    mine = scene.evidence.get(callee)
    return mine is not None and caller in mine.callers

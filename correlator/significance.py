"""Rare is not harmful: what an effect's size adds to its improbability."""

from __future__ import annotations

from collections.abc import Iterable

from correlator.evidence_window import Episode
from detectors.anomaly import Family

IDLE_UTILISATION = 0.3
"""Below it a processor delays nobody noticeably (M/M/1: waiting = u/(1 − u) < .43 service times)."""
IDLE_WEIGHT = 0.4
FULL_EFFECT: dict[Family, float] = {
    Family.LATENCY: 1.0,
    Family.OWN_TIME: 1.0,
    Family.CLIENT_LATENCY: 1.0,
    Family.GAP: 1.0,
    Family.CPU: 0.5,
}
"""Relative rise that counts in full: twice the latency, half as much CPU again. A steady series makes two per
cent improbable; nobody is woken for two per cent."""
LEAST = 0.1


def effect(episode: Episode) -> float:
    """Weight of an episode by the size of what it shows at its worst, `LEAST` to 1."""
    anomaly = episode.anomaly
    full = FULL_EFFECT.get(anomaly.signal.family)
    if full is None or episode.worst is None or anomaly.direction == "down":
        return 1.0
    _, observed, expected = episode.worst
    if expected <= 0.0:
        return 1.0
    return min(1.0, max(LEAST, (observed / expected - 1.0) / full))


def ratio(episode: Episode) -> float:
    """Observed over expected at the episode's worst; 1 where nothing was expected."""
    if episode.worst is None or episode.worst[2] <= 0.0:
        return 1.0
    return max(0.0, episode.worst[1] / episode.worst[2])


BUSY_UTILISATION = 0.7
"""From here on a processor makes its users wait (M/M/1: more than two service times)."""


def utilisation(episode: Episode) -> float | None:
    """Share of a limited resource in use at its worst, 0 to 1; None where the metric does not tell."""
    if episode.worst is None:
        return None
    signal = episode.anomaly.signal
    if signal.unit == "%":
        return max(episode.worst[1], 0.0) / 100.0
    return max(episode.worst[1], 0.0) if signal.unit == "1" and "utili" in signal.metric else None


def idleness(episodes: Iterable[Episode]) -> dict[tuple[str, str | None], float]:
    """Weight of CPU evidence by (service, instance), where some metric tells the utilisation in percent.

    A processor that went from one to three percent was asked for something; it did not run out.
    """
    found: dict[tuple[str, str | None], float] = {}
    for episode in episodes:
        anomaly = episode.anomaly
        if anomaly.signal.family is Family.CPU and anomaly.signal.unit == "%" and episode.worst:
            busy = min(1.0, max(episode.worst[1], 0.0) / 100.0 / IDLE_UTILISATION)
            key = anomaly.service, anomaly.signal.instance
            found[key] = max(found.get(key, 0.0), IDLE_WEIGHT + (1.0 - IDLE_WEIGHT) * busy)
    return found

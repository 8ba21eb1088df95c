"""When evidence is enough to wake somebody."""

from __future__ import annotations

from dataclasses import dataclass

from correlator.evidence import Change, ChangeKind
from correlator.factors.traffic import asked_for
from correlator.inference import CORES
from correlator.service_evidence import FLOOR, NEVER_ALONE, ServiceEvidence
from correlator.significance import BUSY_UTILISATION, utilisation
from detectors.anomaly import Family

OPEN_AT = 3.0
"""V at which an incident opens; from 2.5 to 4 the development systems give the same."""
ALONE = {"cpu": 6.0, "err": 6.0, "gap": 4.0, "out": 6.0, "sat": 6.0, "lat": 7.0, "log": 8.0, "flow": 8.0}
"""Weighted score at which one group corroborates itself: what the alert budget would pass alone."""
UNCORROBORATED = 0.4
"""What is left of V where nothing else agrees."""
CALLER_SUFFERS = 0.5
"""Excess in a caller's latency, errors or gap that confirms a callee's trouble."""
SLIGHT = 1.0
"""Excess of latency, errors or gap up to which its users hardly notice."""
RECENT_CHANGE_MS = 45 * 60_000
RESTARTS = frozenset({ChangeKind.DEPLOY, ChangeKind.SCALE})
WARM_UP_MS = 240_000
"""New processes fill caches and compile for minutes: expected, so it corroborates nothing."""
WARMING = 0.6
"""What is left of V of a service that warms up; real damage is several times the threshold."""


@dataclass(frozen=True, slots=True)
class Pressure:
    """How close a service is to opening an incident, and why."""

    service: str
    value: float
    corroborated: bool


def pressure(
    mine: ServiceEvidence,
    callers: list[ServiceEvidence],
    changed_recently: bool,
    warming: bool = False,
    felt: bool = False,
    leaking: bool = False,
) -> Pressure:
    """V with its corroboration: two groups agree, one is overwhelming, a caller suffers, or it was changed.

    Groups that jump without harm never open alone, however high. Neither does work of a processor that is
    not exhausted, where its users' waiting is measured (`felt`) and ordinary: somebody asked for something.
    Memory that climbs (`leaking`) will do harm, save in processes that have just begun.
    """
    strong = mine.strong_groups
    telling = [g for g in strong if g not in NEVER_ALONE]
    suffering = max((caller.suffering() for caller in callers), default=0.0)
    harm = max(suffering, mine.suffering())
    busy = {"cpu", *(g for g in telling if mine.value(g) - FLOOR <= harm)}
    known = felt or _in_cores(mine)
    if known and "cpu" in telling and set(telling) <= busy and harm <= SLIGHT and not _exhausted(mine):
        telling = []
    alone = any(mine.value(group) >= threshold for group, threshold in ALONE.items())
    if leaking and not warming:
        telling, alone = [*telling, "mem"], True
    changed = changed_recently and not warming
    corroborated = bool(telling) and (len(strong) >= 2 or alone or suffering > CALLER_SUFFERS or changed)
    if not telling and suffering <= CALLER_SUFFERS:
        return Pressure(mine.service, mine.excess * UNCORROBORATED * 0.5, False)
    value = mine.excess * (1.0 if corroborated else UNCORROBORATED) * (WARMING if warming else 1.0)
    value *= 1.0 - asked_for(mine) / max(mine.severity, 1e-9)
    worst = max((caller.excess for caller in callers), default=0.0)
    return Pressure(mine.service, value + 0.5 * min(worst, value), corroborated)


def in_maintenance(changes: list[Change], now_ms: int) -> bool:
    """Whether a declared maintenance window of the service is open: it mutes that service and nothing else.

    A change with the attribute `maintenance` (`true`, or the window's name) that has begun and not ended.
    """
    return any(
        c.attributes.get("maintenance", "false").lower() not in ("false", "no", "0", "")
        and c.ts_ms <= now_ms
        and (c.end_ms is None or now_ms < c.end_ms)
        for c in changes
    )


def _in_cores(mine: ServiceEvidence) -> bool:
    """Whether its CPU is told in cores, of which nobody knows how many it may use."""
    group = mine.groups.get("cpu")
    return group is not None and group.episode.anomaly.signal.unit in CORES


def _exhausted(mine: ServiceEvidence) -> bool:
    """Whether some processor of it is known to be nearly used up."""
    return any(
        (utilisation(episode) or 0.0) >= BUSY_UTILISATION
        for episode in mine.episodes.values()
        if episode.anomaly.signal.family is Family.CPU and episode.anomaly.signal.peer is None
    )


__all__ = ["FLOOR", "OPEN_AT", "Pressure", "pressure"]

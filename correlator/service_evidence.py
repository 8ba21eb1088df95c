"""How much speaks for each service being ill: the best of each family group, weighed by what it means."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

from correlator.evidence_window import Episode
from correlator.significance import effect, idleness
from detectors.anomaly import Family

T = TypeVar("T")

FLOOR = 1.7
"""Evidence below it is noise: about one sample in fifty of an ordinary series passes it."""
SATURATION = 4.0
COUNTED_GROUPS = 3
"""More than three groups of one service say the same thing again."""
NOT_OWN = frozenset({"load"})
"""Demand is made by others: it is context, never illness (`inference.demand` counts it for the callers)."""


@dataclass(frozen=True, slots=True)
class Weight:
    """What a family's deviation is worth for its entity, upwards and downwards."""

    group: str
    up: float
    down: float
    cause_like: bool = False
    """Saturation, own errors and own time are where trouble starts; latency is where it arrives."""


OWN: dict[Family, Weight] = {
    Family.CPU: Weight("cpu", 1.0, 0.3, True),
    Family.MEMORY: Weight("mem", 1.0, 0.5, True),
    Family.SATURATION: Weight("sat", 1.1, 0.3, True),
    Family.ERROR: Weight("err", 1.2, 0.3),
    Family.OWN_TIME: Weight("lat", 1.0, 0.3, True),
    Family.GAP: Weight("gap", 0.9, 0.2),
    Family.LATENCY: Weight("lat", 1.0, 0.4),
    Family.CLIENT_LATENCY: Weight("latc", 0.4, 0.2),
    Family.LOAD: Weight("load", 0.4, 0.5),
    Family.IO: Weight("io", 0.3, 0.3),
    Family.NODE: Weight("node", 0.15, 0.1),
    Family.LOG: Weight("log", 0.9, 0.2, True),
    Family.FLOW: Weight("flow", 1.0, 0.2, True),
    Family.STALE: Weight("stale", 0.8, 0.8),
    # What is wrong is the exporter.
    Family.FROZEN: Weight("frozen", 0.0, 0.0),
    Family.OTHER: Weight("other", 0.3, 0.3),
}
"""For the entity that emits the signal; measured on two recorded systems."""

AT_CALLEE: dict[Family, Weight] = {
    Family.GAP: Weight("gap", 1.2, 0.3, True),
    Family.LATENCY: Weight("lat", 0.8, 0.3),
    Family.OWN_TIME: Weight("lat", 0.8, 0.3, True),
    Family.CLIENT_LATENCY: Weight("lat", 0.5, 0.2),
    Family.ERROR: Weight("err", 1.0, 0.3),
    Family.LOAD: Weight("load", 0.4, 0.5),
    Family.SATURATION: Weight("sat", 0.7, 0.2),
}
"""For the callee of an edge signal: what its callers see of it."""

AT_CALLER: dict[Family, Weight] = {
    Family.GAP: Weight("out", 0.9, 0.2),
    Family.CLIENT_LATENCY: Weight("latc", 0.4, 0.2),
    Family.ERROR: Weight("latc", 0.4, 0.2),
    Family.SATURATION: Weight("sat", 0.9, 0.3, True),
}
"""For the caller of an edge signal; a connection pool towards a peer is the caller's own resource."""

IMPROVABLE = frozenset({"lat", "latc", "gap", "out", "err", "sat", "log", "flow"})
"""Groups whose fall is an improvement, or fast failure: counted apart as `lat-` and so on."""
NEVER_ALONE = frozenset(
    {"mem", "io", "node", "load", "latc", "other", "stale", "starves", "amplifies"}
    | {group + "-" for group in IMPROVABLE}
)
"""Groups that jump without harm (an hourly job, a garbage collection): they support, never open."""


OWN_VOICE = ""
OWN_ILLNESS = frozenset({"err", "lat", "cpu", "sat", "mem", "stale", "log", "flow"})


@dataclass(slots=True)
class GroupEvidence:
    """The strongest evidence of one group of one service."""

    value: float
    """Weighted score."""
    cause_like: bool
    episode: Episode
    onset_ms: int
    voices: dict[str, float] = field(default_factory=dict)
    """Weighted score by witness: a caller's name for what it sees of the service, `OWN_VOICE` else."""

    def without(self, caller: str) -> float:
        """Its value had `caller` said nothing."""
        return max((v for name, v in self.voices.items() if name != caller), default=0.0)


@dataclass(slots=True)
class ServiceEvidence:
    """All that speaks for one service being ill within a span of time."""

    service: str
    groups: dict[str, GroupEvidence] = field(default_factory=dict)
    episodes: dict[str, Episode] = field(default_factory=dict)
    callers: set[str] = field(default_factory=set)
    """Callers whose edge signals point here."""
    spread: float = 0.0
    """Share of its callees towards which it sees trouble, where there are at least two of these."""
    _kept: dict[str, Any] | None = None
    """What follows from the groups, once they are settled; None while they may change."""

    def settle(self) -> None:
        """Say that the groups change no more: from now on what follows from them is worked out once."""
        self._kept = {}

    def add(self, weight: Weight, score: float, episode: Episode) -> None:
        """Count a score if it is its group's strongest."""
        self._kept = None
        up = episode.anomaly.direction == "up"
        value = score * (weight.up if up else weight.down)
        group = weight.group if up or weight.group not in IMPROVABLE else weight.group + "-"
        self.episodes[episode.anomaly.id] = episode
        voice = episode.anomaly.service if episode.anomaly.signal.peer == self.service else OWN_VOICE
        held = self.groups.get(group)
        voices = held.voices if held else {}
        voices[voice] = max(value, voices.get(voice, 0.0))
        if held is None or (value, episode.anomaly.id) > (held.value, held.episode.anomaly.id):
            self.groups[group] = GroupEvidence(
                value, weight.cause_like and up, episode, episode.anomaly.onset_ms, voices
            )

    @property
    def excess(self) -> float:
        """V: the sum of the three largest group values above the floor."""
        return self._once("excess", self._excess)

    def _excess(self) -> float:
        values = sorted(
            (g.value - FLOOR for name, g in self.groups.items() if g.value > FLOOR and name not in NOT_OWN),
            reverse=True,
        )
        return sum(values[:COUNTED_GROUPS])

    def counted_without(self, caller: str) -> list[tuple[str, float]]:
        """As `counted`, had `caller` said nothing."""
        values = ((name, group.without(caller) - FLOOR) for name, group in self.groups.items())
        strong = sorted(((v, n) for n, v in values if v > 0 and n not in NOT_OWN), reverse=True)
        return [(name, SATURATION * math.log1p(v / SATURATION)) for v, name in strong[:COUNTED_GROUPS]]

    def counted(self) -> list[tuple[str, float]]:
        """The three strongest groups above the floor with their saturating weight, strongest first.

        g(e) = 4·ln(1 + e/4): beyond one in a million, rarer proves no more about *where* it began.
        """
        return self._once("counted", self._counted)

    def _counted(self) -> list[tuple[str, float]]:
        return [
            (name, SATURATION * math.log1p((self.groups[name].value - FLOOR) / SATURATION))
            for name in self.strong_groups[:COUNTED_GROUPS]
        ]

    @property
    def severity(self) -> float:
        """Sum of `counted`: how ill the service is, for ranking."""
        return self._once("severity", self._severity)

    def _severity(self) -> float:
        return sum(value for _, value in self.counted())

    @property
    def cause_excess(self) -> float:
        """The part of V that a dependency cannot explain: saturation, own time, own errors."""
        return self._once("cause_excess", self._cause_excess)

    def _cause_excess(self) -> float:
        values = sorted(
            (g.value - FLOOR for g in self.groups.values() if g.value > FLOOR and g.cause_like), reverse=True
        )
        return sum(values[:COUNTED_GROUPS])

    @property
    def strong_groups(self) -> list[str]:
        """Groups above the floor, strongest first."""
        return self._once("strong_groups", self._strong_groups)

    def _strong_groups(self) -> list[str]:
        found = [
            (g.value, name) for name, g in self.groups.items() if g.value > FLOOR and name not in NOT_OWN
        ]
        return [name for _, name in sorted(found, reverse=True)]

    def _once(self, name: str, work: Callable[[], T]) -> T:
        """What `work` finds; kept if the groups are settled. Lists are shared: do not change them."""
        if self._kept is None:
            return work()
        if name not in self._kept:
            self._kept[name] = work()
        return cast(T, self._kept[name])

    def own_word(self, which: frozenset[str] = OWN_ILLNESS) -> float:
        """The strongest sign of illness in its own signals, not in what others see of it."""
        return max(
            (g.voices.get(OWN_VOICE, 0.0) for name, g in self.groups.items() if name in which),
            default=0.0,
        )

    def value(self, group: str) -> float:
        """A group's weighted score, 0 where silent."""
        held = self.groups.get(group)
        return held.value if held else 0.0

    def suffering(self) -> float:
        """What its users feel: the excess of latency, errors and gap."""
        return max((self.value(g) - FLOOR for g in ("lat", "err", "gap")), default=0.0)

    @property
    def climbs(self) -> bool:
        """Whether any memory of it was sure to go on growing when it was last heard of, beyond noise."""
        return any(e.climbs and e.anomaly.score > FLOOR for e in self.episodes.values())

    @property
    def climbed(self) -> bool:
        """Whether any memory of it ever went on growing."""
        return any(e.climbed_ms is not None for e in self.episodes.values())

    @property
    def onset_ms(self) -> int | None:
        """When the earliest of its strong groups began; None when nothing is strong."""
        return self._once("onset_ms", self._onset_ms)

    def _onset_ms(self) -> int | None:
        return min((self.groups[name].onset_ms for name in self.strong_groups), default=None)


def weigh(
    episodes: Iterable[Episode],
    from_ms: int,
    to_ms: int,
    news_from_ms: int | None = None,
    confirmed: bool = False,
) -> dict[str, ServiceEvidence]:
    """Sum up episodes per service, by what they said in [from_ms, to_ms].

    An edge signal counts for both ends, with different meaning; so a callee without any telemetry of its
    own is seen through its callers. `news_from_ms` is the time from which evidence is news;
    `confirmed` asks for what may open an incident.
    """
    found: dict[str, ServiceEvidence] = {}
    episodes = list(episodes)
    busy = idleness(episodes)

    def of(service: str) -> ServiceEvidence:
        held = found.get(service)
        if held is None:
            held = found[service] = ServiceEvidence(service)
        return held

    for episode in episodes:
        score = (
            episode.confirmed_between(from_ms, to_ms)
            if confirmed
            else episode.score_between(from_ms, to_ms, news_from_ms)
        )
        if score <= 0:
            continue
        anomaly = episode.anomaly
        family, peer = anomaly.signal.family, anomaly.signal.peer
        score *= effect(episode)
        if family is Family.CPU:
            score *= busy.get((anomaly.service, anomaly.signal.instance), 1.0)
        if peer is None:
            of(anomaly.service).add(OWN[family], score, episode)
            continue
        if (weight := AT_CALLEE.get(family)) is not None:
            callee = of(peer)
            callee.add(weight, score, episode)
            callee.callers.add(anomaly.service)
        if (weight := AT_CALLER.get(family)) is not None:
            of(anomaly.service).add(weight, score, episode)
    return found

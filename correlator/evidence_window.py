"""The recent past: episodes, changes and alerts of one domain, bounded in time and number."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from correlator.climbing import grows
from correlator.evidence import Alert, Change
from detectors.anomaly import Anomaly, Family

KEEP_ANOMALIES_MS = 3 * 3_600_000
"""Longer than any incident's growth; a slow leak is dated back by its own onset."""
KEEP_UNCITED_MS = 2_700_000
"""What no incident rests on is noise, or the slow beginning of one to come: three quarters of an hour."""
KEEP_CHANGES_MS = 14 * 86_400_000
"""A configuration change of last week can be today's root."""
EPISODES_PER_SERVICE = 120
"""Beyond it the weakest go: a service has a dozen families, the tenth template of each adds nothing."""
SERVICES = 20_000
CHANGES_PER_SERVICE = 400
FELT = frozenset({Family.LATENCY, Family.OWN_TIME, Family.ERROR, Family.CLIENT_LATENCY, Family.GAP})
"""What the users of a service feel."""
TRACE = 48
"""Updates kept per episode; only its first minutes are evidence."""


ARMED_MS = 240_000
GROWN = 1.0
"""A leak or a ramp begins faintly: each time its score passes all earlier ones by this it is news again."""
COARSE_MS = 120_000
"""From this interval on detectors judge each sample alone; two in a row are asked for here, to open."""
TOLD_ERROR_MS = 60_000
"""How wrong a told time of beginning may be: people and schedulers round to minutes."""
FINE_MS = 60_000
"""Below this interval, too: a sample of fifteen seconds is a reload or a lost packet."""
HOLD_MS = 30_000
"""What fine samples must show for so long, to open: a reload or a failover is over sooner."""
CLEARLY_MS = 20_000
"""What began so much later followed: a sample of 15 s and a little, or one of coarser samples."""
CLIMBS_FOR = 1.5
"""Intervals for which memory must go on growing steadily: two samples, however they jitter."""
LONE = 6.0
"""What a lone coarse sample pays, in powers of ten; detectors charge a lone minute 4."""


@dataclass(slots=True)
class Episode:
    """An anomaly with the course of its score, so that any past instant can be looked at again."""

    anomaly: Anomaly
    trace: list[tuple[int, float]] = field(default_factory=list)
    """(event time, score), oldest first."""
    worst: tuple[float, float, float] | None = None
    """(score, observed, expected) of the strongest update: the newest may already have recovered."""

    grown_until_ms: int = 0
    highest: float = 0.0
    grows_from_ms: int | None = None
    """Since which update it grows steadily (memory only); None where it does not."""
    climbed_ms: int | None = None
    """The newest update by which it had grown for `CLIMBS_FOR`, in whichever stretch."""

    def take(self, update: Anomaly) -> None:
        """Add an update; a late one finds its place, a repeated one replaces itself."""
        if not self.trace or update.ts_ms > self.trace[-1][0]:
            self.trace.append((update.ts_ms, update.score))
        else:
            kept = dict(self.trace)
            kept[update.ts_ms] = update.score
            self.trace = sorted(kept.items())
        if len(self.trace) > TRACE:
            del self.trace[TRACE // 2]
        if update.score > self.highest + GROWN:
            self.highest = update.score
            later = update.ts_ms + max(ARMED_MS // 4, update.interval_ms)
            self.grown_until_ms = max(self.grown_until_ms, later)
        if self.worst is None or update.score > self.worst[0]:
            observed = _furthest(update)
            if observed is not None or self.worst is None:
                self.worst = update.score, update.observed if observed is None else observed, update.expected
        if update.ts_ms >= self.anomaly.ts_ms:
            self._follow(update)
            self.anomaly = update.model_copy(update={"sample": ()}) if update.sample else update

    def _follow(self, update: Anomaly) -> None:
        if not grows(update):
            self.grows_from_ms = None
            self.climbed_ms = None if self.climbed_ms == update.ts_ms else self.climbed_ms
        elif self.grows_from_ms is None:
            self.grows_from_ms = update.ts_ms
        elif update.ts_ms - self.grows_from_ms >= CLIMBS_FOR * update.interval_ms:
            self.climbed_ms = update.ts_ms

    @property
    def climbs(self) -> bool:
        """Whether it is memory that goes on growing."""
        return self.climbed_ms == self.anomaly.ts_ms

    @property
    def armed_until_ms(self) -> int:
        """Until when the episode is news: four minutes (or two samples), and longer while it grows."""
        return max(self.anomaly.first_ms + max(ARMED_MS, 2 * self.anomaly.interval_ms), self.grown_until_ms)

    def confirmed_between(self, from_ms: int, to_ms: int) -> float:
        """As `score_between`, but a coarse or a fine sample must be borne out by those before it.

        .85·low + .15·high over it and the one before it, or for fine samples those of the half minute before
        it; or S − 6 alone: five minutes of something are an anecdote, and fifteen seconds a reload.
        """
        interval_ms = self.anomaly.interval_ms
        if FINE_MS <= interval_ms < COARSE_MS:
            return self.score_between(from_ms, to_ms)
        last = min(to_ms, self.armed_until_ms)
        best = 0.0
        for k, (ts, score) in enumerate(self.trace):
            if from_ms <= ts <= last:
                borne = self._borne_out(k)
                best = max(best, score - LONE, borne)
        return best

    def _borne_out(self, k: int) -> float:
        """What the k-th update is worth beside those just before it; 0 where these do not reach back."""
        interval_ms = self.anomaly.interval_ms
        fine = interval_ms < FINE_MS
        back_ms = HOLD_MS - interval_ms // 4 if fine else 1
        ts, low = self.trace[k]
        high = low
        while k > 0 and ts - self.trace[k][0] < back_ms:
            if self.trace[k][0] - self.trace[k - 1][0] > 2 * interval_ms:
                return 0.0
            k -= 1
            low, high = min(low, self.trace[k][1]), max(high, self.trace[k][1])
        return 0.85 * low + 0.15 * high if ts - self.trace[k][0] >= back_ms else 0.0

    @property
    def _slack_ms(self) -> int:
        """How far before a told time a beginning may lie: its error, where the samples are finer than it."""
        return TOLD_ERROR_MS if self.anomaly.interval_ms <= TOLD_ERROR_MS else 0

    def score_between(self, from_ms: int, to_ms: int, news_from_ms: int | None = None) -> float:
        """The largest score said while the episode was news, by updates in [from_ms, to_ms].

        Of an episode that began before `news_from_ms` only the growth since then counts.
        """
        last = min(to_ms, self.armed_until_ms)
        best = max((score for ts, score in self.trace if from_ms <= ts <= last), default=0.0)
        if news_from_ms is None or self.anomaly.first_ms >= news_from_ms - self._slack_ms:
            return best
        return max(0.0, best - max(s for ts, s in self.trace if ts < news_from_ms or ts == self.trace[0][0]))


def _furthest(update: Anomaly) -> float | None:
    """What was observed on the side that the episode is about; None where nothing was.

    A surge may have ended in a collapse before it was told of: then the samples around it hold it. The side
    says nothing of failures, for a success rate falls where they rise.
    """
    up = update.direction == "up"
    if update.signal.family is Family.ERROR or (update.observed >= update.expected) == up:
        return update.observed
    since = update.onset_ms - update.interval_ms
    seen = [x for ts, x in update.sample if ts >= since and (x >= update.expected) == up]
    return (max(seen) if up else min(seen)) if seen else None


class EvidenceWindow:
    """Episodes by service, changes by service and alerts; eviction is by event time and counted."""

    def __init__(self) -> None:
        self.episodes: dict[str, dict[str, Episode]] = {}
        self.changes: dict[str, dict[str, Change]] = {}
        self.alerts: dict[str, Alert] = {}
        self.heard: set[str] = set()
        """Services with telemetry of their own, as far as any signal of theirs ever deviated."""
        self.felt: set[str] = set()
        """Services whose latency or errors are measured, as far as these ever deviated."""
        self.shed = 0

    def add_anomaly(self, anomaly: Anomaly) -> Episode | None:
        """Take an update; None when it was shed because its service is full of stronger ones."""
        if anomaly.signal.peer is None:
            self.heard.add(anomaly.service)
        if anomaly.signal.family in FELT:
            self.felt.add(anomaly.signal.peer or anomaly.service)
        mine = self.episodes.get(anomaly.service)
        if mine is None:
            if len(self.episodes) >= SERVICES:
                self.shed += 1
                return None
            mine = self.episodes[anomaly.service] = {}
        episode = mine.get(anomaly.id)
        if episode is None:
            if len(mine) >= EPISODES_PER_SERVICE:
                weakest = min(
                    mine.values(), key=lambda e: (e.anomaly.peak_score, e.anomaly.ts_ms, e.anomaly.id)
                )
                self.shed += 1
                if weakest.anomaly.peak_score >= anomaly.peak_score:
                    return None
                del mine[weakest.anomaly.id]
            episode = mine[anomaly.id] = Episode(
                anomaly.model_copy(update={"sample": ()}) if anomaly.sample else anomaly
            )
        episode.take(anomaly)
        return episode

    def add_change(self, change: Change) -> None:
        """Take a change; announced again, the newer statement about it replaces the older."""
        mine = self.changes.setdefault(change.service, {})
        mine[change.id] = change
        if len(mine) > CHANGES_PER_SERVICE:
            oldest = min(mine.values(), key=lambda c: (c.ts_ms, c.id))
            del mine[oldest.id]
            self.shed += 1

    def changes_between(self, from_ms: int, to_ms: int) -> Iterator[Change]:
        """Changes that took effect in [from_ms, to_ms], by service, then in order of time."""
        for service in sorted(self.changes):
            mine = self.changes[service].values()
            yield from sorted((c for c in mine if from_ms <= c.ts_ms <= to_ms), key=lambda c: (c.ts_ms, c.id))

    def evict(self, now_ms: int, cited: AbstractSet[str] = frozenset()) -> None:
        """Forget what is too old to matter: a few hours of what incidents cite or name, less of the rest.

        `cited` holds the services of incidents that may still be revised.
        """
        for service in list(self.episodes):
            mine = self.episodes[service]
            keep_ms = KEEP_ANOMALIES_MS if service in cited else KEEP_UNCITED_MS
            for key in [
                k
                for k, e in mine.items()
                if e.anomaly.ts_ms < now_ms - max(keep_ms, 6 * e.anomaly.interval_ms)
            ]:
                del mine[key]
            if not mine:
                del self.episodes[service]
        for service in list(self.changes):
            kept = {
                k: c
                for k, c in self.changes[service].items()
                if max(c.ts_ms, c.end_ms or 0) >= now_ms - KEEP_CHANGES_MS
            }
            if kept:
                self.changes[service] = kept
            else:
                del self.changes[service]
        for key in [k for k, a in self.alerts.items() if a.ts_ms < now_ms - KEEP_ANOMALIES_MS]:
            del self.alerts[key]

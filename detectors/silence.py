"""A service that falls silent while others go on speaking.

Rows that stop say nothing by themselves: pods come and go. A whole service that reported without a gap for
hours and stops is news, and the rarer its gaps were, the more.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log10
from typing import Any

import numpy as np

from detectors.anomaly import Anomaly, Family, Signal, anomaly_id
from detectors.roster import Roster
from detectors.rows import NEVER

METRIC = "telemetry"
QUIET_INTERVALS = 4.0
QUIET_MS = 120_000
"""Silence begins after four intervals, at least two minutes: a restart or a slow scrape is shorter."""
KNOWN_MS = 1_800_000
"""A service is expected to speak when it has done so for half an hour."""
GONE_MS = 3_600_000
"""After an hour of silence it is gone, not failing."""
OUTAGE_SHARE = 0.5
"""When so many services fall silent together, their telemetry has failed, not they."""
MOST = 6.0


@dataclass(slots=True, eq=False)
class _Service:
    first_ms: int
    last_ms: int
    interval_ms: int
    gaps: int = 0
    open: Anomaly | None = None


class Silence:
    """Watches when each service spoke last; asked once a minute of event time."""

    def __init__(self, domain: str, roster: Roster, dearer: float = 0.0) -> None:
        self.domain = domain
        self._dearer = dearer
        """Powers of ten that the alert budget takes off a score."""
        self._roster = roster
        self._services: dict[str, _Service] = {}

    def check(self, now: int) -> list[Anomaly]:
        """Return what is to be said about silent services, and closings of those that speak again."""
        self._update(now)
        said: list[Anomaly] = []
        expected = [each for each in self._services.values() if each.last_ms - each.first_ms >= KNOWN_MS]
        quiet = [each for each in expected if self._is_quiet(each, now)]
        outage = len(quiet) > OUTAGE_SHARE * len(expected)
        for name in sorted(self._services):
            service = self._services[name]
            if service.open is not None and not self._is_quiet(service, now):
                said.append(self._close(service, now))
                service.gaps += 1
            elif now - service.last_ms > GONE_MS:
                if service.open is not None:
                    said.append(self._close(service, now))
                del self._services[name]
            elif not outage and service in quiet:
                said.append(self._say(name, service, now))
        return said

    @staticmethod
    def _is_quiet(service: _Service, now: int) -> bool:
        return now - service.last_ms > max(QUIET_INTERVALS * service.interval_ms, QUIET_MS)

    @staticmethod
    def _close(service: _Service, now: int) -> Anomaly:
        assert service.open is not None  # noqa: S101 - asked by the caller
        closed = service.open.model_copy(update={"status": "closed", "ts_ms": now, "score": 0.0})
        service.open = None
        return closed

    def _say(self, name: str, service: _Service, now: int) -> Anomaly:
        interval = service.interval_ms
        spoken = (service.last_ms - service.first_ms) / interval
        score = round(min(log10(spoken / (service.gaps + 1)), MOST) - self._dearer, 3)
        first_ms = service.last_ms + interval
        signal = Signal(source="metric", metric=METRIC, family=Family.STALE, unit="s")
        service.open = Anomaly(
            id=anomaly_id(self.domain, name, signal, first_ms),
            domain=self.domain,
            service=name,
            signal=signal,
            first_ms=first_ms,
            onset_ms=service.last_ms + interval // 2,
            onset_uncertainty_ms=interval // 2,
            ts_ms=now,
            interval_ms=interval,
            direction="down",
            score=max(score, 0.0),
            peak_score=max(score, 0.0),
            observed=(now - service.last_ms) / 1000,
            expected=interval / 1000,
            scale=interval / 1000,
            member="stale",
        )
        return service.open

    def _update(self, now: int) -> None:
        roster = self._roster
        rows = roster.rows[: roster.used]
        speaker = roster.speaker[: roster.used]
        speaking = (rows["interval"] > 0) & (speaker >= 0)
        last = np.full(len(roster.services), NEVER)
        interval = np.full(len(roster.services), 2**62)
        np.maximum.at(last, speaker[speaking], rows["last_ts"][speaking])
        np.minimum.at(interval, speaker[speaking], rows["interval"][speaking])
        for number in np.flatnonzero(last > NEVER):
            name = roster.services[number]
            known = self._services.get(name)
            if known is not None:
                known.last_ms, known.interval_ms = (
                    max(int(last[number]), known.last_ms),
                    int(interval[number]),
                )
            elif now - int(last[number]) <= GONE_MS:
                self._services[name] = _Service(int(last[number]), int(last[number]), int(interval[number]))

    def dump(self) -> list[Any]:
        """Return the state, JSON-able."""
        return [
            [
                name,
                s.first_ms,
                s.last_ms,
                s.interval_ms,
                s.gaps,
                s.open.model_dump(mode="json") if s.open else None,
            ]
            for name, s in sorted(self._services.items())
        ]

    def restore(self, state: list[Any]) -> None:
        """Take back what `dump` returned."""
        for name, first, last, interval, gaps, said in state:
            anomaly = Anomaly.model_validate(said) if said else None
            self._services[name] = _Service(first, last, interval, gaps, anomaly)

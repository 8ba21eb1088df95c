"""The members' mathematics for one series, in plain Python: what the compiled suite is tested against."""

from __future__ import annotations

import math
from typing import Protocol

import numpy as np

from detectors.online.ground import Ground, View, WarmMean
from detectors.suite import novelty, season, spread, still, trend
from detectors.suite.location import SETTLED_SHIFT
from detectors.suite.record import GRIDS, PAIRS, TRIPLES, WORDS


class Part(Protocol):
    """One member: how far off a sample is, and what is learned from it."""

    def deviation(self, ground: Ground, view: View) -> float:
        """Return a deviation, 0 and up, or a surprise where the member knows its own probabilities."""

    def learn(self, ground: Ground, view: View) -> None:
        """Absorb a sample."""


class Level:
    """Distance from the slow level, in spreads."""

    def deviation(self, ground: Ground, view: View) -> float:
        """Return the distance."""
        return abs(view.x - ground.level.get()) / (ground.spread.get() + view.floor)

    def learn(self, ground: Ground, view: View) -> None:
        """Nothing: the ground learns the level."""


class Trend:
    """Error of Holt's forecast, in its usual size."""

    def __init__(self) -> None:
        self._level = self._slope = 0.0
        self._spread: WarmMean | None = None

    def deviation(self, ground: Ground, view: View) -> float:
        """Return the error."""
        usual = self._spread.get() if self._spread else 0.0
        return abs(view.x - self._level - self._slope) / (usual + view.floor)

    def learn(self, ground: Ground, view: View) -> None:
        """Absorb a sample."""
        self._spread = self._spread or WarmMean(ground.p.scale)
        error = view.x - self._level - self._slope
        before = self._level
        self._level = before + self._slope + ground.p.trend * error
        self._slope += trend.SLOPE * ground.p.trend * (self._level - before - self._slope)
        self._spread.update(min(abs(error), ground.limit(self._spread.get(), view)))


class Change:
    """Distance from the previous sample, in such distances."""

    def __init__(self) -> None:
        self._spread: WarmMean | None = None

    def deviation(self, ground: Ground, view: View) -> float:
        """Return the distance."""
        return abs(view.x - ground.last) / ((self._spread.get() if self._spread else 0.0) + view.floor)

    def learn(self, ground: Ground, view: View) -> None:
        """Absorb a sample."""
        self._spread = self._spread or WarmMean(ground.p.scale)
        self._spread.update(min(abs(view.x - ground.last), ground.limit(self._spread.get(), view)))


class Season:
    """Distance from what this hour of the day or of the week usually brings."""

    def __init__(self) -> None:
        self._day = np.zeros(24, np.float32)
        self._own = np.zeros(24, np.float32)
        self._week = np.zeros(168, np.float32)
        self._day_visits = [0] * 24
        self._week_visits = [0] * 168
        self._hour = -1
        self._sum = self._day_spread = self._week_spread = self._day_error = 0.0
        self._count = self._week_count = 0

    def deviation(self, ground: Ground, view: View) -> float:
        """Return the distance; 0 until the hour had enough visits."""
        p, day = ground.p, view.hour % 24
        if self._day_visits[day] < p.week_visits + 1:
            return 0.0
        weekly = self._week_visits[view.hour] >= p.week_visits and self._week_count > season.COMPARED
        if weekly and self._week_spread < self._day_error:
            return abs(view.x - float(self._week[view.hour])) / (self._week_spread + view.floor)
        usual = p.bucket_spread * float(self._own[day]) + (1.0 - p.bucket_spread) * self._day_spread
        return abs(view.x - float(self._day[day])) / (usual + view.floor)

    def learn(self, ground: Ground, view: View) -> None:
        """Absorb a sample; an hour's mean enters its buckets when the next hour begins."""
        p, hour, day = ground.p, view.hour, view.hour % 24
        if hour != self._hour:
            if self._count:
                self._close(self._hour, self._sum / self._count, p.day, p.week)
            self._hour, self._sum, self._count = hour, 0.0, 0
        self._sum += view.x
        self._count += 1
        if not self._day_visits[day]:
            return
        limit = ground.limit(self._day_spread, view, season.SETTLED_SEASON)
        off = abs(view.x - float(self._day[day]))
        if self._week_visits[hour]:
            self._week_count += 1
            share = max(p.scale, 1.0 / self._week_count)
            weekly = abs(view.x - float(self._week[hour]))
            self._week_spread += share * (min(weekly, season.WIDE * limit) - self._week_spread)
            self._day_error += share * (min(off, season.WIDE * limit) - self._day_error)
        self._day_spread += max(p.scale, 1.0 / (view.count + 1)) * (min(off, limit) - self._day_spread)
        pace = max(season.OWN_PACE * p.scale, 0.25 / self._day_visits[day])
        self._own[day] = float(self._own[day]) + pace * (min(off, limit) - float(self._own[day]))

    def _close(self, hour: int, mean: float, day_pace: float, week_pace: float) -> None:
        day = hour % 24
        pace = max(day_pace, 1.0 / (self._day_visits[day] + 1))
        self._day[day] = float(self._day[day]) + pace * (mean - float(self._day[day]))
        self._day_visits[day] = min(self._day_visits[day] + 1, 255)
        pace = max(week_pace, 1.0 / (self._week_visits[hour] + 1))
        self._week[hour] = float(self._week[hour]) + pace * (mean - float(self._week[hour]))
        self._week_visits[hour] = min(self._week_visits[hour] + 1, 255)


class Spread:
    """Variance of the last few samples against the usual one."""

    def __init__(self) -> None:
        self._short = self._long = 0.0

    def deviation(self, ground: Ground, view: View) -> float:
        """Return the absolute logarithm of the ratio."""
        if view.count <= spread.AFTER:
            return 0.0
        tiny = view.floor * view.floor
        return abs(math.log((self._short + tiny) / (self._long + tiny)))

    def learn(self, ground: Ground, view: View) -> None:
        """Absorb a sample."""
        p = ground.p
        square = (view.x - ground.level.get()) ** 2
        unit = (ground.spread.get() + view.floor) ** 2
        self._short += p.fast * (min(square, spread.WIDEST * p.clip * p.clip * unit) - self._short)
        if view.count < spread.LEARNING:
            self._long += max(p.scale, 1.0 / (view.count + 1)) * (square - self._long)
        else:
            self._long += p.scale * (min(square, spread.WIDEST * unit) - self._long)


class Shift:
    """Distance between a near and a far level, in its usual size."""

    def __init__(self) -> None:
        self._near: WarmMean | None = None
        self._far: WarmMean | None = None
        self._spread: WarmMean | None = None

    def deviation(self, ground: Ground, view: View) -> float:
        """Return the distance."""
        if not (self._near and self._far and self._spread):
            return 0.0
        return abs(self._near.get() - self._far.get()) / (self._spread.get() + view.floor)

    def learn(self, ground: Ground, view: View) -> None:
        """Absorb a sample."""
        self._near = self._near or WarmMean(ground.p.near)
        self._far = self._far or WarmMean(ground.p.far)
        self._spread = self._spread or WarmMean(ground.p.scale)
        self._near.update(view.x)
        self._far.update(view.x)
        apart = abs(self._near.get() - self._far.get())
        self._spread.update(min(apart, ground.limit(self._spread.get(), view, SETTLED_SHIFT)))


class Still:
    """Runs of equal values, and samples that stay away; -log10 of their probability."""

    def __init__(self) -> None:
        self._repeat = 0.5
        self._gaps = 0.0
        self._run = 0

    def deviation(self, ground: Ground, view: View) -> float:
        """Return the surprise."""
        if view.count - self._run <= still.AFTER:
            return 0.0
        score = 0.0
        run = self._run + 1 if view.x == ground.last else 0
        if run >= 3:
            score = -run * math.log10(self._repeat + still.RAREST)
        if ground.interval and view.ts_ms - ground.last_ts > still.GAP * ground.interval:
            score = max(score, -math.log10(self._gaps + still.RAREST))
        return min(score, ground.p.cap)

    def learn(self, ground: Ground, view: View) -> None:
        """Absorb a sample."""
        if not view.count:
            return
        share = max(still.PACE, 1.0 / (view.count + 1))
        same = view.x == ground.last
        self._run = self._run + 1 if same else 0
        if self._run <= 3:
            self._repeat += share * (same - self._repeat)
        if ground.interval:
            far = view.ts_ms - ground.last_ts > still.GAP * ground.interval
            self._gaps += share * (far - self._gaps)


class Novelty:
    """Words, pairs and triples that the series has never shown, and their density."""

    def __init__(self) -> None:
        self._seen: list[list[set[int]]] = [[set(), set(), set()] for _ in range(GRIDS)]
        self._rate = [[0.5, 0.5, 0.5] for _ in range(GRIDS)]
        self._before = [[0, 0] for _ in range(GRIDS)]
        self._dense = self._mean = self._var = 0.0

    def deviation(self, ground: Ground, view: View) -> float:
        """Return the weighted surprise of what is new and of its density."""
        p = ground.p
        fresh = self._fresh(ground, view)
        return p.w_novelty * fresh + p.w_dense * self._density(ground, view, fresh)

    def learn(self, ground: Ground, view: View) -> None:
        """Absorb a sample's words."""
        p, fresh = ground.p, self._fresh(ground, view)
        share = max(p.novelty, 1.0 / (view.count + 2))
        for grid, (word, places) in enumerate(self._places(ground, view)):
            for kind, place in enumerate(places):
                new = place not in self._seen[grid][kind]
                self._seen[grid][kind].add(place)
                self._rate[grid][kind] += share * (new - self._rate[grid][kind])
            self._before[grid] = [word, self._before[grid][0]]
        self._dense += p.dense * (fresh - self._dense)
        share = max(p.dense_far, 1.0 / (view.count + 1))
        off = self._dense - self._mean
        self._mean += share * off
        self._var = (1.0 - share) * (self._var + share * off * off)

    def _places(self, ground: Ground, view: View) -> list[tuple[int, tuple[int, int, int]]]:
        found = []
        for grid in range(GRIDS):
            word = int(novelty.word_of(view.x, view.extent, grid, ground.p))
            one, two = self._before[grid]
            pair, triple = word * 31 + one, word * 961 + one * 31 + two
            hashed = novelty.HASH
            places = (
                (word * hashed >> 4) % WORDS,
                (pair * hashed >> 8) % PAIRS,
                (triple * hashed >> 8) % TRIPLES,
            )
            found.append((word, places))
        return found

    def _fresh(self, ground: Ground, view: View) -> float:
        p = ground.p
        weights = (p.w_one, p.w_two, p.w_three)
        total = 0.0
        for grid, (_, places) in enumerate(self._places(ground, view)):
            for kind, place in enumerate(places):
                if place not in self._seen[grid][kind]:
                    total -= weights[kind] * math.log10(self._rate[grid][kind] + novelty.RARE)
        return total / GRIDS

    def _density(self, ground: Ground, view: View, fresh: float) -> float:
        if view.count <= novelty.DENSE_AFTER:
            return 0.0
        dense = self._dense + ground.p.dense * (fresh - self._dense)
        z = (dense - self._mean) / math.sqrt(self._var + 0.01)
        return min(0.2171 * z * z + 0.3 * z, ground.p.cap) if z > 0 else 0.0

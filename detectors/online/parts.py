"""The members' mathematics for one series, in plain Python: what the compiled suite is tested against."""

from __future__ import annotations

import math
from typing import Protocol

from detectors import codes
from detectors.online.ground import Ground, Usual, View, single
from detectors.suite import Tuning, day, novelty, season, spread, still, trend, week
from detectors.suite.location import learned
from detectors.suite.record import GRIDS, HOURS, PAIRS, TRIPLES, WEEK, WORDS


class Part(Protocol):
    """One member: how far off a sample is, and what is learned from it."""

    def deviation(self, ground: Ground, view: View) -> float:
        """Return a deviation, 0 and up, or a surprise where the member knows its own probabilities."""

    def learn(self, ground: Ground, view: View) -> None:
        """Absorb a sample."""


def student(r: float, degrees: float) -> float:
    """Return -log10 of the tail of Student's t, but for its constant."""
    return 0.5 / math.log(10.0) * degrees * math.log(1.0 + r * r / degrees)


class Level:
    """Distance from the slow level, in its root mean square."""

    def deviation(self, ground: Ground, view: View) -> float:
        """Return the distance."""
        return abs(view.x - ground.level.get()) / (ground.off.get() + view.floor)

    def learn(self, ground: Ground, view: View) -> None:
        """Nothing: the ground learns the level."""


class Trend:
    """Error of Holt's forecast, in its root mean square."""

    def __init__(self, scale: float) -> None:
        self._level = self._slope = 0.0
        self._usual = Usual(scale)

    def deviation(self, ground: Ground, view: View) -> float:
        """Return the error."""
        return abs(view.x - self._level - self._slope) / (self._usual.get() + view.floor)

    def learn(self, ground: Ground, view: View) -> None:
        """Absorb a sample."""
        error = view.x - self._level - self._slope
        level = self._level + self._slope + ground.p.trend * error
        moved = level - self._level
        self._slope = single(self._slope + trend.STEEPER * ground.p.trend * (moved - self._slope))
        self._level = single(level)
        self._usual.update(ground.clipped(error, self._usual.get(), view))


class Season:
    """Distance from what this hour usually brings, on like days or in the week."""

    def __init__(self, scale: float) -> None:
        self._day = [0] * 2 * HOURS
        self._day_visits = [0] * 2 * HOURS
        self._hour_off = [0] * HOURS
        self._week = [0] * WEEK
        self._week_visits = [0] * WEEK
        self._hour = -1
        self._mean = self._base = self._unit = self._slow = 0.0
        self._count = self._hours = self._known = self._compared = self._lasted = 0
        self._rms = Usual(0.0)
        self._day_off, self._week_off, self._slow_off = Usual(scale), Usual(scale), Usual(scale)

    def deviation(self, ground: Ground, view: View) -> float:
        """Return the distance; 0 until the hour had enough visits, and where no season is known."""
        p, floor, bucket = ground.p, view.floor, day.bucket_of(view.hour)
        if self._day_visits[bucket] < day.MANY:
            return 0.0
        weekly = self._compared > season.COMPARED and self._week_off.get() < self._day_off.get()
        off = (self._week_off if weekly else self._day_off).get() + floor
        if off**2 >= (1.0 - p.skill) * (self._slow_off.get() + floor) ** 2:
            return 0.0
        if weekly and self._week_visits[view.hour] >= p.week_visits:
            return abs(view.x - self._weekly(view.hour)) / off
        return abs(view.x - self._daily(bucket)) / (self._usual_off(view.hour) + floor)

    def lasting(self, deviation: float, p: Tuning) -> float:
        """Return the surprise of a distance that has lasted for hours."""
        hours = min(abs(self._lasted), season.LONGEST)
        return min(student(deviation * math.sqrt(1.0 + hours / season.AGAIN), p.degrees), season.LASTING)

    def learn(self, ground: Ground, view: View) -> None:
        """Absorb a sample; an hour enters its buckets when the next begins."""
        if view.hour != self._hour:
            if self._count:
                self._close(ground, view)
            self._hour, self._mean, self._count, self._rms = view.hour, 0.0, 0, Usual(0.0)
        self._count += 1
        self._mean = single(self._mean + (view.x - self._mean) / self._count)
        bucket = day.bucket_of(view.hour)
        if self._day_visits[bucket]:
            off = self._clipped(view.x - self._daily(bucket), self._day_off, ground, view)
            self._rms.update(off, 1.0 / self._count)

    def _daily(self, bucket: int) -> float:
        return codes.value_of(0, self._day[bucket])

    def _weekly(self, hour: int) -> float:
        return self._base + week.distance_of(self._week[hour], self._unit)

    def _own_off(self, hour: int) -> float:
        code = self._hour_off[hour % HOURS]
        return day.LEAST_OFF * 2.0 ** (code / day.STEPS) if code else 0.0

    def _usual_off(self, hour: int) -> float:
        squares = self._own_off(hour) ** 2 + self._day_off.get() ** 2
        return math.sqrt(season.NEWCOMER * 0.5 * squares)

    def _clipped(self, off: float, usual: Usual, ground: Ground, view: View) -> float:
        settled = self._known > season.SETTLED_HOURS
        limit = ground.p.wide * (usual.get() + view.floor) if settled else 1e30
        return min(max(off, -limit), limit)

    def _close(self, ground: Ground, view: View) -> None:
        p, mean, hour, bucket = ground.p, self._mean, self._hour, day.bucket_of(self._hour)
        seen = self._day_visits[bucket]
        if seen:
            far = self._clipped(mean - self._slow, self._slow_off, ground, view)
            weekly = self._clipped(mean - self._weekly(hour), self._day_off, ground, view)
            self._known = min(self._known + 1, 255)
            share = max(p.season, 1.0 / self._known)
            self._day_off.update(self._rms.get(), share)
            self._slow_off.update(far, share)
            if self._week_visits[hour]:
                self._compared = min(self._compared + 1, 255)
                self._week_off.update(weekly, max(p.season, 1.0 / self._compared))
            self._count_lasting(hour, mean - self._daily(bucket), seen, view)
            own = learned(self._own_off(hour), self._rms.get(), max(p.day, 1.0 / seen))
            self._hour_off[hour % HOURS] = day.off_code(own)
        usual = self._daily(bucket)
        self._day[bucket] = codes.code_of(0, usual + max(p.day, 1.0 / (seen + 1)) * (mean - usual))
        self._day_visits[bucket] = min(seen + 1, day.MANY)
        self._slow = single(self._slow + (mean - self._slow) / min(self._hours + 1, HOURS))
        self._close_week(ground, view)

    def _count_lasting(self, hour: int, distance: float, seen: int, view: View) -> None:
        side = 1 if distance > 0 else -1
        if seen < day.MANY or abs(distance) < self._usual_off(hour) + view.floor:
            self._lasted = 0
        elif self._lasted * side > 0:
            self._lasted = min(max(self._lasted + side, -season.LONGEST), season.LONGEST)
        else:
            self._lasted = side

    def _close_week(self, ground: Ground, view: View) -> None:
        p, mean, hour = ground.p, self._mean, self._hour
        if self._hours < HOURS:
            self._hours += 1
            self._base = single(self._base + (mean - self._base) / self._hours)
            self._unit = single(week.UNIT * (ground.off.get() + view.floor))
            return
        seen = self._week_visits[hour]
        usual = self._weekly(hour) if seen else mean
        usual += max(p.week, 1.0 / (seen + 1)) * (mean - usual)
        distance = usual - self._base
        if abs(week.code_of(distance, self._unit)) == week.FULL:
            before, self._unit = self._unit, single(abs(distance) / week.ROOM)
            self._week = [week.code_of(week.distance_of(each, before), self._unit) for each in self._week]
        self._week[hour] = week.code_of(distance, self._unit)
        self._week_visits[hour] = min(seen + 1, 3)


class Spread:
    """How much the last few samples move against how much they usually do."""

    def __init__(self, scale: float, fast: float) -> None:
        self._short, self._usual = Usual(fast), Usual(scale)

    def deviation(self, ground: Ground, view: View) -> float:
        """Return the absolute logarithm of the ratio, in its root mean square."""
        return self._ratio(ground, view) / (self._usual.get() + spread.LEAST)

    def learn(self, ground: Ground, view: View) -> None:
        """Absorb a sample."""
        if view.count > spread.AFTER:
            limit = spread.WIDEST * (self._usual.get() + spread.LEAST)
            self._usual.update(min(self._ratio(ground, view), limit))
        limit = 5.0 * ground.p.clip * (ground.off.get() + view.floor)
        off = view.x - ground.level.get()
        self._short.update(min(max(off, -limit), limit), ground.p.fast)

    def _ratio(self, ground: Ground, view: View) -> float:
        if view.count <= spread.AFTER:
            return 0.0
        ratio = (self._short.get() + view.floor) / (ground.off.get() + view.floor)
        return abs(2.0 * math.log(ratio))


class Still:
    """Runs of equal values, and samples that stay away; -log10 of their probability."""

    def __init__(self) -> None:
        self._repeat = 0.5
        self._gaps = self._longest = 0.0
        self._run = 0

    def deviation(self, ground: Ground, view: View) -> float:
        """Return the surprise."""
        if view.count - self._run <= still.AFTER:
            return 0.0
        score = 0.0
        beyond = self._run + 1 - self._longest
        if single(view.x) == ground.last and beyond >= still.LONGER:
            one = -math.log10(self._repeat + still.RAREST)
            score = beyond * one if (beyond - 1) * one < still.LARGEST else 0.0
        if ground.interval and view.ts_ms - ground.last_ts > still.GAP * ground.interval:
            score = max(score, -math.log10(self._gaps + still.RAREST) - still.ALWAYS)
        return min(score, still.LARGEST)

    def learn(self, ground: Ground, view: View) -> None:
        """Absorb a sample."""
        if not view.count:
            return
        share = max(still.PACE, 1.0 / (view.count + 1))
        same = single(view.x) == ground.last
        if not same:
            self._longest = single(max(self._longest * (1.0 - still.FADE), self._run))
        self._run = self._run + 1 if same else 0
        if self._run <= 3:
            self._repeat = single(self._repeat + share * (same - self._repeat))
        if ground.interval:
            far = view.ts_ms - ground.last_ts > still.GAP * ground.interval
            self._gaps = single(self._gaps + share * (far - self._gaps))


class Novelty:
    """Words, pairs and triples that the series has never shown."""

    def __init__(self) -> None:
        self._seen: list[list[set[int]]] = [[set(), set(), set()] for _ in range(GRIDS)]
        self._rate = [[0.5, 0.5, 0.5] for _ in range(GRIDS)]
        self._before = [[0, 0] for _ in range(GRIDS)]

    def deviation(self, ground: Ground, view: View) -> float:
        """Return the weighted surprise of what is new."""
        p = ground.p
        weights = (p.w_one, p.w_two, p.w_three)
        total = 0.0
        for grid, (_, places) in enumerate(self._places(ground, view)):
            for kind, place in enumerate(places):
                if place not in self._seen[grid][kind]:
                    total -= weights[kind] * math.log10(self._rate[grid][kind] + novelty.RARE)
        return total / GRIDS

    def learn(self, ground: Ground, view: View) -> None:
        """Absorb a sample's words."""
        share = max(ground.p.novelty, 1.0 / (view.count + 2))
        for grid, (word, places) in enumerate(self._places(ground, view)):
            for kind, place in enumerate(places):
                new = place not in self._seen[grid][kind]
                self._seen[grid][kind].add(place)
                rate = self._rate[grid][kind]
                self._rate[grid][kind] = single(rate + share * (new - rate))
            self._before[grid] = [word, self._before[grid][0]]

    def _places(self, ground: Ground, view: View) -> list[tuple[int, tuple[int, int, int]]]:
        found = []
        for grid, word in enumerate(map(int, novelty.words_of(view.x, view.extent, ground.p))):
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

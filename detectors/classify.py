"""What a metric means, from its name, unit, kind and labels: never from the name of a service."""

from __future__ import annotations

import re
from typing import TypedDict

from detectors.anomaly import Family
from detectors.family import (
    BYTES_OFFSET,
    FLOOR_COUNT,
    FLOOR_LOG,
    LATENCY_OFFSET_S,
    LINE_UNIT,
    Meaning,
    Reading,
    Shape,
    Volume,
    is_log,
    is_missing,
)
from detectors.telemetry import Kind, Series
from detectors.units import SECONDS, unit_of
from detectors.words import (
    AVERAGED_LOAD,
    CLIENT,
    CLOCK,
    CPU,
    ERROR,
    IO,
    LATENCY,
    LOAD,
    MEMORY,
    NODE,
    PAGING,
    PLACES,
    RATE,
    SATURATION,
    SHARE,
    STATUS,
    SUCCESS,
    TIME_OF,
    TIMES_MEASURED,
    tokens,
)

_TIMED = LATENCY.union(SECONDS) - {"s"}
_FAILED_LABEL = re.compile(
    r"(?:^|,)(?:[\w.]*(?:code|status|status_class|outcome|result)=(?:5\d\d|5xx|error|fail\w*|unavailable)"
    r"|[\w.]*error[\w.]*=(?!false|none|,|$))",
    re.IGNORECASE,
)

_FAILED_STATUS = re.compile(r"5\d\d")


class _Share(TypedDict):
    top: float
    floor: float
    reading: Reading


MISSING_FLOOR = 10.0
"""Points: a line in ten comes a window early or late."""


def classify(series: Series) -> Meaning:
    """Tell what a series measures; a name that says nothing is `OTHER`, never an error."""
    if is_log(series):
        return _log(series)
    words = tokens(series.metric)
    have = frozenset(words)
    unit = unit_of(series) or ""
    if series.peer is not None:
        return _edge(series, have, unit)
    if words and words[0] in NODE and len(words) > 1 and not {"system", "errors"} <= have:
        inner = _entity(series, have - {words[0]}, unit)
        return _replace(inner, Family.NODE)
    return _entity(series, have, unit)


def sums_time(series: Series) -> bool:
    """Tell whether a counter or a delta adds up how long things took."""
    if series.kind is Kind.GAUGE:
        return False
    words = tokens(series.metric)
    return words[-1:] == ("sum",) and not _TIMED.isdisjoint(words)


def _log(series: Series) -> Meaning:
    if is_missing(series):
        return Meaning(Family.FLOW, Shape.LINEAR, floor=MISSING_FLOOR)
    if series.unit == LINE_UNIT:
        return Meaning(Family.LOG, Shape.COUNT, offset=1.0, floor=FLOOR_COUNT)
    return Meaning(Family.LOG, Shape.LINEAR, floor=1.0, volume=Volume.PERCENT)


def _replace(meaning: Meaning, family: Family) -> Meaning:
    return Meaning(
        family,
        meaning.shape,
        meaning.offset,
        meaning.floor,
        meaning.relative_floor,
        meaning.inverted,
        meaning.top,
        Volume.NONE,
        reading=meaning.reading,
    )


def _edge(series: Series, have: frozenset[str], unit: str) -> Meaning:
    if have & ERROR or have & SUCCESS or _FAILED_LABEL.search(series.labels):
        return _errors(have, unit, series)
    if "gap" in have:
        return _latency(Family.GAP, have, unit)
    if "server" in have and (have & LATENCY or unit in SECONDS):
        return _latency(Family.LATENCY, have, unit)
    if "client" in have or have & LATENCY:
        return _latency(Family.CLIENT_LATENCY, have, unit)
    if have & LOAD or "count" in have:
        return _load(have, unit, series)
    return _entity(series, have, unit)


def _entity(series: Series, have: frozenset[str], unit: str) -> Meaning:
    timed = bool(have & LATENCY) or ("time" in have and bool(have & TIME_OF)) or _lasts(series, have, unit)
    failing = have & (SUCCESS | ERROR) or _FAILED_LABEL.search(series.labels) or _failed_status(have)
    failing = failing or tokens(series.metric) == ("up",)
    if have & PAGING or ("memory" in have and have & {"failures", "faults"}):
        return Meaning(Family.IO, Shape.LOG, offset=BYTES_OFFSET, floor=FLOOR_LOG, relative_floor=0.0)
    if have & PLACES and have & {"available", "healthy", "unavailable", "unhealthy"} and not have & SHARE:
        # How many there are, by one's own doing: a rollout or a smaller fleet is no failure.
        return Meaning(Family.OTHER, Shape.ASINH, floor=FLOOR_LOG)
    if failing and not timed:
        return _errors(have, unit, series)
    if have & CPU and not have & {"throttled", "throttling", "throttle", "pressure"}:
        return _linear(Family.CPU, unit)
    if have & MEMORY:
        if timed or "gc" in have:
            return _latency(Family.MEMORY, have, unit)
        return _linear(Family.MEMORY, unit)
    if timed and "count" not in have and "sum" not in have:
        waits = have & {"wait", "acquire", "pool", "lock", "queue", "throttled", "throttling", "lag", "age"}
        if waits:
            return _latency(Family.SATURATION, have, unit)
        if "own" in have or "self" in have:
            return _latency(Family.OWN_TIME, have, unit)
        outward = _outward(have) and "server" not in have
        outward = outward or "reporter=source" in series.labels
        return _latency(Family.CLIENT_LATENCY if outward else Family.LATENCY, have, unit)
    if "hit" in have and series.kind is Kind.GAUGE and (unit in {"%", "1"} or have & SHARE):
        return _cache_hits(unit)
    if "flight" in have or (have & SATURATION and not have & {"ops", "workload"}):
        if unit in {"%", "1"} or have & (SHARE | {"utilization", "utilisation"}):
            return Meaning(Family.SATURATION, Shape.LINEAR, **_share_of(unit, series.kind, 0.02))
        if unit.lower() in {"by", "bytes", "kib", "mib", "gib"}:
            return Meaning(Family.SATURATION, Shape.LOG, offset=BYTES_OFFSET, floor=FLOOR_LOG)
        return Meaning(Family.SATURATION, Shape.COUNT, offset=1.0, floor=FLOOR_COUNT)
    if have & IO and not (have & LOAD and not have & {"ops", "operations", "operation", "request"}):
        return Meaning(Family.IO, Shape.LOG, offset=BYTES_OFFSET, floor=FLOOR_LOG, relative_floor=0.0)
    loaded = have & LOAD if not have & AVERAGED_LOAD else have & (LOAD - {"load"})
    if loaded or (timed and "count" in have) or tokens(series.metric) == ("count",):
        return _load(have, unit, series)
    if have & IO:
        return Meaning(Family.IO, Shape.LOG, offset=BYTES_OFFSET, floor=FLOOR_LOG, relative_floor=0.0)
    return Meaning(Family.OTHER, Shape.ASINH, floor=FLOOR_LOG)


def _outward(have: frozenset[str]) -> bool:
    """Tell whether the work of callees is meant. To Envoy, downstream is who asks."""
    return bool(have & (CLIENT - {"downstream"} if "envoy" in have else CLIENT))


def _lasts(series: Series, have: frozenset[str], unit: str) -> bool:
    """Tell whether a gauge of work is in a unit of time: how long it took, under the name of what it did."""
    in_time = unit.lower() in SECONDS or have & (SECONDS.keys() - {"second"})
    measured = have & TIMES_MEASURED and not have & CLOCK
    return bool(series.kind is Kind.GAUGE and in_time and measured and "/" not in unit and "per" not in have)


def _failed_status(have: frozenset[str]) -> bool:
    """Tell whether requests are counted by a status that says that they failed."""
    return bool(have & STATUS) and any(_FAILED_STATUS.fullmatch(word) for word in have)


def _share_of(unit: str, kind: Kind, floor: float) -> _Share:
    """Return top and floor of a share, and whether values have to tell if it is of 1 or of 100."""
    top = 100.0 if unit == "%" else 1.0
    unknown = not unit and kind is Kind.GAUGE
    return {"top": top, "floor": floor * top, "reading": Reading.SHARE if unknown else Reading.NONE}


def _cache_hits(unit: str) -> Meaning:
    """A share of hits, stored as what is missed: a cache without hits passes all its work on."""
    return Meaning(Family.SATURATION, Shape.LINEAR, inverted=True, **_share_of(unit, Kind.GAUGE, 0.02))


def _latency(family: Family, have: frozenset[str], unit: str) -> Meaning:
    hint = max((SECONDS[word] for word in have if word in SECONDS), default=0.0)
    per_second = SECONDS.get(unit.lower(), hint)
    return Meaning(
        family,
        Shape.LOG,
        offset=LATENCY_OFFSET_S * (per_second or 1.0),
        floor=FLOOR_LOG,
        relative_floor=0.0,
        volume=Volume.QUANTILE,
        reading=Reading.NONE if per_second or unit else Reading.TIME,
    )


def _errors(have: frozenset[str], unit: str, series: Series) -> Meaning:
    share = unit == "%" or bool(have & SHARE) or (unit == "1" and series.kind is Kind.GAUGE)
    share = share or bool(have & SUCCESS and not have & {"count", "total"} and series.kind is Kind.GAUGE)
    share = share or bool(have & {"loss", "up"} and series.kind is Kind.GAUGE)
    if share and series.kind is Kind.GAUGE:
        # One point: below it a share of success always flickers (lessons, step 2).
        return Meaning(
            Family.ERROR,
            Shape.LINEAR,
            inverted=bool(have & (SUCCESS | {"up"})) and not have & ERROR,
            volume=Volume.PERCENT,
            **_share_of(unit, series.kind, 0.01),
        )
    if have & SUCCESS and not have & ERROR:
        return _load(have, unit, series)
    whole = series.kind is Kind.DELTA or (unit.startswith("{") and "/" not in unit)
    return Meaning(
        Family.ERROR,
        Shape.COUNT,
        offset=1.0,
        floor=FLOOR_COUNT,
        reading=Reading.NONE if whole and series.kind is not Kind.COUNTER else Reading.EVENTS,
    )


def _linear(family: Family, unit: str) -> Meaning:
    return Meaning(family, Shape.LINEAR)


def _load(have: frozenset[str], unit: str, series: Series) -> Meaning:
    rate = series.kind is Kind.COUNTER or "/s" in unit or (series.kind is Kind.GAUGE and bool(have & RATE))
    outward = _outward(have)
    direct = bool(have & {"request", "requests", "workload", "calls", "invocations", "rps", "qps"})
    return Meaning(
        Family.LOAD,
        Shape.LOG,
        offset=1.0,
        floor=FLOOR_LOG,
        relative_floor=0.0,
        load_is_rate=rate,
        load_rank=(5 if outward else 0)
        + (0 if direct else 2)
        + (1 if series.labels else 0)
        # A sum of durations grows with requests, but is not their number.
        + (3 if "sum" in have else 0),
    )

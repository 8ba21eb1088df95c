"""What a metric means, from its name, unit, kind and labels: never from the name of a service.

The vocabulary is that of OpenTelemetry's semantic conventions, Prometheus exporters (cAdvisor,
kube-state-metrics, Istio) and the short names of benchmarks (`cpu`, `latency-50`, `workload`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from typing import TypedDict

from detectors.anomaly import Family
from detectors.telemetry import Kind, Series


class Shape(IntEnum):
    """How a value becomes a quantity whose ordinary spread does not depend on its level."""

    LINEAR = 0
    LOG = 1
    """log(x + offset): what varies in proportion (latency, load, bytes)."""
    COUNT = 2
    """2·sqrt(x/offset + 3/8), Anscombe: a Poisson count gets standard deviation 1 whatever its mean.

    The offset is what one event adds: 1 in a count, 1/15 in the rate of a second over a quarter of a minute.
    """
    ASINH = 3
    """asinh(x): signed, proportional when large; for what nothing is known about."""


class Reading(IntEnum):
    """What a metric leaves open that its values tell; see `detectors.reading`."""

    NONE = 0
    SHARE = 1
    """A share of 1 or of 100."""
    TIME = 2
    """Seconds, milliseconds or microseconds."""
    EVENTS = 3
    """How much one event adds: a count adds 1, a rate less."""


class Volume(IntEnum):
    """How the number of requests behind a value enters its spread."""

    NONE = 0
    QUANTILE = 1
    """A quantile of few requests scatters: scale · sqrt(1 + 5/n)."""
    PERCENT = 2
    """A share of n requests: binomial spread as a floor."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """A metric's family and the mathematics that follow from it."""

    family: Family
    shape: Shape
    offset: float = 0.0
    floor: float = 0.0
    """Smallest scale, in the shape's own unit."""
    relative_floor: float = 0.05
    """Smallest scale as a share of the median: 5 % of the level is never news (lessons, step 2)."""
    inverted: bool = False
    """A share of success: stored as `top - x`, so that up is always worse."""
    top: float = 100.0
    volume: Volume = Volume.NONE
    load_is_rate: bool = False
    """LOAD only: requests a second (True) or requests in the interval (False)."""
    load_rank: int = 9
    """LOAD only: how well it counts the requests a service serves; the lowest speaks for it."""
    reading: Reading = Reading.NONE
    """What values have to tell, since neither unit nor name does."""


_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_STATUS_CLASS = re.compile(r"(?<=[1-5])XX")
_SPLIT = re.compile(r"[^a-z0-9]+")


@lru_cache(maxsize=65_536)  # a million series have some hundred names; a restore asks for each several times
def tokens(name: str) -> tuple[str, ...]:
    """Split a metric name into lower-case words.

    Examples
    --------
    >>> tokens("http.server.request.duration"), tokens("PodSuccessRate(%)"), tokens("latency-50")
    (('http', 'server', 'request', 'duration'), ('pod', 'success', 'rate'), ('latency', '50'))
    >>> tokens("CPUUtilization"), tokens("HTTPCode_Target_5XX_Count")
    (('cpu', 'utilization'), ('http', 'code', 'target', '5xx', 'count'))
    """
    name = _STATUS_CLASS.sub("xx", name)
    return tuple(part for part in _SPLIT.split(_CAMEL.sub("_", name).lower()) if part)


def words_of(text: str) -> frozenset[str]:
    """Return a vocabulary from words between spaces."""
    return frozenset(text.split())


_SUCCESS = words_of("success successes successful availability available apdex ok healthy sr")
_ERROR = words_of(
    "error errors err errs fail fails failed failure failures fault faults exception exceptions "
    "5xx 4xx rejected rejections restart restarts restarted oom oomkilled crash crashes crashloop "
    "timeout timeouts retry retries dropped drops drop loss lost panic panics unhealthy aborted aborts "
    "deadlock deadlocks refused denied unavailable"
)
_SATURATION = words_of(
    "pool queue queued queues pending backlog lag throttled throttling throttle throttles saturation "
    "connections connection threads thread goroutines fds fd descriptors inflight waiting waiters blocked "
    "blocking utilization utilisation evicted evictions eviction filesystem volume quota limit inodes "
    "semaphore locks lock depth load1 load5 load15 pressure socket sockets active age visible concurrent "
    "concurrency clients cx retransmits retrans"
)
_CPU = words_of("cpu cpus core cores millicores")
_MEMORY = words_of("mem memory memstats rss heap swap gc workingset")
_PAGING = words_of("page pages pgfault pgfaults pgmajfault pgmajfaults")
_LATENCY = words_of(
    "latency latencies duration durations rt mrt rtt elapsed ttfb responsetime processingtime delay "
    "p50 p75 p90 p95 p99 p999"
)
_TIME_OF = words_of("response request rq processing service roundtrip wait query operation rpc call")
_LOAD = words_of(
    "request requests req reqs rq call calls workload workloads load ops operations operation "
    "throughput rps qps tps cnt handled hits messages message invocations traffic sessions session users "
    "queries commands transactions consumed published orders"
)
_IO = words_of(
    "network net bytes byte disk diskio io iops read reads write writes receive received transmit "
    "transmitted packets packet syscall syscalls fs rx tx bandwidth storage"
)
_NODE = words_of("node host machine vm hypervisor system")
_CLIENT = words_of("client upstream outbound outgoing egress downstream callee db redis sql cache producer")
_SHARE = words_of("rate ratio pct percent percentage share fraction")
_PERCENT_UNITS = frozenset({"%", "percent", "pct"})
_PERCENT_WORDS = words_of("pct percent percentage")
_NO_UNITS = frozenset({"", "none", "null", "-", "unknown"})
_UNIT_NAMES = {"percent": "%", "pct": "%", "seconds": "s", "sec": "s", "milliseconds": "ms", "millis": "ms"}
_UNIT_NAMES |= {"microseconds": "us", "µs": "us", "nanoseconds": "ns", "bytes": "By"}
"""Spelled-out units (CloudWatch, Prometheus' names) in UCUM."""
_SECONDS = {"s": 1.0, "sec": 1.0, "seconds": 1.0, "second": 1.0, "ms": 1e3, "milliseconds": 1e3}
_SECONDS |= {"millis": 1e3, "us": 1e6, "µs": 1e6, "microseconds": 1e6, "ns": 1e9, "nanoseconds": 1e9}
_TIMED = _LATENCY.union(_SECONDS) - {"s"}
_RATE = words_of("rate rps qps tps ops per second workload load throughput persecond")
_AVERAGED_LOAD = words_of("average avg 1m 5m 15m 10s")
"""Beside `load`: the length of a run queue, not requests."""
_CLOCK = words_of("count total sum bucket start started uptime created timestamp boot expiry seen last")
"""Beside a unit of time: not how long something took, or not of one thing."""
_PLACES = words_of(
    "replica replicas host hosts pod pods container containers target targets endpoint endpoints task tasks "
    "node nodes"
)
_STATUS = words_of("http status code response")
_FAILED_LABEL = re.compile(
    r"(?:^|,)(?:[\w.]*(?:code|status|status_class|outcome|result)=(?:5\d\d|5xx|error|fail\w*|unavailable)"
    r"|[\w.]*error[\w.]*=(?!false|none|,|$))",
    re.IGNORECASE,
)

FLOOR_LOG = 0.1
"""A tenth in logarithms, 10 % of the level: below that, latency and load always move (lessons, step 2)."""
FLOOR_COUNT = 1.35
"""Interquartile range of a Poisson count after Anscombe's transform, 1.349 · 1."""
LATENCY_OFFSET_S = 0.002
"""Two milliseconds: what scheduling alone adds, so that 0.2 ms → 0.6 ms is not a tripling."""
BYTES_OFFSET = 100.0


_TIMES_MEASURED = _LOAD | _SATURATION | _TIME_OF | words_of("acquire gc pause handling")
_FAILED_STATUS = re.compile(r"5\d\d")


class _Share(TypedDict):
    top: float
    floor: float
    reading: Reading


LINE_UNIT = "{line}"
"""Unit of all counts of log lines."""
LOG_PREFIX = "log."
"""Of counts over a service's lines; a template's series bears the template's text."""
LOG_LINES = "log.lines"
MISSING = "log.missing "
"""Before a template's text: the share of its expected lines that did not come."""
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
    if words and words[0] in _NODE and len(words) > 1 and not {"system", "errors"} <= have:
        inner = _entity(series, have - {words[0]}, unit)
        return _replace(inner, Family.NODE)
    return _entity(series, have, unit)


def unit_of(series: Series) -> str | None:
    """Return the unit in UCUM that a series states, or that its name ends in; None where neither does.

    Examples
    --------
    >>> unit_of(Series("s", "CPUUtilization", unit="Percent")), unit_of(Series("s", "cpu_usage_pct"))
    ('%', '%')
    >>> unit_of(Series("s", "rt")), unit_of(Series("s", "request_duration_milliseconds_p99"))
    (None, 'ms')
    """
    stated = (series.unit or "").strip()
    if stated.lower() not in _NO_UNITS:
        return _UNIT_NAMES.get(stated.lower(), stated)
    words = tokens(series.metric)
    if "%" in series.metric or _PERCENT_WORDS.intersection(words):
        return "%"
    if series.kind is not Kind.GAUGE or not _LATENCY.union(_TIMES_MEASURED).intersection(words):
        return None
    return next((_UNIT_NAMES.get(word, word) for word in reversed(words) if word in _SECONDS), None)


def sums_time(series: Series) -> bool:
    """Tell whether a counter or a delta adds up how long things took."""
    if series.kind is Kind.GAUGE:
        return False
    words = tokens(series.metric)
    return words[-1:] == ("sum",) and not _TIMED.isdisjoint(words)


def is_log(series: Series) -> bool:
    """Tell whether a series was counted from log lines."""
    return series.unit == LINE_UNIT or series.metric.startswith(LOG_PREFIX)


def is_template(series: Series) -> bool:
    """Tell whether a series counts the lines of one template."""
    return series.unit == LINE_UNIT and not series.metric.startswith(LOG_PREFIX)


def is_missing(series: Series) -> bool:
    """Tell whether a series is the share of one template's lines that did not come."""
    return series.metric.startswith(MISSING)


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
    if have & _ERROR or have & _SUCCESS or _FAILED_LABEL.search(series.labels):
        return _errors(have, unit, series)
    if "gap" in have:
        return _latency(Family.GAP, have, unit)
    if "server" in have and (have & _LATENCY or unit in _SECONDS):
        return _latency(Family.LATENCY, have, unit)
    if "client" in have or have & _LATENCY:
        return _latency(Family.CLIENT_LATENCY, have, unit)
    if have & _LOAD or "count" in have:
        return _load(have, unit, series)
    return _entity(series, have, unit)


def _entity(series: Series, have: frozenset[str], unit: str) -> Meaning:
    timed = bool(have & _LATENCY) or ("time" in have and bool(have & _TIME_OF)) or _lasts(series, have, unit)
    failing = have & (_SUCCESS | _ERROR) or _FAILED_LABEL.search(series.labels) or _failed_status(have)
    failing = failing or tokens(series.metric) == ("up",)
    if have & _PAGING or ("memory" in have and have & {"failures", "faults"}):
        return Meaning(Family.IO, Shape.LOG, offset=BYTES_OFFSET, floor=FLOOR_LOG, relative_floor=0.0)
    if have & _PLACES and have & {"available", "healthy", "unavailable", "unhealthy"} and not have & _SHARE:
        # How many there are, by one's own doing: a rollout or a smaller fleet is no failure.
        return Meaning(Family.OTHER, Shape.ASINH, floor=FLOOR_LOG)
    if failing and not timed:
        return _errors(have, unit, series)
    if have & _CPU and not have & {"throttled", "throttling", "throttle", "pressure"}:
        return _linear(Family.CPU, unit)
    if have & _MEMORY:
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
    if "hit" in have and series.kind is Kind.GAUGE and (unit in {"%", "1"} or have & _SHARE):
        return _cache_hits(unit)
    if "flight" in have or (have & _SATURATION and not have & {"ops", "workload"}):
        if unit in {"%", "1"} or have & (_SHARE | {"utilization", "utilisation"}):
            return Meaning(Family.SATURATION, Shape.LINEAR, **_share_of(unit, series.kind, 0.02))
        if unit.lower() in {"by", "bytes", "kib", "mib", "gib"}:
            return Meaning(Family.SATURATION, Shape.LOG, offset=BYTES_OFFSET, floor=FLOOR_LOG)
        return Meaning(Family.SATURATION, Shape.COUNT, offset=1.0, floor=FLOOR_COUNT)
    if have & _IO and not (have & _LOAD and not have & {"ops", "operations", "operation", "request"}):
        return Meaning(Family.IO, Shape.LOG, offset=BYTES_OFFSET, floor=FLOOR_LOG, relative_floor=0.0)
    loaded = have & _LOAD if not have & _AVERAGED_LOAD else have & (_LOAD - {"load"})
    if loaded or (timed and "count" in have) or tokens(series.metric) == ("count",):
        return _load(have, unit, series)
    if have & _IO:
        return Meaning(Family.IO, Shape.LOG, offset=BYTES_OFFSET, floor=FLOOR_LOG, relative_floor=0.0)
    return Meaning(Family.OTHER, Shape.ASINH, floor=FLOOR_LOG)


def _outward(have: frozenset[str]) -> bool:
    """Tell whether the work of callees is meant. To Envoy, downstream is who asks."""
    return bool(have & (_CLIENT - {"downstream"} if "envoy" in have else _CLIENT))


def _lasts(series: Series, have: frozenset[str], unit: str) -> bool:
    """Tell whether a gauge of work is in a unit of time: how long it took, under the name of what it did."""
    in_time = unit.lower() in _SECONDS or have & (_SECONDS.keys() - {"second"})
    measured = have & _TIMES_MEASURED and not have & _CLOCK
    return bool(series.kind is Kind.GAUGE and in_time and measured and "/" not in unit and "per" not in have)


def _failed_status(have: frozenset[str]) -> bool:
    """Tell whether requests are counted by a status that says that they failed."""
    return bool(have & _STATUS) and any(_FAILED_STATUS.fullmatch(word) for word in have)


def _share_of(unit: str, kind: Kind, floor: float) -> _Share:
    """Return top and floor of a share, and whether values have to tell if it is of 1 or of 100."""
    top = 100.0 if unit == "%" else 1.0
    unknown = not unit and kind is Kind.GAUGE
    return {"top": top, "floor": floor * top, "reading": Reading.SHARE if unknown else Reading.NONE}


def _cache_hits(unit: str) -> Meaning:
    """A share of hits, stored as what is missed: a cache without hits passes all its work on."""
    return Meaning(Family.SATURATION, Shape.LINEAR, inverted=True, **_share_of(unit, Kind.GAUGE, 0.02))


def _latency(family: Family, have: frozenset[str], unit: str) -> Meaning:
    hint = max((_SECONDS[word] for word in have if word in _SECONDS), default=0.0)
    per_second = _SECONDS.get(unit.lower(), hint)
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
    share = unit == "%" or bool(have & _SHARE) or (unit == "1" and series.kind is Kind.GAUGE)
    share = share or bool(have & _SUCCESS and not have & {"count", "total"} and series.kind is Kind.GAUGE)
    share = share or bool(have & {"loss", "up"} and series.kind is Kind.GAUGE)
    if share and series.kind is Kind.GAUGE:
        # One point: below it a share of success always flickers (lessons, step 2).
        return Meaning(
            Family.ERROR,
            Shape.LINEAR,
            inverted=bool(have & (_SUCCESS | {"up"})) and not have & _ERROR,
            volume=Volume.PERCENT,
            **_share_of(unit, series.kind, 0.01),
        )
    if have & _SUCCESS and not have & _ERROR:
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
    rate = series.kind is Kind.COUNTER or "/s" in unit or (series.kind is Kind.GAUGE and bool(have & _RATE))
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

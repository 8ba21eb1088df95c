"""How times, amounts and what was measured are written for a person."""

from __future__ import annotations

from datetime import UTC, datetime

from detectors.anomaly import AGAINST, Signal

CALL_METRICS = {
    "client_p50_s": "latency at the caller p50",
    "client_p95_s": "latency at the caller p95",
    "server_p50_s": "latency at the callee p50",
    "server_p95_s": "latency at the callee p95",
    "gap_p95_s": "time between caller and callee p95",
    "errors per calls": "share of failed calls",
}
"""What headwater itself measures of calls; all other names are the producer's and stay as they are."""

GROUP_WORDS = {
    "cpu": "CPU",
    "mem": "memory",
    "sat": "saturation",
    "err": "errors",
    "lat": "latency",
    "gap": "time between caller and callee",
    "latc": "waiting for callees",
    "out": "time on the way to callees",
    "load": "load",
    "io": "I/O",
    "node": "load of its node",
    "log": "log lines",
    "flow": "missing log lines",
    "stale": "silence",
    "frozen": "a value that stands still",
    "starves": "calls to callees",
    "amplifies": "calls to callees",
    "other": "other signals",
}
"""Words for the groups of evidence; one that got better (`lat-`) has the words of the group."""

_SIZES = ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"), (0.0, "B"))


def clock(ms: int) -> str:
    """A time of day, UTC, to the second.

    Examples
    --------
    >>> clock(1_790_000_000_000)
    '14:13:20'
    """
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%H:%M:%S")


def group_words(group: str) -> str:
    """Name a group of evidence.

    Examples
    --------
    >>> group_words("lat-"), group_words("flow-")
    ('latency', 'missing log lines')
    """
    return GROUP_WORDS[group.removesuffix("-")]


def signal_name(signal: Signal) -> str:
    """Name what was measured: in words where the name is headwater's, else the producer's name.

    Examples
    --------
    >>> signal_name(Signal(source="edge", metric="client_p95_s", family="client_latency", peer="db"))
    'latency at the caller p95'
    >>> slow = Signal(source="metric", metric="p95_s", family="latency", version="v2", labels="against=v1")
    >>> signal_name(slow)
    'p95_s of v2 relative to v1'
    """
    name = CALL_METRICS.get(signal.metric, signal.metric)
    _, is_comparison, others = signal.labels.rpartition(AGAINST)
    return f"{name} of {signal.version} relative to {others}" if is_comparison else name


def quantity(value: float, unit: str | None) -> str:
    """A number with its UCUM unit as people write it, three significant digits.

    Examples
    --------
    >>> quantity(0.0827, "s"), quantity(5091.2, "By"), quantity(3470.4, None), quantity(0.869, "{cpu}")
    ('82.7 ms', '5.09 kB', '3,470', '0.869 cpu')
    >>> quantity(1.93, "1/s"), quantity(58.3, "%"), quantity(12e9, "By/s"), quantity(0.0, "s")
    ('1.93/s', '58.3 %', '12 GB/s', '0 s')
    """
    unit = (unit or "").replace("{", "").replace("}", "")
    if unit == "s" and 0 < abs(value) < 1:
        value, unit = value * 1000, "ms"
    elif unit in ("By", "By/s"):
        size, name = next(each for each in _SIZES if abs(value) >= each[0])
        value, unit = value / (size or 1.0), unit.replace("By", name)
    number = f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"
    if unit in ("", "1"):
        return number
    return f"{number}/s" if unit == "1/s" else f"{number} {unit}"

"""Words that metrics are named with, and what they are about.

The vocabulary is that of OpenTelemetry's semantic conventions, Prometheus exporters (cAdvisor,
kube-state-metrics, Istio) and the short names of benchmarks (`cpu`, `latency-50`, `workload`).
"""

from __future__ import annotations

import re
from functools import lru_cache

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


SUCCESS = words_of("success successes successful availability available apdex ok healthy sr")
ERROR = words_of(
    "error errors err errs fail fails failed failure failures fault faults exception exceptions "
    "5xx 4xx rejected rejections restart restarts restarted oom oomkilled crash crashes crashloop "
    "timeout timeouts retry retries dropped drops drop loss lost panic panics unhealthy aborted aborts "
    "deadlock deadlocks refused denied unavailable"
)
SATURATION = words_of(
    "pool queue queued queues pending backlog lag throttled throttling throttle throttles saturation "
    "connections connection threads thread goroutines fds fd descriptors inflight waiting waiters blocked "
    "blocking utilization utilisation evicted evictions eviction filesystem volume quota limit inodes "
    "semaphore locks lock depth load1 load5 load15 pressure socket sockets active age visible concurrent "
    "concurrency clients cx retransmits retrans"
)
CPU = words_of("cpu cpus core cores millicores")
MEMORY = words_of("mem memory memstats rss heap swap gc workingset")
PAGING = words_of("page pages pgfault pgfaults pgmajfault pgmajfaults")
LATENCY = words_of(
    "latency latencies duration durations rt mrt rtt elapsed ttfb responsetime processingtime delay "
    "p50 p75 p90 p95 p99 p999"
)
TIME_OF = words_of("response request rq processing service roundtrip wait query operation rpc call")
LOAD = words_of(
    "request requests req reqs rq call calls workload workloads load ops operations operation "
    "throughput rps qps tps cnt handled hits messages message invocations traffic sessions session users "
    "queries commands transactions consumed published orders"
)
IO = words_of(
    "network net bytes byte disk diskio io iops read reads write writes receive received transmit "
    "transmitted packets packet syscall syscalls fs rx tx bandwidth storage"
)
NODE = words_of("node host machine vm hypervisor system")
CLIENT = words_of("client upstream outbound outgoing egress downstream callee db redis sql cache producer")
SHARE = words_of("rate ratio pct percent percentage share fraction")
RATE = words_of("rate rps qps tps ops per second workload load throughput persecond")
AVERAGED_LOAD = words_of("average avg 1m 5m 15m 10s")
"""Beside `load`: the length of a run queue, not requests."""
CLOCK = words_of("count total sum bucket start started uptime created timestamp boot expiry seen last")
"""Beside a unit of time: not how long something took, or not of one thing."""
PLACES = words_of(
    "replica replicas host hosts pod pods container containers target targets endpoint endpoints task tasks "
    "node nodes"
)
STATUS = words_of("http status code response")
TIMES_MEASURED = LOAD | SATURATION | TIME_OF | words_of("acquire gc pause handling")

"""The same measurements under Prometheus' names and habits: sums that start anew with every pod."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from streams.simulator.chunk import Chunk, Values

PROMETHEUS: dict[str, tuple[str, str, str]] = {
    # OpenTelemetry's name: (Prometheus' name, unit, kind)
    "k8s.pod.cpu.usage": ("container_cpu_usage_seconds_total", "s", "counter"),
    "k8s.pod.memory.working_set": ("container_memory_working_set_bytes", "By", "gauge"),
    "k8s.pod.network.receive": ("container_network_receive_bytes_total", "By", "counter"),
    "k8s.pod.network.transmit": ("container_network_transmit_bytes_total", "By", "counter"),
    "http.server.request.count": ("http_requests_total", "{request}", "counter"),
    "http.server.error.count": ("http_requests_failed_total", "{request}", "counter"),
    "http.server.request.duration.p50": ("http_request_duration_seconds_p50", "s", "gauge"),
    "http.server.request.duration.p95": ("http_request_duration_seconds_p95", "s", "gauge"),
    "http.server.request.duration.p99": ("http_request_duration_seconds_p99", "s", "gauge"),
    "http.server.active_requests": ("http_requests_in_flight", "{request}", "gauge"),
    "client.connections.usage": ("client_pool_active_connections", "{connection}", "gauge"),
    "client.connections.pending_requests": ("client_pool_pending_requests", "{request}", "gauge"),
    "jvm.memory.used": ("jvm_memory_used_bytes", "By", "gauge"),
    "runtime.gc.time": ("jvm_gc_pause_seconds_sum", "s", "counter"),
}


@dataclass
class Totals:
    """Running sums per instance, which a restart or a new pod sets back to zero."""

    _sum: dict[str, Values] = field(default_factory=dict)
    _pods: NDArray[np.int32] | None = None
    _restarts: NDArray[np.int64] | None = None
    _fresh: NDArray[np.bool_] | None = None

    def begin(self, chunk: Chunk) -> None:
        """Find out where sums start anew in this chunk."""
        restarts = chunk.instance["restarts"]
        pods = chunk.names if self._pods is None else np.vstack([self._pods, chunk.names])
        before = restarts if self._restarts is None else np.vstack([self._restarts, restarts])
        fresh = (np.diff(pods, axis=0) != 0) | (np.diff(before, axis=0) != 0)
        if self._pods is None:
            fresh = np.vstack([np.zeros(len(pods[0]), bool), fresh])
        self._fresh, self._pods, self._restarts = fresh, chunk.names[-1], restarts[-1]

    def add(self, name: str, increments: Values, slots: NDArray[np.int64]) -> Values:
        """The running sum after each interval, of these instances."""
        out = np.nan_to_num(increments)
        total = self._sum.get(name, 900.0 * out[0])
        fresh = np.zeros(out.shape, bool) if self._fresh is None else self._fresh[:, slots]
        for t, anew in enumerate(np.any(fresh, axis=1).tolist()):
            if anew:
                total = np.where(fresh[t], 0.0, total)
            out[t] += total
            total = out[t]
        self._sum[name] = total.copy()
        return out

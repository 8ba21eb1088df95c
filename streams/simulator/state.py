"""The plant's numbers as structured arrays: what is fixed, what evolves, what disturbs, what is measured."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streams.simulator.graph import System

COLD = {"java": 0.9, "node": 0.4, "python": 0.2, "go": 0.1}
"""How much dearer a request is on a fresh instance: compilation, empty local caches."""

KINDS = ("service", "database", "cache", "broker", "external")


def _dtype(integers: str, floats: str) -> np.dtype[np.void]:
    fields = [(name, np.int64) for name in integers.split()]
    return np.dtype(fields + [(name, np.float64) for name in floats.split()])


SERVICE = _dtype(
    "first count kind evicts",
    # fixed
    "cores threads cpu_s io_s wait_s lock_s idle tail error queue_limit patience_s deadline_s memory limit "
    "request_mem alloc max_connections hit cache_limit key_ttl_s write_share cold "
    # evolves
    "served capacity cache_mem hit_now connections connections_next connection_error "
    # measured
    "rate p50_s p95_s error_rate up_share net_s loss lock_wait_s io_util stored evicted",
)
INSTANCE = _dtype(
    "service machine restarts generation version",
    "weight up age_s down_s leak backlog hold_s gc stall "
    "rate able done cpu throttled p50_s p95_s error_rate memory inflight io_util own_s",
)
EDGE = _dtype(
    "caller callee retries blocking breaker behind topic",
    "timeout_s pool pool_timeout_s critical rtt_s fail_before amplification pending open_s "
    "calls attempts fail p50_s p95_s server_p50_s server_p95_s used size wait_s timeouts pool_refused",
)
TOPIC = _dtype("broker consumer request_type", "depth inflow consumed")
MACHINE = _dtype("", "cores busy steal")

SERVICE_STRAIN = _dtype(
    "",
    "demand alloc io wait_s error lock lock_s threads bg_io net_s loss connection_error max_connections "
    "hit limit",
)
INSTANCE_STRAIN = _dtype("", "demand cores bg_cores error wait_s net_s loss leak io kill weight")
EDGE_STRAIN = _dtype("", "delay_s loss error timeout pool retries calls critical")
MACHINE_STRAIN = _dtype("", "busy")
_NEUTRAL_ONE = frozenset(
    (
        *("demand", "alloc", "io", "lock", "threads", "max_connections", "hit", "limit"),
        *("cores", "weight", "timeout", "pool", "calls", "critical"),
    )
)


def _neutral(dtype: np.dtype[np.void], count: int) -> NDArray[np.void]:
    array = np.zeros(count, dtype)
    for name in dtype.names or ():
        if name in _NEUTRAL_ONE:
            array[name] = 1.0
    return array


class Strain:
    """What faults, jobs and changes do to the plant at this moment; neutral by default."""

    def __init__(self, services: int, instances: int, edges: int, machines: int) -> None:
        self.service = _neutral(SERVICE_STRAIN, services)
        self.instance = _neutral(INSTANCE_STRAIN, instances)
        self.edge = _neutral(EDGE_STRAIN, edges)
        self.machine = _neutral(MACHINE_STRAIN, machines)
        self.load = np.ones(1)
        # As plain numbers: structured arrays are copied field by field, ten times as slowly.
        arrays = (self.service, self.instance, self.edge, self.machine)
        self._flat = [(array.view(np.float64), array.view(np.float64).copy()) for array in arrays]

    def relax(self) -> None:
        """Back to undisturbed."""
        for mine, neutral in self._flat:
            mine[:] = neutral
        self.load[:] = 1.0


@dataclass
class State:
    """Everything that evolves. `fork` gives an independent copy, for a world in which nothing broke."""

    service: NDArray[np.void]
    instance: NDArray[np.void]
    edge: NDArray[np.void]
    topic: NDArray[np.void]
    machine: NDArray[np.void]

    def fork(self) -> State:
        """An independent copy."""
        return copy.deepcopy(self)

    def drain(self) -> None:
        """Empty all queues and forget what would be tried again, as whoever ends an incident does."""
        for name in ("backlog", "hold_s"):
            self.instance[name] = 0.0
        for name in ("pending", "fail_before", "open_s"):
            self.edge[name] = 0.0
        self.edge["amplification"] = 1.0


@dataclass(frozen=True)
class Wiring:
    """How the arrays refer to each other: fixed for the life of a world."""

    order: NDArray[np.int64]
    out_first: NDArray[np.int64]
    """Edges of service s are out_first[s] … out_first[s + 1] - 1."""
    fan: NDArray[np.float64]
    """[edge, request type]: calls per request."""
    key_bytes: NDArray[np.float64]
    """[service, request type]: bytes that a call stores in a cache."""
    edges: tuple[int, ...]
    """Row of the edge array to position in `System.edges`."""


def build(system: System) -> tuple[State, Strain, Wiring]:
    """Lay out a system as arrays, at rest: warm caches, empty queues, all instances up."""
    position = {service.name: i for i, service in enumerate(system.services)}
    types = {name: k for k, name in enumerate(system.request_types)}
    topics = {topic.name: i for i, topic in enumerate(system.topics)}

    service = np.zeros(len(system.services), SERVICE)
    slots = 0
    for i, s in enumerate(system.services):
        row: Any = service[i]
        row["first"], row["count"], row["kind"], row["evicts"] = (
            slots,
            s.instances,
            KINDS.index(s.kind),
            s.evicts,
        )
        slots += s.instances
        row["cores"], row["threads"], row["tail"], row["error"] = s.cores, s.threads, s.tail, s.error
        row["cpu_s"], row["io_s"], row["wait_s"] = s.cpu_ms / 1e3, s.io_ms / 1e3, s.wait_ms / 1e3
        row["cold"] = COLD.get(s.language, 0.3)
        row["lock_s"], row["idle"] = s.lock_ms / 1e3, s.idle_cores
        row["queue_limit"], row["patience_s"] = s.queue_limit, s.patience_s
        row["memory"], row["limit"] = s.memory_mb * 1e6, s.limit_mb * 1e6
        row["request_mem"], row["alloc"] = s.request_kb * 1e3, s.alloc_kb * 1e3
        row["max_connections"], row["hit"], row["hit_now"] = s.max_connections, s.hit, s.hit
        row["cache_limit"], row["key_ttl_s"] = s.cache_limit_mb * 1e6, s.key_ttl_s
        row["write_share"], row["served"], row["capacity"], row["up_share"] = s.write_share, 1.0, 1e9, 1.0

    instance = np.zeros(slots, INSTANCE)
    for i in range(len(service)):
        first, count = service[i]["first"], service[i]["count"]
        instance["service"][first : first + count] = i
        instance["hold_s"][first : first + count] = service[i]["cpu_s"] + service[i]["wait_s"]
    instance["machine"] = np.arange(slots) % max(system.machines, 1)
    instance["weight"] = instance["up"] = instance["stall"] = 1.0
    instance["age_s"] = 86_400.0

    ranked = sorted(range(len(system.edges)), key=lambda e: position[system.edges[e].caller])
    edge = np.zeros(len(ranked), EDGE)
    fan = np.zeros((len(ranked), len(types)))
    for row_number, e in enumerate(ranked):
        spec, row = system.edges[e], edge[row_number]
        row["caller"], row["callee"], row["retries"] = (
            position[spec.caller],
            position[spec.callee],
            spec.retries,
        )
        row["blocking"], row["breaker"] = spec.blocking, spec.breaker
        row["behind"] = position[spec.behind] if spec.behind else -1
        row["topic"] = topics[spec.topic] if spec.topic else -1
        row["timeout_s"], row["pool"], row["pool_timeout_s"] = spec.timeout_s, spec.pool, spec.pool_timeout_s
        row["critical"], row["rtt_s"], row["amplification"] = spec.critical, spec.rtt_ms / 1e3, 1.0
        if isinstance(spec.calls, (int, float)):
            fan[row_number] = spec.calls
        else:
            for name, calls in spec.calls.items():
                fan[row_number, types[name]] = calls

    service["deadline_s"] = 30.0
    for callee in np.unique(edge["callee"]):
        service["deadline_s"][callee] = 1.1 * edge["timeout_s"][edge["callee"] == callee].max()

    key_bytes = np.zeros((len(service), len(types)))
    for i, s in enumerate(system.services):
        for name, kilobytes in s.key_kb.items():
            key_bytes[i, types[name]] = kilobytes * 1e3

    topic = np.zeros(len(system.topics), TOPIC)
    for i, t in enumerate(system.topics):
        topic[i]["broker"], topic[i]["consumer"] = position[t.broker], position[t.consumer]
        topic[i]["request_type"] = types[t.request_type]

    machine = np.zeros(max(system.machines, 1), MACHINE)
    machine["cores"] = system.machine_cores
    out_first = np.searchsorted(edge["caller"], np.arange(len(service) + 1)).astype(np.int64)
    wiring = Wiring(np.array(system.call_order(), np.int64), out_first, fan, key_bytes, tuple(ranked))
    return (
        State(service, instance, edge, topic, machine),
        Strain(len(service), slots, len(edge), len(machine)),
        wiring,
    )

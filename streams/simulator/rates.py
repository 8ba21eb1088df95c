"""Expected request rates and utilisations of a system that works: what capacity is planned with."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from streams.simulator.graph import System
from streams.simulator.load import DAY_S, MONDAY_S, Entry


def entry_rate(entry: Entry, t_s: float) -> float:
    """Requests per second that this entry brings on average at a time."""
    hour = (t_s % DAY_S) / 3600.0
    phase = 2.0 * np.pi * (hour - entry.peak_hour) / 24.0
    shape = 0.5 + 0.5 * (0.85 * np.cos(phase) + 0.15 * np.cos(2.0 * phase))
    weekend = ((t_s - MONDAY_S) // DAY_S) % 7 >= 5
    factor = entry.weekend if weekend else 1.0
    return float(entry.peak_rps * factor * (entry.night + (1.0 - entry.night) * min(max(shape, 0.0), 1.0)))


def service_rates(system: System, entries: Iterable[tuple[Entry, float]]) -> dict[str, float]:
    """Requests per second at each service when nothing fails, given each entry's rate.

    Topics are followed too: what is published is consumed.
    """
    types = {name: k for k, name in enumerate(system.request_types)}
    position = {service.name: i for i, service in enumerate(system.services)}
    consumers = {t.name: (position[t.consumer], types[t.request_type]) for t in system.topics}
    outgoing: dict[int, list[tuple[int, NDArray[np.float64], str | None]]] = {}
    for edge in system.edges:
        fan = np.zeros(len(types))
        for name, k in types.items():
            fan[k] = edge.calls if isinstance(edge.calls, (int, float)) else edge.calls.get(name, 0.0)
        miss = 1.0 - system.service(edge.behind).hit if edge.behind else 1.0
        outgoing.setdefault(position[edge.caller], []).append((position[edge.callee], fan * miss, edge.topic))
    order = system.call_order()
    total = np.zeros(len(position))
    wave = np.zeros((len(types), len(position)))
    for entry, rate in entries:
        wave[types[entry.request_type], position[entry.service]] += rate
    # Each round follows synchronous calls to their end and hands what was published to the next round.
    for _ in range(len(system.topics) + 1):
        published = np.zeros_like(wave)
        for caller in order:
            for callee, fan, topic in outgoing.get(caller, []):
                flow = wave[:, caller] * fan
                wave[:, callee] += flow
                if topic is not None:
                    consumer, request_type = consumers[topic]
                    published[request_type, consumer] += flow.sum()
        total += wave.sum(axis=0)
        wave = published
        if not wave.any():
            break
    return {
        service.name: float(total[i]) for service, i in zip(system.services, range(len(total)), strict=True)
    }

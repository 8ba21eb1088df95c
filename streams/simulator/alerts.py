"""Alerts as a real shop has them: fixed thresholds, held for a while, some badly chosen."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from streams.simulator.chunk import Chunk
from streams.simulator.graph import System

LATENCY_OBJECTIVE = 4.0
"""A team sets its latency threshold at some multiple of what it sees in the first minutes."""


CPU_LIMIT = 0.85


@dataclass
class AlertRules:
    """Evaluates the rules over chunks; a firing rule speaks once until it has been quiet."""

    system: System
    rng: np.random.Generator
    badly_chosen: float = 0.0
    """Share of the thresholds that nobody has looked at since the first day: they fire on nothing."""
    lines: list[dict[str, object]] = field(default_factory=list)
    _held: dict[tuple[str, str], float] = field(default_factory=dict)
    _firing: set[tuple[str, str]] = field(default_factory=set)
    _usual: np.ndarray[tuple[int], np.dtype[np.float64]] | None = None

    def __post_init__(self) -> None:
        count = len(self.system.services)
        self._objective, self._hold_s = np.full(count, LATENCY_OBJECTIVE), np.full(count, 120.0)
        self._cpu_limit = np.full(count, CPU_LIMIT)
        if self.badly_chosen:
            bad, tight = self.rng.random((2, count)) < self.badly_chosen
            self._objective[bad] = self.rng.uniform(1.25, 1.8, int(bad.sum()))
            self._hold_s[bad] = self.rng.uniform(15.0, 60.0, int(bad.sum()))
            self._cpu_limit[tight] = self.rng.uniform(0.25, 0.5, int(tight.sum()))

    def watch(self, chunk: Chunk) -> None:
        """Look at a chunk in time order and note what fires."""
        if self._usual is None:
            self._usual = np.median(chunk.service["p95_s"], axis=0)
        owner = chunk.instance["service"][0]
        for s, service in enumerate(self.system.services):
            if service.kind == "external":
                continue
            mine = owner == s
            cpu = chunk.instance["cpu"][:, mine].max(axis=1) / service.cores
            memory = chunk.instance["memory"][:, mine].max(axis=1) / (service.limit_mb * 1e6)
            noisy_cpu = cpu * np.exp(self.rng.normal(0.0, 0.06, len(cpu)))
            slow = chunk.service["p95_s"][:, s] > self._objective[s] * self._usual[s]
            limit = self._cpu_limit[s]
            busy = chunk.service["rate"][:, s] > 0.5
            failing = (chunk.service["error_rate"][:, s] > 0.05) & busy
            # The orchestrator knows of every pod; all other rules need telemetry.
            rules = [
                (
                    "PodNotReady",
                    "warning",
                    chunk.service["up_share"][:, s] < 0.99,
                    60.0,
                    "a pod is not ready",
                ),
            ]
            if service.monitored:
                rules += [
                    (
                        "HighCpu",
                        "warning",
                        noisy_cpu > limit,
                        180.0,
                        f"CPU above {100.0 * limit:.0f} % of its limit for 3 min",
                    ),
                    ("MemoryNearLimit", "warning", memory > 0.9, 120.0, "memory above 90 % of its limit"),
                ]
            if service.kind == "service" and (service.monitored or service.traced):
                rules += [
                    ("HighErrorRate", "critical", failing, 60.0, "more than 5 % of requests fail"),
                    (
                        "HighLatency",
                        "warning",
                        slow & busy,
                        float(self._hold_s[s]),
                        "p95 latency above its objective",
                    ),
                ]
            for name, severity, condition, hold_s, text in rules:
                self._rule(chunk, service.name, name, severity, condition, hold_s, text)
        for t, topic in enumerate(self.system.topics):
            lagging = chunk.topic["depth"][:, t] > 500.0
            self._rule(chunk, topic.consumer, "ConsumerLag", "warning", lagging, 120.0,
                       f"more than 500 messages wait on {topic.name}")  # fmt: skip

    def _rule(
        self, chunk: Chunk, service: str, name: str, severity: str,
        condition: np.ndarray[tuple[int], np.dtype[np.bool_]], hold_s: float, text: str,
    ) -> None:  # fmt: skip
        key = (service, name)
        if not condition.any() and key not in self._held and key not in self._firing:
            return
        for t, bad in enumerate(condition):
            if not bad:
                self._held.pop(key, None)
                self._firing.discard(key)
                continue
            held = self._held[key] = self._held.get(key, 0.0) + chunk.interval_s
            if held >= hold_s and key not in self._firing:
                self._firing.add(key)
                self.lines.append(
                    {
                        "id": f"al-{len(self.lines) + 1:05d}",
                        "ts_ms": int(chunk.end_s[t] * 1000),
                        "service": service,
                        "name": name,
                        "severity": severity,
                        "summary": f"{service}: {text}",
                    }
                )

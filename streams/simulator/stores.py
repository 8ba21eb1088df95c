"""What random systems keep their data in, send messages through and buy from others."""

from __future__ import annotations

import numpy as np

from streams.simulator.graph import Service


def _database(rng: np.random.Generator, name: str, types: list[str]) -> Service:
    return Service(
        name, kind="database", instances=1, cores=2.0, threads=int(rng.choice([80, 120, 200])),
        cpu_ms=float(rng.uniform(0.4, 2.0)), io_ms=float(rng.uniform(0.2, 1.2)), wait_ms=0.2,
        lock_ms=float(rng.uniform(0.02, 0.3)), memory_mb=float(rng.uniform(1000, 4000)), request_kb=2000,
        alloc_kb=0, max_connections=int(rng.choice([200, 300, 500])), traced=False, language="",
        tail=float(rng.uniform(2.6, 3.6)), deploys_per_day=0.01, queue_limit=4000,
        declared=bool(rng.random() > 0.08),
    )  # fmt: skip


def _cache(rng: np.random.Generator, name: str, types: list[str]) -> Service:
    return Service(
        name, kind="cache", instances=1, cores=1.0, threads=10_000, cpu_ms=0.05, wait_ms=0.15, memory_mb=90,
        request_kb=10, alloc_kb=0, hit=float(rng.uniform(0.8, 0.97)), cache_limit_mb=256,
        key_ttl_s=float(rng.choice([600, 1800, 3600])),
        key_kb={t: float(rng.uniform(0.5, 2.0)) for t in types}, evicts=bool(rng.random() < 0.7),
        write_share=float(rng.uniform(0.2, 0.9)), traced=False, language="",
        deploys_per_day=0.01, logs=False, declared=bool(rng.random() > 0.2),
    )  # fmt: skip


def _broker(rng: np.random.Generator, name: str, types: list[str]) -> Service:
    return Service(
        name, kind="broker", instances=1, cores=2.0, threads=10_000, cpu_ms=0.15, io_ms=0.1, wait_ms=0.8,
        memory_mb=1500, request_kb=50, alloc_kb=0, traced=False, language="", deploys_per_day=0.01,
    )  # fmt: skip


def _external(rng: np.random.Generator, name: str, types: list[str]) -> Service:
    return Service(
        name, kind="external", instances=1, cores=64, threads=10_000, cpu_ms=1.0,
        wait_ms=float(rng.uniform(30, 250)), error=0.002, tail=float(rng.uniform(3, 4.5)), monitored=False,
        traced=False, logs=False, language="", deploys_per_day=0.0, memory_mb=100,
    )  # fmt: skip


STORE_MAKERS = {"database": _database, "cache": _cache, "broker": _broker, "external": _external}

"""The demo's system: an online shop of sixteen services, its datastores, a broker and a payment provider."""

from __future__ import annotations

from streams.simulator.graph import Edge, Service, System, Topic
from streams.simulator.load import Entry

BROWSE, SEARCH, CART, CHECKOUT, LOGIN, PARTNER, ORDER, MAIL = (
    "browse", "search", "cart", "checkout", "login", "partner", "order", "mail",
)  # fmt: skip

SERVICES = (
    Service("gateway", cpu_ms=1.2, wait_ms=0.3, threads=400, language="go", alloc_kb=0, tail=4.5),
    Service("mobile-bff", cpu_ms=3, threads=128, language="node", alloc_kb=60),
    Service("web", cpu_ms=5, threads=128, language="node", alloc_kb=90, deploys_per_day=1.5),
    Service("checkout", cpu_ms=7, threads=64, deploys_per_day=1.0),
    Service("cart", cpu_ms=3, threads=64, deploys_per_day=0.6),
    Service("catalog", cpu_ms=4, threads=64, deploys_per_day=0.5),
    Service("search", cpu_ms=12, wait_ms=2, threads=48, memory_mb=900, limit_mb=1600, tail=3.2),
    Service("recommendation", cpu_ms=9, threads=48, language="python", alloc_kb=0, tail=3.0,
            deploys_per_day=2.0),
    Service("pricing", cpu_ms=2.5, threads=64, deploys_per_day=0.8),
    Service("payment", cpu_ms=5, threads=48, deploys_per_day=0.2),
    Service("auth", cpu_ms=4.5, wait_ms=0.5, threads=64, instances=3, deploys_per_day=0.3),
    Service("user", cpu_ms=3, threads=48, deploys_per_day=0.3),
    Service("shipping", cpu_ms=4, threads=32, language="go", alloc_kb=0, instances=1, deploys_per_day=0.2),
    Service("email", cpu_ms=15, wait_ms=25, threads=16, instances=1, language="python", alloc_kb=0),
    Service("inventory", cpu_ms=3, threads=64, deploys_per_day=0.7),
    Service("fulfilment", cpu_ms=8, threads=16, instances=1, deploys_per_day=0.4),
    Service("postgres", kind="database", instances=1, cores=4, threads=120, cpu_ms=1.1, io_ms=0.7,
            wait_ms=0.2, lock_ms=0.25, memory_mb=2400, limit_mb=8000, request_kb=3000, alloc_kb=0,
            max_connections=300, traced=False, language="", tail=3.2, deploys_per_day=0.01, queue_limit=4000),
    Service("mysql", kind="database", instances=1, cores=4, threads=120, cpu_ms=1.3, io_ms=0.9, wait_ms=0.2,
            lock_ms=0.1, memory_mb=2100, limit_mb=8000, request_kb=3000, alloc_kb=0, max_connections=300,
            traced=False, language="", tail=3.2, deploys_per_day=0.01, queue_limit=4000),
    Service("redis-cache", kind="cache", instances=1, cores=1, threads=10_000, cpu_ms=0.05, wait_ms=0.15,
            memory_mb=120, limit_mb=2000, request_kb=10, alloc_kb=0, hit=0.94, cache_limit_mb=900,
            key_ttl_s=1800, key_kb={BROWSE: 1.0, SEARCH: 1.0, PARTNER: 1.0}, traced=False, language="",
            deploys_per_day=0.01, logs=False),
    Service("redis-sessions", kind="cache", instances=1, cores=1, threads=10_000, cpu_ms=0.05, wait_ms=0.15,
            memory_mb=80, limit_mb=2000, request_kb=10, alloc_kb=0, hit=0.99, cache_limit_mb=768,
            key_ttl_s=3600, key_kb={LOGIN: 10.0, CART: 1.0, PARTNER: 2.0}, write_share=0.9, evicts=False,
            traced=False, declared=False, language="", deploys_per_day=0.01, logs=False),
    Service("kafka", kind="broker", instances=1, cores=2, threads=10_000, cpu_ms=0.15, io_ms=0.1, wait_ms=0.8,
            memory_mb=1500, limit_mb=4000, request_kb=50, alloc_kb=0, traced=False, language="",
            deploys_per_day=0.01),
    Service("payment-provider", kind="external", instances=1, cores=64, threads=10_000, cpu_ms=1, wait_ms=120,
            tail=4.0, error=0.002, monitored=False, traced=False, logs=False, language="",
            deploys_per_day=0.0),
)  # fmt: skip

EDGES = (
    Edge("gateway", "web", {BROWSE: 1, SEARCH: 1}, timeout_s=5, retries=0),
    Edge("gateway", "cart", {CART: 1}, timeout_s=4, retries=0),
    Edge("gateway", "checkout", {CHECKOUT: 1}, timeout_s=8, retries=0),
    Edge("gateway", "auth", {CART: 1, CHECKOUT: 1, LOGIN: 1, PARTNER: 1}, timeout_s=2, pool=6),
    Edge("gateway", "inventory", {PARTNER: 1}, timeout_s=3, retries=0),
    Edge("mobile-bff", "web", {BROWSE: 1, SEARCH: 1}, timeout_s=5, retries=0),
    Edge("mobile-bff", "cart", {CART: 1}, timeout_s=4, retries=0),
    Edge("mobile-bff", "checkout", {CHECKOUT: 1}, timeout_s=8, retries=0),
    Edge("mobile-bff", "auth", 1.0, timeout_s=2, pool=6),
    Edge("web", "auth", 1.0, timeout_s=2, pool=8),
    Edge("web", "catalog", {BROWSE: 1.2}, timeout_s=2, pool=24),
    Edge("web", "search", {SEARCH: 1}, timeout_s=3, pool=24),
    Edge("web", "recommendation", {BROWSE: 0.6}, timeout_s=0.8, retries=0, critical=0.05, breaker=True),
    Edge("web", "pricing", {BROWSE: 1, SEARCH: 1}, timeout_s=1.5),
    Edge("search", "catalog", 0.3, timeout_s=1.5),
    Edge("recommendation", "catalog", 0.5, timeout_s=1, critical=0.3),
    Edge("recommendation", "redis-cache", 1.0, timeout_s=0.5, pool=20, critical=0.0),
    Edge("catalog", "redis-cache", 1.0, timeout_s=0.5, pool=20, critical=0.0),
    Edge("catalog", "mysql", 1.0, timeout_s=2, pool=16, behind="redis-cache"),
    Edge("pricing", "redis-cache", 1.0, timeout_s=0.5, pool=20, critical=0.0),
    Edge("pricing", "mysql", 0.8, timeout_s=2, pool=16, behind="redis-cache"),
    Edge("cart", "redis-sessions", 1.5, timeout_s=0.5, retries=0, pool=20),
    Edge("cart", "inventory", 1.0, timeout_s=2, pool=16),
    Edge("cart", "pricing", 1.0, timeout_s=1.5, pool=16),
    Edge("checkout", "auth", 1.0, timeout_s=2, pool=4),
    Edge("checkout", "cart", 1.0, timeout_s=3),
    Edge("checkout", "user", 1.0, timeout_s=2),
    Edge("checkout", "pricing", 1.0, timeout_s=1.5),
    Edge("checkout", "inventory", 1.0, timeout_s=2, pool=12),
    Edge("checkout", "shipping", 1.0, timeout_s=2),
    Edge("checkout", "payment", 1.0, timeout_s=6, retries=0),
    Edge("checkout", "postgres", 2.0, timeout_s=3, pool=20),
    Edge("checkout", "kafka", 1.0, timeout_s=2, topic="orders"),
    Edge("payment", "payment-provider", 1.0, timeout_s=4, retries=1, breaker=True),
    Edge("payment", "postgres", 1.0, timeout_s=3, pool=12),
    Edge("auth", "redis-sessions", 1.0, timeout_s=0.5, retries=0, pool=24),
    Edge("auth", "user", {LOGIN: 1, CHECKOUT: 0.2, PARTNER: 0.2}, timeout_s=2, pool=16),
    Edge("user", "postgres", 1.0, timeout_s=3, pool=16),
    Edge("inventory", "postgres", 1.0, timeout_s=3, pool=16),
    Edge("shipping", "postgres", 0.5, timeout_s=3, pool=8),
    Edge("email", "kafka", 1.0, timeout_s=5, rtt_ms=0.5),
    Edge("fulfilment", "kafka", 1.0, timeout_s=5, rtt_ms=0.5, topic="mails"),
    Edge("fulfilment", "inventory", 1.0, timeout_s=3, retries=2),
    Edge("fulfilment", "postgres", 2.0, timeout_s=3, pool=8),
)

TOPICS = (Topic("orders", "kafka", "fulfilment", ORDER), Topic("mails", "kafka", "email", MAIL))

SHOP = System(
    name="shop",
    services=SERVICES,
    edges=EDGES,
    request_types=(BROWSE, SEARCH, CART, CHECKOUT, LOGIN, PARTNER, ORDER, MAIL),
    topics=TOPICS,
)

ENTRIES = (
    Entry("gateway", BROWSE, 70), Entry("gateway", SEARCH, 18), Entry("gateway", CART, 16),
    Entry("gateway", CHECKOUT, 5), Entry("gateway", LOGIN, 7, wander=0.06),
    Entry("gateway", PARTNER, 6, peak_hour=13, night=0.5, weekend=0.4, wander=0.05),
    Entry("mobile-bff", BROWSE, 40, peak_hour=20.5), Entry("mobile-bff", SEARCH, 10, peak_hour=20.5),
    Entry("mobile-bff", CART, 10, peak_hour=20.5), Entry("mobile-bff", CHECKOUT, 3, peak_hour=20.5),
)  # fmt: skip

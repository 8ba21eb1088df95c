"""Names for random systems. They carry no meaning that a ranker could use."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

SUBJECTS = (
    "account", "address", "audit", "basket", "billing", "booking", "campaign", "claims", "clearing",
    "coupon", "credit", "customer", "delivery", "device", "discount", "dispatch", "document", "event",
    "feed", "fraud", "geo", "identity", "image", "import", "invoice", "item", "label", "ledger", "listing",
    "location", "loyalty", "media", "menu", "merchant", "message", "offer", "order", "partner", "payout",
    "planner", "policy", "preference", "price", "product", "profile", "quota", "quote", "rating", "refund",
    "region", "report", "reservation", "return", "review", "route", "schedule", "score", "seat", "segment",
    "session", "settlement", "shipment", "signup", "stock", "store", "subscription", "survey", "tariff",
    "ticket", "timeline", "token", "tracking", "transfer", "trip", "vendor", "voucher", "wallet", "warehouse",
)  # fmt: skip
ROLES = ("", "-api", "-service", "-engine", "-manager", "-worker", "-core", "-query", "-sync", "-svc")
STORES = {
    "database": ("-pg", "-postgres", "-mysql", "-db", "-mongo"),
    "cache": ("-redis", "-cache", "-memcached", "-valkey"),
    "broker": ("-kafka", "-rabbit", "-nats"),
    "external": ("-provider", "-gateway-ext", "-saas", "-partner-api"),
}
ENTRANCES = ("edge", "gateway", "bff-mobile", "bff-web", "public-api", "b2b-api", "ingress")


def service_names(rng: np.random.Generator) -> Iterator[str]:
    """Distinct names, without end."""
    seen: set[str] = set()
    while True:
        name = f"{rng.choice(SUBJECTS)}{rng.choice(ROLES)}"
        if name in seen:
            name = f"{name}-{rng.integers(2, 99)}"
        if name not in seen:
            seen.add(name)
            yield name

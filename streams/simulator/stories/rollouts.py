"""What was changed, now or long ago."""

from __future__ import annotations

from dataclasses import replace

from streams.simulator.plan import Plan
from streams.simulator.shop import CART, PARTNER, SHOP
from streams.simulator.stage import DAY_S, HOUR_S, QUIET_S, TUESDAY_S, Options, Stage, altered


def bad_canary(options: Options) -> Plan:
    """One of four pricing instances runs the next version and fails; catalog was deployed that minute."""
    system = altered(SHOP, service=lambda s: replace(s, instances=4) if s.name == "pricing" else s)
    stage = Stage(options, TUESDAY_S + 11 * HOUR_S, system)
    canary = replace(stage.log.deploy("pricing", stage.fault_s), canary=True)
    canary = replace(canary, attributes=canary.attributes | {"strategy": "canary", "weight": "25"})
    stage.changes += [canary, stage.log.deploy("catalog", stage.fault_s + 20.0)]
    sick = stage.rows("instance", "pricing")[:1]
    presses = [
        stage.press("instance", sick, "error", add=0.55),
        stage.press("instance", sick, "wait_s", add=0.06),
    ]
    return stage.plan(
        "bad-canary", stage.fault("bad-canary", "bad_canary", "pricing", presses, change=canary)
    )


YOUNG_S = 15 * 60.0
"""So long has the cluster been there when its first canaries come."""


def canary_crowd(options: Options) -> Plan:
    """In a cluster of 15 minutes three services get a canary in one minute; each seed has its culprit."""
    names = ("catalog", "inventory", "pricing")
    system = altered(SHOP, service=lambda s: replace(s, instances=4) if s.name in names else s)
    young = replace(options, hours=(YOUNG_S - QUIET_S) / HOUR_S)
    stage = Stage(young, TUESDAY_S + 15 * HOUR_S, system)
    canaries = {}
    for delay_s, name in zip((0.0, 11.0, 24.0), stage.log.rng.permutation(names), strict=True):
        canary = replace(stage.log.deploy(str(name), stage.fault_s + delay_s), canary=True)
        strategy = {"strategy": "canary", "weight": "25"}
        canaries[name] = replace(canary, attributes=canary.attributes | strategy)
    stage.changes += canaries.values()
    bad = str(stage.log.rng.choice(names))
    sick, began_s = stage.rows("instance", bad)[:1], canaries[bad].ts_s
    presses = [
        stage.press("instance", sick, "error", start_s=began_s, add=0.55),
        stage.press("instance", sick, "wait_s", start_s=began_s, add=0.06),
    ]
    fault = stage.fault("canary-crowd", "bad_canary", bad, presses, start_s=began_s, change=canaries[bad])
    return stage.plan("canary-crowd", fault)


def config_of_last_week(options: Options) -> Plan:
    """Inventory's connection pool was cut eight days ago; only today's sale needs what is missing."""
    stage = Stage(options, TUESDAY_S + 13 * HOUR_S)
    cut = stage.change(
        "config",
        "inventory",
        stage.fault_s - 8 * DAY_S - 2 * HOUR_S,
        "inventory: db.pool.max from 16 to 1",
        key="db.pool.max",
    )
    stage.changes.append(stage.log.deploy("cart", stage.fault_s - 3 * 60))
    small = stage.press("edge", stage.calls("inventory", "postgres"), "pool", start_s=cut.ts_s, factor=1 / 16)
    slower = stage.press("service", "postgres", "wait_s", start_s=0.0, add=0.014)
    presses = [
        stage.press("load", CART, "", factor=6.0, ramp_s=240.0),
        stage.press("load", PARTNER, "", factor=6.0, ramp_s=240.0),
    ]
    fault = stage.fault(
        "config-of-last-week",
        "old_config_new_load",
        "inventory",
        presses,
        change=cut,
        trigger="a partner's sale multiplies stock queries",
        contributing=("load",),
    )
    return stage.plan("config-of-last-week", fault, presses=(small, slower))


def retry_storm(options: Options) -> Plan:
    """Web was told to retry harder forty minutes ago; a minute's stumble of catalog never ends."""
    stage = Stage(options, TUESDAY_S + 17 * HOUR_S + 30 * 60)
    policy = stage.change(
        "config",
        "web",
        stage.fault_s - 40 * 60.0,
        "web: calls to catalog give up after 250 ms instead of 2 s, and try 7 times instead of 2",
        key="client.catalog.retry",
    )
    stage.changes.append(stage.log.deploy("search", stage.fault_s - 90.0))
    edge, since = stage.calls("web", "catalog"), stage.fault_s - 40 * 60.0
    presses = [
        stage.press("edge", edge, "retries", start_s=since, add=5.0),
        stage.press("edge", edge, "timeout", start_s=since, factor=0.125),
        stage.press("service", "catalog", "error", end_s=stage.fault_s + 75.0, add=0.9),
    ]
    fault = stage.fault(
        "retry-storm",
        "retry_storm",
        "web",
        presses,
        change=policy,
        trigger="a stumble of catalog",
        contributing=("catalog",),
    )
    return stage.plan("retry-storm", fault)

"""Several things at once: two faults, three harmless parts, or trouble without a source in sight."""

from __future__ import annotations

from dataclasses import replace

from streams.simulator.graph import Service
from streams.simulator.plan import Plan
from streams.simulator.shop import BROWSE, SEARCH, SHOP
from streams.simulator.stage import DAY_S, HOUR_S, TUESDAY_S, Options, Stage, altered


def two_at_once(options: Options) -> Plan:
    """The payment provider slows down while recommendation, unrelated, eats its CPU."""
    stage = Stage(options, TUESDAY_S + 2 * DAY_S + 12 * HOUR_S)
    deploy = stage.log.deploy("recommendation", stage.fault_s + 60.0)
    stage.changes.append(deploy)
    slow = stage.fault(
        "provider",
        "third_party_slow",
        "payment-provider",
        [stage.press("service", "payment-provider", "wait_s", add=2.6, ramp_s=60.0)],
        trigger="the provider answers in seconds, for reasons of its own",
    )
    at = stage.fault_s + 75.0
    hot = stage.fault(
        "model",
        "cpu_saturation",
        "recommendation",
        [stage.press("service", "recommendation", "demand", start_s=at, factor=4.5, ramp_s=60.0)],
        start_s=at,
        change=deploy,
    )
    return stage.plan("two-at-once", slow, hot)


def all_of_the_above(options: Options) -> Plan:
    """A key lifetime cut last week, a store slower by the day, a campaign today: each harmless alone."""
    stage = Stage(options, TUESDAY_S + 19 * HOUR_S)
    cut = stage.change(
        "config",
        "redis-cache",
        stage.fault_s - 6 * DAY_S,
        "redis-cache: default key lifetime from 30 min to 3 min",
        key="default.ttl",
    )
    stage.changes.append(stage.log.deploy("catalog", stage.fault_s - 2 * 60))
    parts = (
        stage.press("service", "redis-cache", "hit", start_s=cut.ts_s, factor=0.6),
        stage.press("service", "mysql", "io", start_s=0.0, factor=4.0),
    )
    presses = [
        stage.press("load", BROWSE, "", factor=2.3, ramp_s=300.0),
        stage.press("load", SEARCH, "", factor=2.3, ramp_s=300.0),
    ]
    fault = stage.fault(
        "all-of-the-above",
        "conjunction",
        "redis-cache",
        presses,
        change=cut,
        trigger="a campaign doubles browsing",
        contributing=("mysql", "load"),
    )
    return stage.plan("all-of-the-above", fault, presses=parts)


def undecidable(options: Options) -> Plan:
    """Calls between several services begin to fail at once; the proxy that carries them emits nothing."""
    carried = {("checkout", "payment"), ("cart", "inventory"), ("user", "postgres"), ("web", "pricing")}
    system = altered(
        SHOP,
        edge=lambda e: replace(e, observed=False) if (e.caller, e.callee) in carried else e,
        more_services=(
            Service(
                "egress-proxy", kind="external", monitored=False, traced=False, logs=False, declared=False
            ),
        ),
    )
    stage = Stage(options, TUESDAY_S + 10 * HOUR_S, system)
    stage.changes.append(stage.log.deploy("payment", stage.fault_s - 60.0))
    stage.changes.append(stage.log.deploy("inventory", stage.fault_s - 30.0))
    rows = [row for pair in sorted(carried) for row in stage.calls(*pair)]
    presses = [
        stage.press("edge", rows, "error", add=0.35, ramp_s=20.0),
        stage.press("edge", rows, "delay_s", add=0.3, ramp_s=20.0),
    ]
    fault = stage.fault(
        "undecidable",
        "unseen_proxy",
        "egress-proxy",
        presses,
        blind=True,
        trigger="the proxy delays and drops what passes through it",
    )
    return stage.plan("undecidable", fault)

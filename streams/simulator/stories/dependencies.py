"""What depends on what, really: other providers on Tuesdays, diagrams of last year, half-dead instances."""

from __future__ import annotations

from dataclasses import replace

from streams.simulator.failovers import switches
from streams.simulator.graph import Edge, Service
from streams.simulator.plan import Plan
from streams.simulator.shop import SHOP
from streams.simulator.stage import DAY_S, HOUR_S, TUESDAY_S, Options, Stage, altered

WINDOW_S = (2 * HOUR_S, 4 * HOUR_S)
WEEK_HOURS = 168.0


def except_tuesdays(options: Options) -> Plan:
    """Payments go to the second provider on Tuesdays from 02:00 to 04:00, and that is the one that fails."""
    second = Service(
        "payment-backup", kind="external", instances=1, cores=64, threads=10_000, cpu_ms=1, wait_ms=160,
        error=0.002, monitored=False, traced=False, logs=False, language="", deploys_per_day=0.0,
    )  # fmt: skip
    primary_when, second_when = "except tue 02:00-04:00", "tue 02:00-04:00"

    def scheduled(edge: Edge) -> Edge:
        return replace(edge, schedule=primary_when) if edge.callee == "payment-provider" else edge

    backup = Edge("payment", "payment-backup", 1.0, timeout_s=4, retries=1, schedule=second_when)
    system = altered(SHOP, edge=scheduled, more_services=(second,), more_edges=(backup,))
    stage = Stage(options, TUESDAY_S + 2 * HOUR_S + 35 * 60, system)
    stage.changes.append(stage.log.deploy("payment", stage.fault_s - 5 * 60))
    begin, end = WINDOW_S
    usual, other = stage.calls("payment", "payment-provider"), stage.calls("payment", "payment-backup")
    tuesdays = [TUESDAY_S + week * 7 * DAY_S for week in range(-round(options.hours // WEEK_HOURS) - 1, 2)]
    switch = switches(usual, other, [tuesday + begin for tuesday in tuesdays], end - begin)
    presses = [
        stage.press("service", "payment-backup", "error", add=0.7, ramp_s=30.0),
        stage.press("service", "payment-backup", "wait_s", add=1.2, ramp_s=60.0),
    ]
    fault = stage.fault(
        "except-tuesdays",
        "third_party_down",
        "payment-backup",
        presses,
        trigger="the second provider fails in the hours in which it is the one that is called",
    )
    return stage.plan("except-tuesdays", fault, presses=switch)


def stale_docs(options: Options) -> Plan:
    """The diagram says that catalog and pricing live on postgres; they moved to mysql, which now chokes."""
    moved = {("catalog", "mysql"), ("pricing", "mysql")}
    system = altered(
        SHOP,
        edge=lambda e: replace(e, declared=False) if (e.caller, e.callee) in moved else e,
        stale=(("catalog", "postgres"), ("pricing", "postgres"), ("search", "postgres")),
    )
    stage = Stage(options, TUESDAY_S + DAY_S + 14 * HOUR_S, system)
    stage.change(
        "job", "postgres", stage.fault_s - 2 * 60.0, "weekly-report on postgres started", job="weekly-report"
    )
    harmless = (
        stage.press("service", "postgres", "bg_io", start_s=stage.fault_s - 120.0, add=0.35, ramp_s=30.0),
        stage.press("instance", "postgres", "bg_cores", start_s=stage.fault_s - 120.0, add=0.8, ramp_s=30.0),
    )
    presses = [
        stage.press("service", "mysql", "lock_s", add=0.075, ramp_s=120.0),
        stage.press("service", "mysql", "demand", factor=3.0, ramp_s=60.0),
    ]
    fault = stage.fault(
        "stale-docs",
        "lock_contention",
        "mysql",
        presses,
        trigger="a long transaction holds rows that catalog and pricing want",
    )
    return stage.plan("stale-docs", fault, presses=harmless)


def grey_failure(options: Options) -> Plan:
    """One of auth's three instances answers its health checks, and little else in time."""
    stage = Stage(options, TUESDAY_S + 16 * HOUR_S)
    stage.changes.append(stage.log.deploy("user", stage.fault_s - 2 * 60))
    sick = stage.rows("instance", "auth")[1:2]
    presses = [
        stage.press("instance", sick, "cores", factor=0.36, ramp_s=30.0),
        stage.press("instance", sick, "error", add=0.05),
    ]
    fault = stage.fault(
        "grey-failure",
        "slow_instance",
        "auth",
        presses,
        trigger="one instance gets a third of the CPU that it needs",
    )
    return stage.plan("grey-failure", fault)


def third_party_down(options: Options) -> Plan:
    """The payment provider answers with errors; payment was deployed two minutes before."""
    stage = Stage(options, TUESDAY_S + 3 * DAY_S + 12 * HOUR_S)
    stage.changes.append(stage.log.deploy("payment", stage.fault_s - 2 * 60))
    presses = [stage.press("service", "payment-provider", "error", add=0.9, ramp_s=20.0)]
    fault = stage.fault(
        "third-party-down",
        "third_party_down",
        "payment-provider",
        presses,
        trigger="an outage of the provider's own",
    )
    return stage.plan("third-party-down", fault)

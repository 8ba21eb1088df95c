"""The four worlds of the demo."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from streams.simulator.changes import Change
from streams.simulator.load import Surge
from streams.simulator.plan import Plan
from streams.simulator.shop import CART, LOGIN
from streams.simulator.stage import DAY_S, HOUR_S, TUESDAY_S, Options, Stage

NIGHTS = 21
"""So many settlements are in the log at least."""


def cascade(options: Options) -> Plan:
    """At 15:42 auth's CPU starts to climb: a rewritten validation rule backtracks on long tokens."""
    stage = Stage(options, TUESDAY_S + 15 * HOUR_S + 42 * 60)
    stage.changes.append(stage.log.flag("web", stage.fault_s - 9 * 60))
    rule = stage.change(
        "config",
        "auth",
        stage.fault_s - 30.0,
        "auth: token format rule tightened (validation.pattern)",
        key="validation.pattern",
    )
    stage.changes.append(stage.log.deploy("recommendation", stage.fault_s + 70.0))
    fault = stage.fault(
        "cascade",
        "cpu_saturation",
        "auth",
        [stage.press("service", "auth", "demand", factor=4.2, ramp_s=260.0, curve=0.8)],
        change=rule,
        trigger="tokens of the new format reach auth as sessions are renewed",
    )
    return stage.plan("cascade", fault)


def hidden_redis(options: Options) -> Plan:
    """A cache that no diagram shows reaches `maxmemory` when sign-ins surge, and refuses sessions."""
    stage = Stage(options, TUESDAY_S + 18 * HOUR_S + 10 * 60)
    stage.changes.append(stage.log.deploy("cart", stage.fault_s - 4 * 60))
    fault = stage.fault(
        "hidden-redis",
        "cache_memory_limit",
        "redis-sessions",
        [stage.press("load", LOGIN, "", factor=5.0, ramp_s=60.0)],
        trigger="a campaign brings many first sign-ins, whose sessions are ten times larger",
    )
    # Since this morning other keys have filled the instance to nine tenths; the evenings before had room.
    morning = {"start_s": stage.fault_s - 12 * HOUR_S, "ramp_s": 6 * HOUR_S}
    tight = stage.press("service", "redis-sessions", "limit", factor=0.66, **morning)
    return stage.plan("hidden-redis", fault, presses=(tight,))


def job_not_deploy(options: Options) -> Plan:
    """The nightly settlement takes a little longer each night; this time it starves the database."""
    stage = Stage(options, TUESDAY_S + 2 * HOUR_S)
    usual = []
    for nights in range(max(NIGHTS, round(options.hours // 24.0)), 0, -1):
        began = stage.fault_s - nights * DAY_S + float(stage.log.rng.normal(0.0, 20.0))
        minutes = 31.0 * 1.045 ** (NIGHTS - nights) * float(np.exp(stage.log.rng.normal(0.0, 0.03)))
        ended = began + 60 * minutes
        _settlement(stage, began, ended)
        if ended > stage.start_s:
            # What it takes from the disk on a night of which nobody heard.
            night = {"start_s": began, "end_s": ended, "ramp_s": 120.0}
            usual.append(stage.press("service", "postgres", "bg_io", add=0.5, **night))
            usual.append(stage.press("instance", "postgres", "bg_cores", add=1.2, **night))
    tonight = _settlement(stage, stage.fault_s, None)
    deploy = stage.log.deploy("inventory", stage.fault_s - 4 * 60, "inventory {after}: {ticket} stock badges")
    stage.changes.append(deploy)
    presses = [
        stage.press("service", "postgres", "bg_io", add=0.94, ramp_s=120.0),
        stage.press("service", "postgres", "lock_s", add=0.022, ramp_s=240.0),
        stage.press("instance", "postgres", "bg_cores", add=1.2, ramp_s=60.0),
    ]
    fault = stage.fault(
        "job-not-deploy",
        "batch_job",
        "postgres",
        presses,
        change=tonight,
        trigger="the nightly settlement has grown past what the disk can serve beside the shop",
    )
    return stage.plan("job-not-deploy", fault, presses=tuple(usual))


def _settlement(stage: Stage, start_s: float, end_s: float | None) -> Change:
    attributes = {"job": "nightly-settlement", "schedule": "0 2 * * *"}
    if end_s is not None:
        attributes["duration_s"] = str(round(end_s - start_s))
    summary = f"nightly-settlement on postgres {'started' if end_s is None else 'finished'}"
    change = replace(stage.change("job", "postgres", start_s, summary, **attributes), end_s=end_s)
    stage.changes[-1] = change
    return change


def healthy(options: Options) -> Plan:
    """The busiest hour of the week, two innocent deploys, a flag and a noisy neighbour: nothing is wrong."""
    stage = Stage(options, TUESDAY_S - DAY_S + 19 * HOUR_S)
    stage.changes += [
        stage.log.deploy("recommendation", stage.fault_s - 2 * 60),
        stage.log.deploy("pricing", stage.fault_s + 5 * 60),
        stage.log.flag("web", stage.fault_s + 60),
    ]
    noisy = stage.press(
        "instance", "email", "bg_cores", start_s=stage.start_s, add=0.35, period_s=780.0, duty=0.25
    )
    crowd = Surge(CART, stage.fault_s - 20 * 60, stage.end_s + HOUR_S, factor=1.25, ramp_s=900.0)
    return stage.plan("healthy", presses=(noisy,), surges=(crowd,))

"""The named worlds: each tells one story that every on-call engineer knows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from streams.errors import UserError
from streams.simulator.changes import Change, ChangeLog
from streams.simulator.load import Surge
from streams.simulator.shop import CART, ENTRIES, LOGIN, SHOP
from streams.simulator.simulation import Plan, simulate
from streams.simulator.state import build
from streams.simulator.strain import Press
from streams.simulator.truth import Fault, rows_of

TUESDAY_S = 1_789_430_400.0
"""2026-09-15 00:00 UTC."""
HOUR_S = 3600.0
LIVE_S = 25 * 60.0
QUIET_S = 6 * 60.0
"""Healthy minutes between the start of the live part and the fault."""


@dataclass(frozen=True)
class Options:
    """What a caller may choose."""

    seed: int = 1
    hours: float = 2.0
    """Healthy operation before the live part."""
    interval_s: float = 15.0


@dataclass(frozen=True)
class Scenario:
    """A named world and the one line that tells it."""

    name: str
    story: str
    plan: Callable[[Options], Plan]


def run_scenario(
    name: str, out: Path, options: Options | None = None, progress: Callable[[float], None] | None = None
) -> Path:
    """Write the recording of a named scenario into `out`.

    Raises
    ------
    UserError
        No scenario has that name.
    """
    if name not in SCENARIOS:
        raise UserError(f"there is no scenario {name!r}; there are: {', '.join(SCENARIOS)}")
    options = options or Options()
    return simulate(SCENARIOS[name].plan(options), out, options.seed, progress)


class _Stage:
    """What the shop's scenarios share: a clock, a change log with innocent entries, a plant to point at."""

    def __init__(self, options: Options, fault_at_s: float, live_s: float = LIVE_S) -> None:
        self.options = options
        self.fault_s = fault_at_s
        self.live_s = fault_at_s - QUIET_S
        self.end_s = self.live_s + live_s
        self.start_s = self.live_s - options.hours * HOUR_S
        self.system = SHOP
        self.state, _, _ = build(SHOP)
        self.log = ChangeLog(SHOP, np.random.default_rng([options.seed, 77]))
        quiet_until = fault_at_s - 12 * 60
        self.changes: list[Change] = [c for c in self.log.innocent(self.start_s - 3 * 86_400.0, quiet_until)]

    def service(self, name: str) -> tuple[int, ...]:
        return (self.system.index(name),)

    def instances(self, name: str) -> tuple[int, ...]:
        return rows_of(self.system, self.state, name)

    def edges(self, *, callee: str) -> tuple[int, ...]:
        column = self.state.edge["callee"]
        return tuple(int(row) for row in np.nonzero(column == self.system.index(callee))[0])

    def plan(self, name: str, **more: object) -> Plan:
        base = Plan(
            name=name,
            system=self.system,
            entries=ENTRIES,
            start_s=self.start_s,
            end_s=self.end_s,
            interval_s=self.options.interval_s,
            changes=tuple(self.changes),
            extra={"live_from_ms": round(self.live_s * 1000)},
        )
        return replace(base, **more)  # type: ignore[arg-type]


def cascade(options: Options) -> Plan:
    """At 15:42 auth's CPU starts to climb: a rewritten validation rule backtracks on long tokens."""
    stage = _Stage(options, TUESDAY_S + 15 * HOUR_S + 42 * 60)
    rule = Change(
        id=stage.log.next_id(),
        ts_s=stage.fault_s - 30.0,
        kind="config",
        service="auth",
        summary="auth: token format rule tightened (validation.pattern)",
        attributes={"key": "validation.pattern"},
    )
    stage.changes += [
        stage.log.flag("web", stage.fault_s - 9 * 60),
        rule,
        stage.log.deploy("recommendation", stage.fault_s + 70.0),
    ]
    fault = Fault(
        fault_id="cascade",
        kind="cpu_saturation",
        root_service="auth",
        start_s=stage.fault_s,
        end_s=stage.end_s,
        change=rule,
        trigger="tokens of the new format reach auth as sessions are renewed",
        presses=(
            Press("service", stage.service("auth"), "demand", stage.fault_s, stage.end_s, factor=4.2,
                  ramp_s=260.0, curve=0.8),
        ),
    )  # fmt: skip
    return stage.plan("cascade", faults=(fault,))


def hidden_redis(options: Options) -> Plan:
    """A cache that no diagram shows reaches `maxmemory` when sign-ins surge, and refuses sessions."""
    stage = _Stage(options, TUESDAY_S + 18 * HOUR_S + 10 * 60)
    stage.changes += [stage.log.deploy("cart", stage.fault_s - 4 * 60)]
    redis = stage.service("redis-sessions")
    logins = tuple(i for i, entry in enumerate(ENTRIES) if entry.request_type == LOGIN)
    fault = Fault(
        fault_id="hidden-redis",
        kind="cache_memory_limit",
        root_service="redis-sessions",
        start_s=stage.fault_s,
        end_s=stage.end_s,
        trigger="a campaign brings many first sign-ins, whose sessions are ten times larger",
        presses=(Press("load", logins, "", stage.fault_s, stage.end_s, factor=5.0, ramp_s=60.0),),
    )
    # Nobody raised `maxmemory` as the shop grew: on ordinary evenings the instance is nine tenths full.
    tight = Press("service", redis, "limit", 0.0, stage.end_s, factor=0.66)
    return stage.plan("hidden-redis", faults=(fault,), presses=(tight,))


def job_not_deploy(options: Options) -> Plan:
    """The nightly settlement takes a little longer each night; this time it starves the database."""
    start = TUESDAY_S + 2 * HOUR_S
    stage = _Stage(options, start)
    for nights in range(21, 0, -1):
        began = start - nights * 86_400.0 + float(stage.log.rng.normal(0.0, 20.0))
        minutes = 31.0 * 1.045 ** (21 - nights) * float(np.exp(stage.log.rng.normal(0.0, 0.03)))
        stage.changes.append(_job(stage.log.next_id(), began, began + 60 * minutes))
    tonight = _job(stage.log.next_id(), start, None)
    stage.changes += [
        tonight,
        stage.log.deploy("inventory", start - 4 * 60, "inventory {after}: {ticket} stock badges"),
    ]
    postgres = stage.service("postgres")
    fault = Fault(
        fault_id="job-not-deploy",
        kind="batch_job",
        root_service="postgres",
        start_s=start,
        end_s=stage.end_s,
        change=tonight,
        trigger="the nightly settlement has grown past what the disk can serve beside the shop",
        presses=(
            Press("service", postgres, "bg_io", start, stage.end_s, add=0.94, ramp_s=120.0),
            Press("service", postgres, "lock_s", start, stage.end_s, add=0.022, ramp_s=240.0),
            Press("instance", stage.instances("postgres"), "bg_cores", start, stage.end_s, add=1.2,
                  ramp_s=60.0),
        ),
    )  # fmt: skip
    return stage.plan("job-not-deploy", faults=(fault,))


def _job(identity: str, start_s: float, end_s: float | None) -> Change:
    attributes = {"job": "nightly-settlement", "schedule": "0 2 * * *"}
    if end_s is not None:
        attributes["duration_s"] = str(round(end_s - start_s))
    return Change(
        id=identity,
        ts_s=start_s,
        kind="job",
        service="postgres",
        summary="nightly-settlement on postgres " + ("finished" if end_s is not None else "started"),
        end_s=end_s,
        attributes=attributes,
    )


def healthy(options: Options) -> Plan:
    """The busiest hour of the week, two innocent deploys, a flag and a noisy neighbour: nothing is wrong."""
    stage = _Stage(options, TUESDAY_S - 86_400.0 + 19 * HOUR_S)
    stage.changes += [
        stage.log.deploy("recommendation", stage.fault_s - 2 * 60),
        stage.log.deploy("pricing", stage.fault_s + 5 * 60),
        stage.log.flag("web", stage.fault_s + 60),
    ]
    noisy = Press(
        "instance", stage.instances("email"), "bg_cores", stage.start_s, stage.end_s, add=0.35,
        period_s=780.0, duty=0.25,
    )  # fmt: skip
    crowd = Surge(CART, stage.fault_s - 20 * 60, stage.end_s + HOUR_S, factor=1.25, ramp_s=900.0)
    return stage.plan("healthy", presses=(noisy,), surges=(crowd,))


SCENARIOS: dict[str, Scenario] = {
    name: Scenario(name, (plan.__doc__ or "").strip(), plan)
    for name, plan in (
        ("cascade", cascade),
        ("hidden-redis", hidden_redis),
        ("job-not-deploy", job_not_deploy),
        ("healthy", healthy),
    )
}

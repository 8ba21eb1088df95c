"""The named worlds: each tells one story that every on-call engineer knows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from streams.errors import UserError
from streams.simulator.plan import Plan
from streams.simulator.simulation import simulate
from streams.simulator.stage import Options
from streams.simulator.stories import demo, dependencies, overlaps, rollouts


@dataclass(frozen=True)
class Scenario:
    """A named world and the one line that tells it."""

    name: str
    story: str
    plan: Callable[[Options], Plan]


_PLANS: dict[str, Callable[[Options], Plan]] = {
    "cascade": demo.cascade,
    "hidden-redis": demo.hidden_redis,
    "job-not-deploy": demo.job_not_deploy,
    "healthy": demo.healthy,
    "bad-canary": rollouts.bad_canary,
    "canary-crowd": rollouts.canary_crowd,
    "config-of-last-week": rollouts.config_of_last_week,
    "retry-storm": rollouts.retry_storm,
    "two-at-once": overlaps.two_at_once,
    "all-of-the-above": overlaps.all_of_the_above,
    "undecidable": overlaps.undecidable,
    "except-tuesdays": dependencies.except_tuesdays,
    "stale-docs": dependencies.stale_docs,
    "grey-failure": dependencies.grey_failure,
    "third-party-down": dependencies.third_party_down,
}
SCENARIOS = {name: Scenario(name, (plan.__doc__ or "").strip(), plan) for name, plan in _PLANS.items()}


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

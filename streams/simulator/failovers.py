"""Second providers: used at fixed hours of the week only, as on-call engineers learn the hard way."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from streams.simulator.load import DAY_S, MONDAY_S
from streams.simulator.state import build
from streams.simulator.strain import Press
from streams.simulator.world import World

SHARE = 0.35
"""Of the worlds have a second provider."""
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
HALF_HOUR_S = 1800.0
WEEKS = 12
"""Planned ahead: the longest recording has eight quiet weeks, and 200 faults of at most 100 minutes each."""


def with_second_provider(
    world: World, rng: np.random.Generator, start_s: float
) -> tuple[World, tuple[Press, ...]]:
    """The world in which one provider has a stand-in at some hours of the week, and the switches to and fro.

    The diagram knows the hours. More often than not they fall into the recording that begins at `start_s`.
    """
    providers = [s for s in world.system.services if s.kind == "external"]
    if not providers or rng.random() >= SHARE:
        return world, ()
    first = providers[int(rng.integers(len(providers)))]
    second = replace(first, name=f"{first.name}-backup", wait_ms=first.wait_ms * float(rng.uniform(1.0, 1.5)))
    latest_s = 9 * 3600.0 if rng.random() < 0.6 else 7 * DAY_S
    begin_s = math.floor((start_s + rng.uniform(0.0, latest_s)) / HALF_HOUR_S) * HALF_HOUR_S
    lasts_s = float(rng.integers(2, 9)) * HALF_HOUR_S
    # Hours of one day, as schedules are written.
    midnight_s = math.floor(begin_s / DAY_S) * DAY_S
    begin_s = min(begin_s, midnight_s + DAY_S - HALF_HOUR_S - lasts_s)
    day = DAYS[int((begin_s - MONDAY_S) // DAY_S) % 7]
    hours = f"{day} {_clock(begin_s)}-{_clock(begin_s + lasts_s)}"
    usual = tuple(
        replace(e, schedule=f"except {hours}") if e.callee == first.name else e for e in world.system.edges
    )
    other = tuple(
        replace(e, callee=second.name, schedule=hours) for e in world.system.edges if e.callee == first.name
    )
    system = replace(world.system, services=(*world.system.services, second), edges=(*usual, *other))
    rows = build(system)[2].edges
    away = tuple(row for row, e in enumerate(rows) if system.edges[e].callee == first.name)
    there = tuple(row for row, e in enumerate(rows) if system.edges[e].callee == second.name)
    windows = [begin_s + week * 7 * DAY_S for week in range(-1, WEEKS)]
    return World(system, world.entries), switches(away, there, windows, lasts_s)


def switches(
    away: tuple[int, ...], there: tuple[int, ...], windows: Sequence[float], lasts_s: float
) -> tuple[Press, ...]:
    """Nobody calls over the edges `away` in the windows, nor before or between them over those `there`."""
    presses: list[Press] = []
    idle_since_s = 0.0
    for at_s in windows:
        presses.append(Press("edge", away, "calls", at_s, at_s + lasts_s, factor=0.0))
        presses.append(Press("edge", there, "calls", idle_since_s, at_s, factor=0.0))
        idle_since_s = at_s + lasts_s
    return tuple(presses)


def _clock(t_s: float) -> str:
    minutes = round(t_s % DAY_S / 60.0)
    return f"{minutes // 60:02d}:{minutes % 60:02d}"

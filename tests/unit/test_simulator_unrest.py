"""Trouble that nobody caused is said to be unlabelled, and does not last for hours."""

import numpy as np

from streams.simulator import CampaignOptions
from streams.simulator.campaign import campaign_plan
from streams.simulator.simulation import Run
from streams.simulator.unrest import JOINED_S, Unrest
from streams.simulator.world import random_world


def stretches(*seen):
    unrest = Unrest(random_world(np.random.default_rng(1), 9).system)
    for start_s, worst in seen:
        unrest.see(start_s, start_s + 15.0, worst)
    return unrest


def test_failures_close_together_are_one_stretch_that_names_what_failed_first():
    unrest = stretches((60.0, 2), (75.0, 3), (300.0, 1), (1000.0, 4))
    names = [service.name for service in unrest.system.services]
    assert unrest.lines() == [
        {"start_ms": 60_000, "end_ms": 615_000, "why": f"{names[2]} failed by itself"},
        {"start_ms": 1_000_000, "end_ms": 1_315_000, "why": f"{names[4]} failed by itself"},
    ]
    assert JOINED_S == 300.0


def test_how_long_it_has_failed_is_known_while_it_fails_and_forgotten_after():
    unrest = stretches((60.0, 2), (75.0, 2))
    assert unrest.lasting_s(90.0) == 30.0
    assert unrest.lasting_s(105.0) == 0.0


def test_a_large_system_to_which_nothing_was_done_stays_well():
    # Planned for a smooth peak only, this one fails by itself in these hours.
    plan = campaign_plan(5, CampaignOptions(seed=3000, faults=2, hours=2.0, services=150))
    run = Run(plan, seed=3000)
    run._settle()
    run._chunk(plan.start_s, 480)
    assert not plan.faults
    assert run.unrest.stretches == []

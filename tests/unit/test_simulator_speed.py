"""A week of fifty services is written in a minute of CPU time, in memory that does not grow with it."""

import resource
import time

import numpy as np
import pytest

from streams.simulator import Plan, simulate
from streams.simulator.world import random_world

WEEK_S = 7 * 86_400.0
START_S = 1_789_430_400.0


@pytest.mark.long
@pytest.mark.timeout(600)
def test_a_week_of_fifty_services_takes_at_most_a_minute_of_one_core(tmp_path):
    world = random_world(np.random.default_rng(1), 50)

    def plan(seconds):
        return Plan("week", world.system, world.entries, START_S, START_S + seconds)

    simulate(plan(6 * 3600.0), tmp_path / "short", 1)
    peak_of_hours = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    before = time.process_time()
    simulate(plan(WEEK_S), tmp_path / "week", 1)
    assert time.process_time() - before < 60.0
    peak_of_a_week = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert peak_of_a_week < 1.5 * peak_of_hours

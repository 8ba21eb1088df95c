"""Whatever the system and the strain, the plant stays physical."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.simulator.queueing import run_step
from streams.simulator.rates import entry_rate, service_rates
from streams.simulator.state import build
from streams.simulator.world import random_world


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), services=st.integers(8, 40), force=st.floats(0.0, 50.0))
def test_rates_shares_and_quantiles_stay_in_range_under_any_strain(seed, services, force):
    rng = np.random.default_rng(seed)
    world = random_world(rng, services)
    state, strain, wiring = build(world.system)
    types = {name: k for k, name in enumerate(world.system.request_types)}
    for array in (strain.service, strain.instance, strain.edge):
        for name in array.dtype.names:
            hit = rng.random(len(array)) < 0.1
            array[name] = np.where(hit, array[name] * rng.uniform(0, 2) + force * rng.random(), array[name])
    strain.edge["retries"] = np.minimum(strain.edge["retries"], 5)
    for _ in range(30):
        flow = np.zeros((len(types), len(world.system.services)))
        for entry in world.entries:
            flow[types[entry.request_type], world.system.index(entry.service)] += entry.peak_rps
        run_step(15.0, state, strain, wiring, flow)
    for array in (state.service, state.instance, state.edge, state.topic):
        for name in array.dtype.names:
            assert np.isfinite(array[name]).all(), name
    for array, name in ((state.service, "error_rate"), (state.instance, "error_rate"), (state.edge, "fail")):
        assert ((array[name] >= 0) & (array[name] <= 1 + 1e-9)).all(), name
    assert (state.service["p95_s"] >= state.service["p50_s"]).all()
    assert (state.instance["backlog"] >= 0).all()
    assert (state.topic["depth"] >= 0).all()


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), services=st.integers(8, 60))
def test_a_random_world_at_its_peak_is_well(seed, services):
    world = random_world(np.random.default_rng(seed), services)
    state, strain, wiring = build(world.system)
    types = {name: k for k, name in enumerate(world.system.request_types)}
    for _ in range(120):
        flow = np.zeros((len(types), len(world.system.services)))
        for entry in world.entries:
            flow[types[entry.request_type], world.system.index(entry.service)] += entry.peak_rps
        run_step(5.0, state, strain, wiring, flow)
    assert state.service["error_rate"].max() < 0.06
    assert (state.instance["backlog"] < 1.0).all()


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_planned_rates_are_those_that_the_plant_settles_at(seed):
    world = random_world(np.random.default_rng(seed), 20)
    planned = service_rates(world.system, [(e, entry_rate(e, 0.0)) for e in world.entries])
    state, strain, wiring = build(world.system)
    types = {name: k for k, name in enumerate(world.system.request_types)}
    for _ in range(180):
        flow = np.zeros((len(types), len(world.system.services)))
        for entry in world.entries:
            flow[types[entry.request_type], world.system.index(entry.service)] += entry_rate(entry, 0.0)
        run_step(5.0, state, strain, wiring, flow)
    for i, service in enumerate(world.system.services):
        # Retries of the usual errors add a little; cold caches are behind us.
        assert abs(state.service["rate"][i] - planned[service.name]) <= 0.15 * planned[service.name] + 0.05

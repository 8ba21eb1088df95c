"""The plant's mathematics against queueing theory, and its mechanisms against what they are named for."""

import math

import numpy as np
import pytest

from streams.simulator.graph import Edge, Service, System
from streams.simulator.queueing import beyond, crowding, run_step
from streams.simulator.state import build


def run(system, rates, steps=80, dt=5.0, strain_with=None):
    """The state after `steps` at constant entry rates, and the history of states."""
    state, strain, wiring = build(system)
    history = []
    for _ in range(steps):
        strain.relax()
        if strain_with:
            strain_with(strain)
        flow = np.zeros((len(system.request_types), len(system.services)))
        for name, rate in rates.items():
            flow[0, system.index(name)] = rate
        run_step(dt, state, strain, wiring, flow)
        history.append(state.fork())
    return state, history


def pair(**callee):
    """A front service that calls a back service once a request."""
    return System(
        "pair",
        (Service("front", cpu_ms=1, instances=1, threads=50), Service("back", instances=1, **callee)),
        (Edge("front", "back", timeout_s=1.0, retries=0, pool=10),),
        ("user",),
        machines=4,
    )


def test_one_server_waits_as_in_m_m_1():
    for rho in (0.1, 0.5, 0.9):
        assert crowding(rho, 1.0) == pytest.approx(rho / (1 - rho))


def test_two_busy_servers_wait_as_in_m_m_2_within_a_tenth():
    for rho in (0.6, 0.8, 0.95):
        exact = rho**2 / (1 - rho**2)
        assert crowding(rho, 2.0) == pytest.approx(exact, rel=0.1)


def test_half_of_the_durations_exceed_the_median_and_a_twentieth_p95():
    assert beyond(0.2, 0.2, 0.6) == pytest.approx(0.5)
    assert beyond(0.6, 0.2, 0.6) == pytest.approx(0.05)


def test_latency_grows_with_utilisation_and_load_passes_through():
    quiet, _ = run(pair(cpu_ms=10), {"front": 10})
    busy, _ = run(pair(cpu_ms=10), {"front": 80})
    assert busy.service["p50_s"][1] > 2 * quiet.service["p50_s"][1]
    assert busy.service["rate"][1] == pytest.approx(80, rel=0.01)


def test_overload_fills_the_pool_before_it_fails_requests():
    demand = iter(np.linspace(1.0, 20.0, 120))

    def dearer(strain):
        strain.service["demand"][1] = next(demand)

    _, history = run(pair(cpu_ms=1), {"front": 80}, steps=120, dt=1.0, strain_with=dearer)
    full = next(i for i, s in enumerate(history) if s.edge["used"][0] >= 0.99 * s.edge["size"][0])
    failing = next(i for i, s in enumerate(history) if s.service["error_rate"][0] > 0.05)
    assert full < failing


def test_a_dead_callee_fails_its_callers():
    def killed(strain):
        strain.instance["kill"][1] = 1.0

    state, _ = run(pair(), {"front": 20}, strain_with=killed)
    assert state.service["error_rate"][0] > 0.9


def test_an_optional_callee_fails_nobody():
    system = pair()
    edge = Edge("front", "back", critical=0.0, timeout_s=0.2)
    system = System(system.name, system.services, (edge,), system.request_types)

    def killed(strain):
        strain.instance["kill"][1] = 1.0

    state, _ = run(system, {"front": 20}, strain_with=killed)
    assert state.service["error_rate"][0] < 0.01


def test_retries_multiply_the_load_on_a_failing_callee():
    base = pair()
    system = System(base.name, base.services, (Edge("front", "back", retries=3),), base.request_types)

    def failing(strain):
        strain.service["error"][1] = 0.5

    state, _ = run(system, {"front": 20}, strain_with=failing)
    assert state.service["rate"][1] == pytest.approx(20 * (1 + 0.5 + 0.25 + 0.125), rel=0.03)


def test_a_breaker_spares_a_failing_callee_and_fails_its_caller_fast():
    base = pair(wait_ms=300.0)

    def failing(strain):
        strain.service["error"][1] = 0.95

    ends = {}
    for breaker in (False, True):
        edge = Edge("front", "back", retries=2, timeout_s=1.0, breaker=breaker)
        system = System(base.name, base.services, (edge,), base.request_types)
        _, history = run(system, {"front": 20}, strain_with=failing)
        asked = np.mean([one.service["rate"][1] for one in history[20:]])
        quickest = min(one.service["p50_s"][0] for one in history[20:])
        ends[breaker] = (asked, quickest)
    assert ends[True][0] < 0.3 * ends[False][0]
    assert ends[True][1] < 0.05 < 0.3 < ends[False][1]


def test_a_cache_that_is_emptied_sends_everything_to_the_store_behind_it():
    services = (
        Service("front", cpu_ms=1),
        Service("cache", kind="cache", instances=1, hit=0.95, threads=10_000),
        Service("store", kind="database", instances=1, threads=200),
    )
    edges = (Edge("front", "cache"), Edge("front", "store", behind="cache"))
    system = System("stampede", services, edges, ("user",))

    def emptied(strain):
        strain.service["hit"][1] = 0.0

    warm, _ = run(system, {"front": 100}, steps=400)
    cold, _ = run(system, {"front": 100}, strain_with=emptied)
    assert warm.service["rate"][2] == pytest.approx(5.0, rel=0.1)
    assert cold.service["rate"][2] == pytest.approx(100.0, rel=0.1)


def test_what_waits_for_a_slow_callee_fills_its_callers_memory_and_threads():
    def slow(strain):
        strain.service["wait_s"][1] = 0.5

    calm, _ = run(pair(), {"front": 30})
    held, _ = run(pair(), {"front": 30}, strain_with=slow)
    assert held.instance["inflight"][0] > 5.0 * calm.instance["inflight"][0]
    assert held.instance["memory"][0] > calm.instance["memory"][0]
    assert held.service["p50_s"][0] > 0.3


def test_a_lost_packet_costs_a_retransmission_and_no_work_at_the_callee():
    def lossy(strain):
        strain.service["loss"][1] = 0.05

    calm, _ = run(pair(), {"front": 20})
    lossy_state, _ = run(pair(), {"front": 20}, strain_with=lossy)
    assert lossy_state.edge["p95_s"][0] > calm.edge["p95_s"][0] + 0.15
    assert lossy_state.service["p95_s"][1] == pytest.approx(calm.service["p95_s"][1], rel=0.05)


def test_a_leak_ends_in_a_kill_and_a_restart():
    def leaking(strain):
        strain.instance["leak"][1] = 20e6

    state, history = run(pair(memory_mb=100, limit_mb=400), {"front": 5}, strain_with=leaking)
    assert state.instance["restarts"][1] >= 2
    assert min(s.instance["up"][1] for s in history) == 0.0


def test_a_full_cache_that_may_not_evict_refuses_writes():
    def cache(**more):
        return pair(kind="cache", cache_limit_mb=10, key_kb={"user": 5}, hit=0.9, key_ttl_s=600.0, **more)

    refusing, _ = run(cache(evicts=False), {"front": 50}, steps=400)
    evicting, _ = run(cache(evicts=True), {"front": 50}, steps=400)
    assert refusing.service["error_rate"][1] > 0.05 > evicting.service["error_rate"][1]
    assert evicting.service["hit_now"][1] < 0.9
    assert evicting.service["evicted"][1] > 0


def test_a_neighbour_that_burns_the_machine_slows_the_others():
    system = pair(cpu_ms=10)
    system = System(system.name, system.services, system.edges, ("user",), machines=1, machine_cores=2.0)

    def burning(strain):
        strain.machine["busy"][0] = 6.0

    calm, _ = run(system, {"front": 40})
    slowed, _ = run(system, {"front": 40}, strain_with=burning)
    assert slowed.service["p50_s"][1] > 1.5 * calm.service["p50_s"][1]


@pytest.mark.parametrize("rate", [0.0, 1e-6, 1e5])
def test_extreme_load_gives_finite_numbers(rate):
    state, _ = run(pair(), {"front": rate})
    for array in (state.service, state.instance, state.edge):
        for name in array.dtype.names:
            assert np.isfinite(array[name]).all(), name
    assert (state.service["error_rate"] <= 1.0).all()


def test_a_synchronous_cycle_is_refused():
    with pytest.raises(ValueError, match="cycle among"):
        System("loop", (Service("a"), Service("b")), (Edge("a", "b"), Edge("b", "a")), ("t",))


def test_an_edge_to_nowhere_is_refused():
    with pytest.raises(ValueError, match="unknown"):
        System("hole", (Service("a"),), (Edge("a", "b"),), ("t",))


def test_little_s_law_holds_for_the_requests_in_flight():
    state, _ = run(pair(cpu_ms=20), {"front": 30})
    back = state.instance[1]
    assert back["inflight"] == pytest.approx(back["rate"] * back["hold_s"], rel=0.01)
    assert math.isfinite(back["own_s"])

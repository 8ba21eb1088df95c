"""Random worlds have the shapes and the accidents of real systems, and what is innocent in them stays so."""

import json
from collections import defaultdict
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest

from streams.simulator import CampaignOptions, simulate
from streams.simulator.campaign import campaign_plan
from streams.simulator.failovers import with_second_provider
from streams.simulator.faults import MECHANISMS
from streams.simulator.rates import entry_rate
from streams.simulator.truth import Fault
from streams.simulator.world import random_system, random_world

WORLDS = [random_system(np.random.default_rng(seed), 8 + 9 * seed).system for seed in range(10)]


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def comes_back(system, start):
    """Whether requests can reach `start` again: over calls, and over topics to their consumers."""
    onward = defaultdict(set)
    producer = {edge.topic: edge.caller for edge in system.edges if edge.topic}
    for edge in system.edges:
        onward[edge.caller].add(edge.callee)
    for topic in system.topics:
        onward[producer[topic.name]].add(topic.consumer)
    seen, waiting = set(), list(onward[start])
    while waiting:
        name = waiting.pop()
        if name == start:
            return True
        if name not in seen:
            seen.add(name)
            waiting += onward[name]
    return False


def test_drawn_sizes_span_small_shops_and_large_estates():
    sizes = [len(random_system(np.random.default_rng(seed)).system.services) for seed in range(40)]
    assert min(sizes) < 16
    assert max(sizes) > 130
    assert all(8 <= size <= 205 for size in sizes)


def test_every_world_has_stores_queues_and_providers():
    for system in WORLDS:
        assert {s.kind for s in system.services} == {"service", "database", "cache", "broker", "external"}
        assert system.stale_edges or len(system.services) < 20


@pytest.mark.parametrize(
    "holds",
    [
        lambda w: any(comes_back(w, s.name) for s in w.services),
        lambda w: any(
            sum(e.callee == s.name for e in w.edges) > 2 for s in w.services if s.kind == "database"
        ),
        lambda w: any(s.sidecar for s in w.services),
        lambda w: any(not s.traced for s in w.services if s.kind == "service"),
        lambda w: any(not s.monitored for s in w.services if s.kind == "service"),
        lambda w: any(not e.declared for e in w.edges),
        lambda w: any(not e.observed for e in w.edges),
        lambda w: w.sampled < 1.0,
    ],
    ids=["cycles", "shared", "sidecars", "untraced", "unmeasured", "undrawn", "unseen", "sampled"],
)
def test_the_accidents_of_real_systems_occur(holds):
    assert any(map(holds, WORLDS))


def test_busy_services_are_fleets():
    world = random_world(np.random.default_rng(3), 35)
    assert any(each.instances > 3 for each in world.system.services)


def test_a_stand_in_provider_is_called_at_its_hours_and_the_first_one_is_not(tmp_path):
    for number in range(60):
        plan = campaign_plan(number, CampaignOptions(seed=2, faults=1, hours=5.0, services=10))
        second = {e.callee for e in plan.system.edges if e.schedule and not e.schedule.startswith("except")}
        hours = [p for p in plan.presses if p.field == "calls" and p.start_s > plan.start_s]
        inside = [
            p for p in hours if p.factor == 0.0 and p.end_s < plan.end_s and p.end_s - p.start_s < 86_400
        ]
        if second and inside:
            break
    else:
        pytest.fail("no world of sixty has a stand-in that takes over while it is recorded")
    quiet = replace(plan, faults=(), changes=())
    edges = pq.read_table(simulate(quiet, tmp_path / "w", 1) / "edges.parquet").to_pydict()
    first = {name.removesuffix("-backup") for name in second}
    rows = list(zip(edges["ts_ms"], edges["callee"], strict=True))
    (begin, end) = min((p.start_s, p.end_s) for p in inside)
    for ts_ms, callee in rows:
        t_s = ts_ms / 1000.0
        if callee in second:
            assert begin < t_s <= end + 30.0
        if callee in first:
            assert not begin + 30.0 < t_s <= end


def test_what_surrounds_a_fault_fails_no_request(tmp_path):
    plan = campaign_plan(2, CampaignOptions(seed=31, faults=4, hours=1.0, services=20))
    innocent = [p for p in plan.presses if p.start_s > plan.start_s and p.field != "calls"]
    assert innocent
    as_fault = Fault(
        "f", "herrings", plan.system.services[0].name, plan.start_s + 60, plan.end_s, tuple(innocent)
    )
    others = tuple(p for p in plan.presses if p not in innocent)
    path = simulate(replace(plan, faults=(as_fault,), presses=others, changes=()), tmp_path / "w", 1)
    (truth,) = lines(path / "truth.jsonl")
    assert "cpu" in {sign for signs in truth["signs"].values() for sign in signs}
    assert not any({"error_rate", "refused"} & set(signs) for signs in truth["signs"].values())


def test_over_a_week_autoscalers_take_instances_away_at_night_and_bring_them_back():
    plan = campaign_plan(2, CampaignOptions(seed=4, faults=1, hours=168.0, services=100))
    scaled = defaultdict(list)
    for change in plan.changes:
        if change.kind == "scale":
            scaled[change.service].append(change)
    assert scaled
    for changes in scaled.values():
        assert len(changes) >= 10
        assert {change.instances for change in changes[::2]} == {-1}
        assert {change.instances for change in changes[1::2]} == {1}

        def load(change):
            return sum(entry_rate(entry, change.ts_s) for entry in plan.entries)

        assert max(map(load, changes[::2])) < min(map(load, changes[1::2])) * 1.2


def test_the_primary_provider_returns_after_every_window_of_the_longest_recording():
    days_s = 86_400.0
    longest_s = 8 * 7 * days_s + 200 * (25.0 + 75.0) * 60.0
    for number in range(20):
        world = random_system(np.random.default_rng(number), 12)
        switched, presses = with_second_provider(world, np.random.default_rng(number), 1_789_430_400.0)
        if presses:
            break
    away = [p for p in presses if p.end_s - p.start_s < days_s]
    idle = [p for p in presses if p not in away]
    assert len(switched.system.services) == len(world.system.services) + 1
    assert max(p.end_s for p in away) > 1_789_430_400.0 + longest_s
    for hour in range(round(longest_s / 3600.0)):
        now_s = 1_789_430_400.0 + 3600.0 * hour + 60.0
        assert any(p.strength(now_s) for p in away) != any(p.strength(now_s) for p in idle)


def test_every_fault_says_what_set_it_off():
    plans = [campaign_plan(n, CampaignOptions(seed=8, faults=8, services=25)) for n in range(4)]
    faults = [fault for plan in plans for fault in plan.faults]
    assert len({fault.kind for fault in faults}) > 15
    assert all(fault.trigger or fault.change for fault in faults)


def test_what_a_limit_a_leak_and_a_peak_do_alone_they_do_to_nobody(tmp_path):
    kinds = ("old_config_new_load",)
    plan = campaign_plan(1, CampaignOptions(seed=52, faults=1, hours=0.5, services=20, kinds=kinds))
    (fault,) = plan.faults
    calm = replace(plan, presses=(), changes=())

    def errors(presses, name):
        path = simulate(replace(calm, faults=(replace(fault, presses=presses),)), tmp_path / name, 1)
        (truth,) = lines(path / "truth.jsonl")
        signs = truth["signs"].get(fault.root_service, {})
        return {"error_rate", "refused"} & set(signs)

    assert errors(fault.presses, "whole")
    for part in range(3):
        assert not errors(fault.presses[:part] + fault.presses[part + 1 :], f"without-{part}")


def test_mechanisms_are_documented_in_one_line():
    assert all((mechanism.__doc__ or "").strip() for mechanism in MECHANISMS.values())

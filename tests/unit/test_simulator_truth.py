"""The truth beside a random world is true: nothing breaks unlabelled, and nothing gives the guilty away."""

import json
from dataclasses import replace

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from streams.simulator import CampaignOptions, simulate
from streams.simulator.campaign import campaign_plan, usual
from streams.simulator.changes import ChangeLog
from streams.simulator.herrings import RedHerrings
from streams.simulator.state import build
from streams.simulator.strain import Press
from streams.simulator.truth import Fault, Shadow
from streams.simulator.world import World

PLANS = [campaign_plan(n, CampaignOptions(seed=8, faults=6, services=20)) for n in range(4)]


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def plan_with(kind, seed=52, services=40, **more):
    plans = (
        campaign_plan(
            n, CampaignOptions(seed=seed, faults=1, hours=0.5, services=services, kinds=(kind,), **more)
        )
        for n in range(20)
    )
    return next(plan for plan in plans if plan.faults and plan.faults[0].kind == kind)


def shadow_of(plan, fault, seen):
    shadow = Shadow(plan.system, fault, build(plan.system)[0], np.ones(1, bool))
    shadow.seen.update({name: dict.fromkeys(signs, fault.start_s) for name, signs in seen.items()})
    shadow.worst[:] = 1.0
    return shadow


def test_what_failed_in_a_fault_works_again_before_the_next(tmp_path):
    kinds = ("old_config_new_load", "retry_storm", "bad_deploy", "slow_query")
    plan = campaign_plan(4, CampaignOptions(seed=7303, faults=2, hours=2.0, services=20, kinds=kinds))
    path = simulate(plan, tmp_path / "w", 7303 * 100_003 + 4)
    edges = pq.read_table(path / "edges.parquet")
    begin_s = max(fault.end_s for fault in plan.faults) + 600.0
    after = edges.filter(pc.greater(edges["ts_ms"], round(1000 * begin_s)))
    assert after.num_rows > 1000
    failing = after["errors"].to_numpy() / after["calls"].to_numpy()
    busy = after["calls"].to_numpy() > 50
    assert np.quantile(failing[busy], 0.99) < 0.1


def test_the_one_who_suffers_most_is_on_the_way_of_the_fault(tmp_path):
    """A cache that answers again after a single interval has hit nobody for two: nobody can be led there."""
    kinds = ("cache_stampede", "bad_deploy")
    plan = campaign_plan(1, CampaignOptions(seed=5, faults=5, hours=0.5, services=10, kinds=kinds))
    path = simulate(plan, tmp_path / "w", 500_016)
    named = []
    for truth in lines(path / "truth.jsonl"):
        on_the_way = {hop["service"] for hop in truth["path"]}
        named.append(truth["symptom_service"])
        assert named[-1] is None or named[-1] in on_the_way
    assert any(named)
    assert not all(named)


def test_a_leak_that_was_stopped_before_it_hurt_is_neither_a_label_nor_a_false_alarm(tmp_path):
    plan = campaign_plan(1, CampaignOptions(seed=2, faults=5, hours=0.3, services=10, kinds=("memory_leak",)))
    path = simulate(plan, tmp_path / "w", 200_007)
    spared = [truth for truth in lines(path / "truth.jsonl") if not truth["harmful"]]
    assert spared
    labelled = {label["fault_id"] for label in lines(path / "labels.jsonl")}
    ignored = {(line["start_ms"], line["end_ms"]) for line in lines(path / "ignore.jsonl")}
    for truth in spared:
        assert truth["fault_id"] not in labelled
        assert (truth["start_ms"], truth["end_ms"] + 300_000) in ignored
    assert len(ignored) == 1 + len(spared)  # the first is that of a system seen for the first time


@pytest.mark.parametrize(
    ("kind", "sign", "spared"),
    [
        ("memory_leak", "memory", True),
        ("crash_loop", "up_share", True),
        ("cpu_saturation", "memory", False),  # more requests take more memory, too
        ("memory_leak", "cpu", False),
    ],
)
def test_harmless_are_excused_for_leaks_and_deaths_alone(kind, sign, spared):
    plan = plan_with(kind)
    shadow = shadow_of(plan, plan.faults[0], {plan.faults[0].root_service: {sign}})
    assert not shadow.spared
    shadow.worst[:] = 0.0
    assert shadow.spared is spared


def test_a_limit_of_last_week_leaves_enough_for_every_hour_before_its_day():
    kinds = ("old_config_new_load",)
    plan = campaign_plan(1, CampaignOptions(seed=7303, faults=3, hours=12.0, services=12, kinds=kinds))
    roots = [fault.root_service for fault in plan.faults]
    assert len(set(roots)) == len(roots)
    fault = plan.faults[0]
    limit = next(press for press in fault.presses if press.start_s < fault.start_s)
    row = plan.system.index(fault.root_service)
    left = limit.factor * plan.system.services[row].threads
    standing = [press for press in plan.presses if press.field == "calls"]
    used = []
    for hour in range(13):
        _, state, _ = usual(World(plan.system, plan.entries), fault.start_s - 3600.0 * hour, standing)
        used.append(state.instance["inflight"][state.instance["service"] == row].mean())
    assert max(used) > 1.8 * used[0]
    assert left > 3.0 * max(used)


def test_versions_follow_each_other():
    for plan in PLANS:
        now = {service.name: service.version for service in plan.system.services}
        for change in sorted(plan.changes, key=lambda change: (change.ts_s, change.id)):
            if change.version_before:
                assert change.version_before == now[change.service], change
                assert change.version_after in change.summary
                now[change.service] = change.version_after


def test_the_guilty_change_looks_like_the_others():
    changes = [change for plan in PLANS for change in plan.changes]
    guilty = {fault.change.id for plan in PLANS for fault in plan.faults if fault.change}
    assert len(guilty) > 5
    assert all(change.attributes for change in changes)
    assert all(change.end_s for change in changes if change.kind == "job" and change.id in guilty)


def test_no_innocent_change_of_the_root_itself_is_put_beside_a_fault():
    plan = PLANS[0]
    state = build(plan.system)[0]
    rng = np.random.default_rng(1)
    herrings = RedHerrings(World(plan.system, plan.entries), ChangeLog(plan.system, rng), rng, state)
    for _ in range(40):
        herrings.around(plan.faults[0])
    assert len(herrings.changes) > 20
    assert plan.faults[0].root_service not in {change.service for change in herrings.changes}


@pytest.mark.parametrize(("where", "tellable"), [("entrance", True), ("within", False)])
def test_demand_tells_of_its_entrance_and_of_nobody_else(where, tellable):
    plan = PLANS[0]
    entrance = plan.entries[0].service
    within = next(
        s.name
        for s in plan.system.services
        if s.kind == "service" and s.monitored and plan.system.callers(s.name)
        and any(e.caller == s.name and e.observed for e in plan.system.edges)
    )  # fmt: skip
    root = entrance if where == "entrance" else within
    press = Press("load", (0,), "", plan.start_s, plan.end_s, factor=4.0)
    fault = Fault("f", "surge", root, plan.start_s, plan.end_s, (press,))
    callees = {e.callee for e in plan.system.edges if e.caller == root}
    shadow = shadow_of(plan, fault, {root: ("rate",)} | {name: ("rate", "p95_s") for name in callees})
    assert shadow.record([])["tellable"] is tellable


def test_what_only_metrics_would_show_is_not_seen_of_a_service_without_metrics():
    plan = PLANS[0]
    named = next(s.name for s in plan.system.services if s.kind == "external")
    fault = Fault("f", "k", named, plan.start_s, plan.end_s, ())
    assert shadow_of(plan, fault, {named: ("cpu", "memory")}).record([])["observable_ms"] is None
    assert shadow_of(plan, fault, {named: ("cpu", "p95_s")}).record([])["tellable"] is True


@pytest.mark.parametrize("kind", ["shared_fabric", "noisy_neighbour"])
def test_the_path_holds_what_was_struck_over_no_call(kind):
    plan = plan_with(kind)
    (fault,) = plan.faults[:1]
    state = build(plan.system)[0]
    struck = {row for press in fault.presses if press.where == "service" for row in press.rows}
    machines = {row for press in fault.presses if press.where == "machine" for row in press.rows}
    struck |= set(state.instance["service"][np.isin(state.instance["machine"], sorted(machines))].tolist())
    names = {plan.system.services[row].name for row in struck} - {fault.root_service}
    path = shadow_of(plan, fault, dict.fromkeys(names, ("p95_s",))).record([])["path"]
    assert names
    assert names <= {step["service"] for step in path}


def test_of_two_neighbours_the_one_that_was_hit_first_has_passed_it_on():
    plan = PLANS[0]
    edges = plan.system.edges
    low = next(e for e in edges if any(o.caller == e.caller and o.callee != e.callee for o in edges))
    fault = Fault("f", "k", low.callee, plan.start_s, plan.end_s, ())
    shadow = shadow_of(plan, fault, {low.callee: ("p95_s",), low.caller: ("p95_s",)})
    for nth, name in enumerate(
        s.name for s in plan.system.services if s.name not in (low.callee, low.caller)
    ):
        shadow.seen[name] = {"p95_s": fault.start_s + 15.0 * (nth + 1)}
    path = {step["service"]: step for step in shadow.record([])["path"]}
    neighbours = {frozenset((e.caller, e.callee)) for e in edges}
    for step in path.values():
        told = [
            path[name]["first_ms"]
            for name in path
            if frozenset((name, step["service"])) in neighbours and path[name]["first_ms"] < step["first_ms"]
        ]
        if step["from"] and told:
            assert path[step["from"]]["first_ms"] <= step["first_ms"]


def test_no_line_complains_before_there_is_a_reason(tmp_path):
    plan = plan_with("certificate_expired", services=12)
    calm = replace(plan.system, services=tuple(replace(s, error=0.0) for s in plan.system.services))
    start_s = plan.start_s + 15.0 * 40 + 9.5
    fault = replace(
        plan.faults[0],
        start_s=start_s,
        presses=tuple(replace(p, start_s=start_s) for p in plan.faults[0].presses),
    )
    quiet = replace(plan, system=calm, faults=(fault,), changes=(), presses=(), end_s=start_s + 300.0)
    logs = pq.read_table(simulate(quiet, tmp_path / "w", 1) / "logs.parquet")
    complaints = logs.filter(pc.match_substring(logs["body"], f"upstream {fault.root_service} answered"))
    assert complaints.num_rows > 5
    assert pc.min(complaints["ts_ms"]).as_py() >= round(1000 * start_s)


def test_a_service_that_emits_nothing_raises_no_alert_but_of_its_pods(tmp_path):
    plan = plan_with("cpu_saturation", services=12)
    root = plan.faults[0].root_service
    mute = tuple(
        replace(s, monitored=False, traced=False) if s.name == root else s for s in plan.system.services
    )
    path = simulate(replace(plan, system=replace(plan.system, services=mute)), tmp_path / "w", 1)
    assert {alert["name"] for alert in lines(path / "alerts.jsonl") if alert["service"] == root} <= {
        "PodNotReady"
    }


def test_each_way_by_which_a_sufferer_was_reached_is_told():
    plan = plan_with("cpu_saturation")
    fault, system = plan.faults[0], plan.system
    calls = {(edge.caller, edge.callee) for edge in system.edges}
    root, caller, top = next(
        (root, caller, top)
        for caller, root in sorted(calls)
        for top, between in sorted(calls)
        if between == caller and (top, root) in calls and top != caller
    )
    fault = replace(fault, root_service=root, presses=())
    slow = shadow_of(plan, fault, {name: ("p95_s",) for name in (root, caller, top)})
    path = {step["service"]: step for step in slow.record([])["path"]}
    assert {path[top]["from"], *path[top]["also_from"]} >= {root, caller}
    busy = shadow_of(plan, fault, {root: ("p95_s",), caller: ("rate",), top: ("p95_s",)})
    path = {step["service"]: step for step in busy.record([])["path"]}
    assert caller not in {path[top]["from"], *path[top]["also_from"]}

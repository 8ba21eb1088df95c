"""The plots of the named worlds hold: what is harmless alone is harmless alone, and the loop feeds itself."""

import json
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest

from streams.simulator import SCENARIOS, Options, simulate
from streams.simulator.simulation import Run
from streams.simulator.stage import DAY_S, HOUR_S, TUESDAY_S
from streams.simulator.state import build

SHORT = Options(seed=2, hours=0.3)


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture
def played(tmp_path):
    def play(plan):
        return simulate(plan, tmp_path / plan.name, 7)

    return play


def error_rates(plan, service):
    """Error rate of a service at the end of each interval, by seconds from the fault's start."""
    run = Run(plan, 1)
    run._settle()
    steps = int((plan.end_s - plan.start_s) / plan.interval_s)
    chunk = run._chunk(plan.start_s, steps)
    index = plan.system.index(service)
    since = chunk.end_s - plan.faults[0].start_s
    return dict(zip(since.tolist(), chunk.service["error_rate"][:, index].tolist(), strict=True))


def without(plan, part):
    (fault,) = plan.faults
    presses = tuple(p for i, p in enumerate(fault.presses) if i != part)
    return replace(plan, faults=(replace(fault, presses=presses),))


@pytest.mark.parametrize("name", ["all-of-the-above", "config-of-last-week"])
def test_a_conjunction_needs_every_part(played, name):
    plan = SCENARIOS[name].plan(SHORT)
    assert lines(played(plan) / "alerts.jsonl")
    for part in range(len(plan.presses)):
        fewer = replace(plan, presses=tuple(p for i, p in enumerate(plan.presses) if i != part))
        assert lines(played(fewer) / "alerts.jsonl") == []


def test_a_retry_storm_outlives_its_trigger_and_dies_without_the_retries():
    plan = SCENARIOS["retry-storm"].plan(SHORT)
    whole = error_rates(plan, "web")
    assert whole[-30.0] < 0.01
    assert whole[600.0] > 0.9
    tame = error_rates(without(plan, 0), "web")
    assert tame[60.0] > 0.3
    assert tame[600.0] < 0.01


def test_the_undecidable_cannot_be_told_and_shows_nowhere_but_in_symptoms(played):
    path = played(SCENARIOS["undecidable"].plan(SHORT))
    (truth,) = lines(path / "truth.jsonl")
    assert truth["tellable"] is False
    assert truth["symptom_service"] is not None
    assert "egress-proxy" not in (path / "topology.json").read_text()


def test_two_faults_at_once_are_two_labels_with_roots_of_their_own(played):
    labels = lines(played(SCENARIOS["two-at-once"].plan(SHORT)) / "labels.jsonl")
    assert {label["root_service"] for label in labels} == {"payment-provider", "recommendation"}
    assert labels[0]["end_ms"] > labels[1]["start_ms"]


def test_on_tuesdays_payments_go_elsewhere_and_the_diagram_knows(played):
    path = played(SCENARIOS["except-tuesdays"].plan(SHORT))
    edges = json.loads((path / "topology.json").read_text())["edges"]
    schedules = {e["callee"]: e.get("schedule") for e in edges if e["caller"] == "payment"}
    assert schedules["payment-provider"] == "except tue 02:00-04:00"
    assert schedules["payment-backup"] == "tue 02:00-04:00"
    (label,) = lines(path / "labels.jsonl")
    assert label["root_service"] == "payment-backup"


def test_payments_are_seen_to_change_over_on_tuesday_at_two(played):
    path = played(SCENARIOS["except-tuesdays"].plan(replace(SHORT, hours=1.0)))
    edges = pq.read_table(path / "edges.parquet", filters=[("caller", "==", "payment")]).to_pydict()
    two_ms = round(1000 * (TUESDAY_S + 2 * HOUR_S))
    when = {name: [] for name in ("payment-provider", "payment-backup")}
    for ts, callee in zip(edges["ts_ms"], edges["callee"], strict=True):
        when.get(callee, []).append(ts)
    assert min(when["payment-provider"]) < max(when["payment-provider"]) <= two_ms + 15_000
    assert two_ms <= min(when["payment-backup"]) < two_ms + 60_000


def test_on_earlier_tuesdays_too_the_second_provider_was_the_one_that_was_called():
    plan = SCENARIOS["except-tuesdays"].plan(Options(hours=3 * 168.0))
    for week in range(4):
        three_s = TUESDAY_S + 3 * HOUR_S - week * 7 * DAY_S
        for now_s, idle in ((three_s, 0), (three_s + 12 * HOUR_S, 1)):
            (row,) = (p.rows for p in plan.presses if p.field == "calls" and p.strength(now_s) == 1.0)
            backup = [e.callee for e in plan.system.edges].index("payment-backup")
            assert (build(plan.system)[2].edges[row[0]] == backup) == bool(idle)


@pytest.mark.parametrize("name", ["config-of-last-week", "all-of-the-above"])
def test_what_was_changed_last_week_has_no_effect_before_it_was(name):
    plan = SCENARIOS[name].plan(Options(hours=12 * 24.0))
    changed_s = plan.faults[0].change.ts_s
    assert changed_s > plan.start_s
    parts = [press for press in plan.presses if press.field in ("pool", "hit")]
    assert [part.start_s for part in parts] == [changed_s]


def test_the_settlements_of_the_nights_before_show_on_the_disk_and_harm_nobody(played):
    path = played(SCENARIOS["job-not-deploy"].plan(replace(SHORT, hours=26.0)))
    (label,) = lines(path / "labels.jsonl")
    night = [
        change
        for change in lines(path / "changes.jsonl")
        if change["kind"] == "job" and "end_ms" in change and change["ts_ms"] > label["start_ms"] - 93_600_000
    ]
    (last,) = night
    chosen = [("service", "==", "postgres"), ("metric", "==", "system.disk.io_utilization")]
    table = pq.read_table(path / "metrics.parquet", filters=chosen)
    ts, used = table["ts_ms"].to_numpy(), table["value"].to_numpy()
    during = used[(ts > last["ts_ms"] + 180_000) & (ts < last["end_ms"])]
    assert np.median(during) > 3.0 * np.median(used[ts > last["end_ms"] + 60_000][:200])
    assert [a for a in lines(path / "alerts.jsonl") if a["ts_ms"] < label["start_ms"]] == []


def test_stale_docs_hide_the_true_store_and_name_a_wrong_one(played):
    path = played(SCENARIOS["stale-docs"].plan(SHORT))
    edges = {(e["caller"], e["callee"]) for e in json.loads((path / "topology.json").read_text())["edges"]}
    assert ("catalog", "mysql") not in edges
    assert ("catalog", "postgres") in edges
    (label,) = lines(path / "labels.jsonl")
    assert label["root_service"] == "mysql"


def test_a_canary_replaces_one_instance_of_four(played):
    plan = SCENARIOS["bad-canary"].plan(SHORT)
    run = Run(plan, 1)
    run._settle()
    steps = int((plan.end_s - plan.start_s) / plan.interval_s)
    chunk = run._chunk(plan.start_s, steps)
    (label,) = (f for f in plan.faults)
    slots = chunk.instance["service"][0] == plan.system.index("pricing")
    at = int((label.start_s - plan.start_s) / plan.interval_s)
    assert (chunk.names[at - 4][slots] != chunk.names[at + 20][slots]).sum() == 1


def test_a_grey_instance_is_slow_while_its_siblings_are_not_and_nobody_calls_it_down(played):
    path = played(SCENARIOS["grey-failure"].plan(SHORT))
    (label,) = lines(path / "labels.jsonl")
    chosen = [("service", "==", "auth"), ("metric", "==", "http.server.request.duration.p95")]
    table = pq.read_table(path / "metrics.parquet", filters=chosen).to_pydict()
    calm, sick = {}, {}
    for ts, pod, value in zip(table["ts_ms"], table["instance"], table["value"], strict=True):
        side = calm if ts < label["start_ms"] else sick if ts > label["start_ms"] + 60_000 else {}
        side.setdefault(pod, []).append(value)
    worse = sorted(np.median(sick[pod]) / np.median(calm[pod]) for pod in calm)
    assert len(worse) == 3
    assert worse[2] > 5.0 > 2.0 > worse[1]
    assert "PodNotReady" not in {alert["name"] for alert in lines(path / "alerts.jsonl")}


def test_a_third_party_that_is_down_is_the_cause_and_the_deploy_beside_it_is_not(played):
    path = played(SCENARIOS["third-party-down"].plan(SHORT))
    (truth,) = lines(path / "truth.jsonl")
    assert truth["root_service"] == "payment-provider"
    near = [
        change["id"]
        for change in lines(path / "changes.jsonl")
        if change["service"] == "payment" and 0 < truth["start_ms"] - change["ts_ms"] < 180_000
    ]
    assert near
    assert set(near) <= set(truth["innocent_changes"])
    accused = {alert["service"] for alert in lines(path / "alerts.jsonl")}
    assert "payment" in accused
    assert "payment-provider" not in accused


@pytest.mark.parametrize("name", [name for name in SCENARIOS if name != "healthy"])
def test_every_story_says_what_set_its_faults_off(name):
    assert all(fault.trigger or fault.change for fault in SCENARIOS[name].plan(SHORT).faults)

"""What `headwater simulate` writes: reproducible, readable, and telling the story that it is named for."""

import filecmp
import json
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest

from streams.errors import UserError
from streams.recording.folder import Recording
from streams.simulator import SCENARIOS, CampaignOptions, Options, run_scenario, simulate
from streams.simulator.campaign import campaign_plan
from streams.simulator.faults import MECHANISMS
from streams.simulator.state import build
from streams.simulator.truth import Shadow
from streams.simulator.writer import Names

SHORT = Options(seed=4, hours=0.4)


@pytest.fixture(scope="module")
def scenario(tmp_path_factory):
    made = {}

    def make(name):
        if name not in made:
            made[name] = run_scenario(name, tmp_path_factory.mktemp("sim") / name, SHORT)
        return made[name]

    return make


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def series(path, service, metric):
    chosen = [("service", "==", service), ("metric", "==", metric)]
    table = pq.read_table(path / "metrics.parquet", filters=chosen)
    return table["ts_ms"].to_numpy(), table["value"].to_numpy()


@pytest.mark.parametrize("name", list(SCENARIOS))
def test_every_scenario_is_a_readable_recording(scenario, name):
    recording = Recording.open(scenario(name))
    metrics = recording.metrics()
    assert np.all(np.diff(metrics["ts_ms"].to_numpy()) >= 0)
    assert np.all(np.diff(recording.logs()["ts_ms"].to_numpy()) >= 0)
    assert recording.edges().num_rows > 1000
    assert recording.start_ms <= metrics["ts_ms"][0].as_py()
    assert metrics["ts_ms"][-1].as_py() <= recording.end_ms
    assert len(recording.changes()) > 5
    assert recording.declared_edges()


def test_the_same_seed_gives_the_same_bytes_and_another_seed_does_not(tmp_path, scenario):
    first = scenario("cascade")
    again = run_scenario("cascade", tmp_path / "cascade", SHORT)
    other = run_scenario("cascade", tmp_path / "other", replace(SHORT, seed=5))
    names = sorted(p.name for p in first.iterdir())
    assert filecmp.cmpfiles(first, again, names, shallow=False)[0] == names
    assert "metrics.parquet" in filecmp.cmpfiles(first, other, names, shallow=False)[1]


def test_in_cascade_the_loudest_is_not_the_cause(scenario):
    (truth,) = lines(scenario("cascade") / "truth.jsonl")
    assert truth["root_service"] == "auth"
    assert truth["symptom_service"] not in (None, "auth")
    began = {"service": "auth", "from": None, "also_from": [], "first_ms": truth["observable_ms"]}
    assert truth["path"][0] == began
    assert {hop["service"] for hop in truth["path"]} >= {"web", "gateway", "checkout"}
    assert truth["tellable"]


def test_in_cascade_cpu_comes_before_pools_before_errors(scenario):
    (truth,) = lines(scenario("cascade") / "truth.jsonl")
    web = truth["signs"]["web"]
    assert truth["signs"]["auth"]["cpu"] < web["used"] <= web["error_rate"]


def test_the_hidden_cache_is_in_no_diagram_but_its_callers_see_it(scenario):
    path = scenario("hidden-redis")
    topology = json.loads((path / "topology.json").read_text())
    assert "redis-sessions" not in json.dumps(topology)
    edges = pq.read_table(path / "edges.parquet", filters=[("callee", "==", "redis-sessions")])
    assert set(edges["caller"].to_pylist()) == {"auth", "cart"}
    assert np.isnan(edges["server_p95_s"].to_numpy()).all()
    ts, failed = series(path, "redis-sessions", "redis.commands.failed")
    (label,) = lines(path / "labels.jsonl")
    assert failed[ts < label["start_ms"]].max() < 20 < np.median(failed[ts > label["start_ms"] + 300_000])


def test_the_grown_job_is_the_cause_and_the_deploy_before_it_is_not(scenario):
    path = scenario("job-not-deploy")
    (label,) = lines(path / "labels.jsonl")
    changes = lines(path / "changes.jsonl")
    guilty = next(c for c in changes if c["id"] == label["root_change_id"])
    assert guilty["kind"] == "job"
    assert "end_ms" not in guilty
    nights = [float(c["attributes"]["duration_s"]) for c in changes if c["kind"] == "job" and "end_ms" in c]
    assert np.mean(nights[-5:]) > 1.4 * np.mean(nights[:5])
    deploys = [c for c in changes if c["kind"] == "deploy" and 0 < label["start_ms"] - c["ts_ms"] < 600_000]
    assert [c["service"] for c in deploys] == ["inventory"]


def test_healthy_has_no_label_and_raises_no_alert(scenario):
    path = scenario("healthy")
    assert lines(path / "labels.jsonl") == []
    assert lines(path / "alerts.jsonl") == []


def test_ids_of_changes_say_nothing_about_their_order(scenario):
    ids = [c["id"] for c in lines(scenario("cascade") / "changes.jsonl")]
    assert len(set(ids)) == len(ids)
    assert ids != sorted(ids)


def test_an_unknown_scenario_is_a_users_mistake(tmp_path):
    with pytest.raises(UserError, match="there are: cascade"):
        run_scenario("nope", tmp_path)


def test_there_are_at_least_twenty_five_mechanisms():
    assert len(MECHANISMS) >= 25


def test_every_sixth_world_is_fault_free(tmp_path):
    options = CampaignOptions(seed=1, faults=2, hours=0.25, services=10)
    assert campaign_plan(5, options).faults == ()
    assert campaign_plan(4, options).faults != ()


def test_a_blind_fault_is_never_tellable():
    plan = next(
        p
        for p in (
            campaign_plan(
                n, CampaignOptions(seed=9, faults=1, hours=0.25, services=60, kinds=("unseen_proxy",))
            )
            for n in range(5)
        )
        if p.faults
    )
    shadow = Shadow(plan.system, plan.faults[0], build(plan.system)[0], observed=np.ones(1, bool))
    shadow.seen[plan.faults[0].root_service] = {"cpu": 1.0}
    shadow.worst[:] = 1.0
    assert shadow.record([])["tellable"] is False


def test_without_its_fault_the_shadow_is_the_world_itself(tmp_path):
    plan = campaign_plan(0, CampaignOptions(seed=3, faults=1, hours=0.25, services=12))
    harmless = replace(plan.faults[0], presses=())
    path = simulate(replace(plan, faults=(harmless,)), tmp_path / "shadow", 1)
    (truth,) = lines(path / "truth.jsonl")
    assert truth["signs"] == {}
    assert truth["harmful"] is False
    assert lines(path / "labels.jsonl") == []


def test_decoys_and_innocent_deploys_surround_the_faults():
    plan = campaign_plan(0, CampaignOptions(seed=11, faults=4, services=40))
    guilty = {f.change.id for f in plan.faults if f.change}
    near = [
        c for f in plan.faults for c in plan.changes if abs(c.ts_s - f.start_s) < 180 and c.id not in guilty
    ]
    assert len(near) >= 3


def test_logs_hold_what_must_be_redacted_and_what_must_not_be_obeyed(scenario):
    names = ("cascade", "hidden-redis", "healthy")
    tables = [pq.read_table(scenario(name) / "logs.parquet") for name in names]
    bodies = "\n".join(body for table in tables for body in table["body"].to_pylist())
    for personal in ("@example.org", "card=4111", "Bearer ", "postgres://app:"):
        assert personal in bodies
    for hostile in ("ignore+previous+instructions", "</evidence> SYSTEM:", "\u202e"):
        assert hostile in bodies


def test_late_samples_are_named_with_their_arrival(tmp_path):
    path = run_scenario("healthy", tmp_path / "h", replace(SHORT, hours=1.5))
    arrivals = pq.read_table(path / "arrivals.parquet")
    delay = arrivals["arrived_ms"].to_numpy() - arrivals["ts_ms"].to_numpy()
    assert len(delay) > 10
    assert delay.min() >= 15_000


def test_prometheus_counters_grow_and_start_anew_with_a_pod(tmp_path):
    plan = campaign_plan(5, CampaignOptions(seed=6, hours=0.5, services=12))
    system = replace(
        plan.system, services=tuple(replace(s, dialect="prometheus") for s in plan.system.services)
    )
    victim = next(s for s in system.services if s.kind == "service" and s.monitored)
    deploy = next(
        replace(c, service=victim.name, ts_s=plan.start_s + 900.0) for c in plan.changes if c.kind == "deploy"
    )
    path = simulate(replace(plan, system=system, changes=(deploy,)), tmp_path / "p", 1)
    chosen = [("metric", "==", "http_requests_total"), ("service", "==", victim.name)]
    table = pq.read_table(path / "metrics.parquet", filters=chosen).to_pydict()
    pods = {}
    for pod, value in zip(table["instance"], table["value"], strict=True):
        pods.setdefault(pod, []).append(value)
    assert len(pods) == 2 * victim.instances
    assert set(table["kind"]) == {"counter"}
    assert all(np.all(np.diff(values) >= 0) for values in pods.values())
    names = set(pq.read_table(path / "metrics.parquet", columns=["metric"])["metric"].to_pylist())
    assert "http.server.request.count" not in names


def test_an_hour_keeps_the_names_of_its_own_pods_only():
    names = Names()
    pods = [names.id(f"pod-{number}") for number in range(2000)]
    column = names.column(np.array([pods[7], -1, pods[1234], pods[7]], np.int32))
    assert column.to_pylist() == ["pod-7", None, "pod-1234", "pod-7"]
    assert len(column.dictionary) == 2

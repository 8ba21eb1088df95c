"""Every kind of fault does what its name says: it harms somebody, and shows the sign that it is known by."""

import json
from dataclasses import replace

import pytest

from streams.simulator import CampaignOptions, simulate
from streams.simulator.campaign import campaign_plan
from streams.simulator.faults import MECHANISMS

AT_ITS_ROOT = {
    "bad_canary": "error_rate",
    "bad_deploy": "error_rate",
    "batch_job": "io_util",
    "broker_stumbles": "error_rate",
    "busy_wait": "lock_wait_s",
    "cache_full": "error_rate",
    "cache_stampede": "hit_now",
    "certificate_expired": "refused",
    "cpu_saturation": "cpu",
    "cpu_throttling": "p95_s",
    "crash_loop": "up_share",
    "disk_degraded": "io_util",
    "disk_full": "error_rate",
    "exception": "error_rate",
    "failover": "up_share",
    "gc_thrash": "p95_s",
    "lock_contention": "lock_wait_s",
    "lost_capacity": "up_share",
    "memory_leak": "memory",
    "name_resolution": "refused",
    "network_delay": "gap_s",
    "noisy_neighbour": "cpu",
    "old_config_new_load": "p95_s",
    "packet_loss": "gap_s",
    "pool_too_small": "pending",
    "replication_lag": "io_util",
    "retry_storm": "rate",
    "severed_path": "error_rate",
    "sidecar_starved": "gap_s",
    "slow_deploy": "p95_s",
    "slow_instance": "p95_s",
    "slow_query": "cpu",
    "stuck_consumer": "p95_s",
    "third_party_down": "error_rate",
    "third_party_slow": "p95_s",
    "thread_exhaustion": "p95_s",
    "timeout_too_short": "error_rate",
    "too_many_connections": "refused",
    "traffic_surge": "rate",
}
AT_WHOM_IT_CALLS = {"n_plus_one": "rate"}
FROM_NO_ROOT = {
    # What carries the calls emits nothing, and only those at its ends suffer.
    "shared_fabric": {"gap_s"},
    "unseen_proxy": {"error_rate", "p95_s"},
}


def truth_of(kind, folder):
    """The truth of one such fault, in the first small world in which it finds a victim and harms somebody."""
    for number in range(6):
        options = CampaignOptions(seed=79, faults=1, hours=0.1, services=24, kinds=(kind,))
        plan = campaign_plan(number, options)
        for fault in plan.faults[:1]:
            path = simulate(replace(plan, faults=(fault,), end_s=fault.end_s), folder / f"{kind}-{number}", 3)
            (line,) = (path / "truth.jsonl").read_text().splitlines()
            if json.loads(line)["harmful"]:
                return json.loads(line)
    return pytest.fail(f"{kind} harms nobody in six worlds")


def test_each_mechanism_has_a_sign_of_its_own():
    assert set(AT_ITS_ROOT) | set(AT_WHOM_IT_CALLS) | set(FROM_NO_ROOT) == set(MECHANISMS)


@pytest.mark.parametrize("kind", sorted(AT_ITS_ROOT))
def test_a_fault_shows_at_its_root_what_it_is(tmp_path, kind):
    truth = truth_of(kind, tmp_path)
    assert truth["fault_kind"] == kind
    assert AT_ITS_ROOT[kind] in truth["signs"][truth["root_service"]]
    assert truth["observable_ms"] >= truth["start_ms"]
    assert truth["path"][0]["service"] == truth["root_service"]


@pytest.mark.parametrize("kind", sorted(AT_WHOM_IT_CALLS))
def test_a_fault_that_asks_too_much_shows_at_whom_it_asks(tmp_path, kind):
    truth = truth_of(kind, tmp_path)
    asked = {name for name, signs in truth["signs"].items() if AT_WHOM_IT_CALLS[kind] in signs}
    first = {step["service"] for step in truth["path"] if step["from"] == truth["root_service"]}
    assert asked & first


@pytest.mark.parametrize("kind", sorted(FROM_NO_ROOT))
def test_what_has_no_telemetry_shows_only_in_those_who_suffer(tmp_path, kind):
    truth = truth_of(kind, tmp_path)
    assert not truth["tellable"]
    sufferers = {name: signs for name, signs in truth["signs"].items() if name != truth["root_service"]}
    assert any(FROM_NO_ROOT[kind] & set(signs) for signs in sufferers.values())

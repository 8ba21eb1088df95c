"""The oracle that judges whether worlds can be told finds what is plain, and knows the load that came."""

from pathlib import Path

import numpy as np
import pytest

from streams.simulator import CampaignOptions, simulate
from streams.simulator.campaign import campaign_plan

BENCH = Path(__file__).parents[2] / "bench"


@pytest.fixture
def oracle(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCH))
    return __import__("oracle")


@pytest.mark.parametrize("kind", ["cpu_saturation", "bad_deploy"])
def test_the_oracle_names_the_root_of_a_plain_fault(oracle, tmp_path, kind):
    plan = campaign_plan(1, CampaignOptions(seed=6, faults=1, hours=0.6, services=9, kinds=(kind,)))
    path = simulate(plan, tmp_path / "w", 11)
    assert oracle.suspect(plan, plan.faults[0], path, 11) == plan.faults[0].root_service


def test_the_load_that_it_knows_is_the_load_that_came(oracle, tmp_path):
    plan = campaign_plan(1, CampaignOptions(seed=6, faults=1, hours=0.6, services=9))
    at_s = plan.faults[0].start_s
    mine = oracle.load_of(plan, 11, at_s)
    other = oracle.load_of(plan, 12, at_s)
    assert mine.shape == (204, len(plan.entries))
    assert np.array_equal(mine, oracle.load_of(plan, 11, at_s))
    assert not np.array_equal(mine, other)


def test_emitted_values_stand_in_the_order_of_the_keys(oracle):
    plan = campaign_plan(1, CampaignOptions(seed=6, faults=1, hours=0.6, services=9))
    plant = oracle.Plant(plan, plan.faults[0], oracle.load_of(plan, 11, plan.faults[0].start_s))
    values = dict(zip(plant.keys, oracle.emitted(plant._calm), strict=True))
    names = [service.name for service in plan.system.services]
    assert values["failing", names[0]] == plant._calm.service["error_rate"][0]
    row, edge = next((r, plan.system.edges[e]) for r, e in enumerate(plant.usual[2].edges))
    assert values["latency", edge.caller, edge.callee] == np.log(plant._calm.edge["p95_s"][row])

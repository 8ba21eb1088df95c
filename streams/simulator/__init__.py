"""Worlds with known truth: a queueing model of a microservice system, its telemetry and its faults.

Knows neither the detectors nor the correlator, and no constant of theirs.
"""

from streams.simulator.campaign import CampaignOptions, run_campaign, run_campaigns, world_name
from streams.simulator.plan import Plan
from streams.simulator.scenarios import SCENARIOS, Scenario, run_scenario
from streams.simulator.simulation import simulate, unfinished
from streams.simulator.stage import Options

__all__ = [
    "SCENARIOS",
    "CampaignOptions",
    "Options",
    "Plan",
    "Scenario",
    "run_campaign",
    "run_campaigns",
    "run_scenario",
    "simulate",
    "unfinished",
    "world_name",
]

"""Worlds with known truth: a queueing model of a microservice system, its telemetry and its faults.

Knows neither the detectors nor the correlator, and no constant of theirs.
"""

from streams.simulator.scenarios import SCENARIOS, Options, Scenario, run_scenario
from streams.simulator.simulation import Plan, simulate

__all__ = ["SCENARIOS", "Options", "Plan", "Scenario", "run_scenario", "simulate"]

"""The suite for one series without siblings: level, trend, season, spread, stillness, novelty.

Each member's deviation becomes a tail probability by online peaks-over-threshold; together they say how
surprising a sample is, and one budget says when that is an alert. `bank` compares fleets instead.
"""

from detectors.suite.bank import DEFAULT_BUDGET, Scored, SuiteBank
from detectors.suite.record import MEMBERS
from detectors.suite.tuning import Tuning

__all__ = ["DEFAULT_BUDGET", "MEMBERS", "Scored", "SuiteBank", "Tuning"]

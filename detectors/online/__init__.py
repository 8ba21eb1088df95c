"""Detectors of one series, in river's protocol: ours, river's behind a guard, and those of users.

`score_one(x)` before `learn_one(x)`, with ``x = {"ts_ms": …, "value": …}``; a score is a surprise, 0 and up.
"""

from detectors.online.adapter import RiverAdapter
from detectors.online.contract import CHECKS, check
from detectors.online.guard import Guarded
from detectors.online.protocol import OnlineDetector, Sample
from detectors.online.reference import Reference
from detectors.online.registry import Listed, available
from detectors.online.suite import Suite

__all__ = [
    "CHECKS",
    "Guarded",
    "Listed",
    "OnlineDetector",
    "Reference",
    "RiverAdapter",
    "Sample",
    "Suite",
    "available",
    "check",
]
